"""Calling a WSGI application (PEP 3333): the environment of a request, and the response as far as it is made."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from api.environ import LIVE

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from uvicorn._types import HTTPScope

EVENTS = b"text/event-stream"
GATHERED_BYTES = 262_144
"""Bytes made in one turn of a thread, of a response that is made while it is sent."""


@dataclass
class WsgiResponse:
    """The response as far as the application has made it."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    rest: Iterator[bytes] | None = None
    """Makes the rest of the body; None if the body is complete."""
    close: Callable[[], object] = lambda: None
    """To be called when no more of the body is needed."""
    live: Iterator[bytes] | None = None
    """Live events, in place of a rest."""
    bytes_a_turn: int | None = GATHERED_BYTES
    """Bytes to make in one turn of a thread; None for all."""


def ask(application: "WSGIApplication", environ: "WSGIEnvironment") -> WsgiResponse:
    """The response of `application`: all of it, or the first GATHERED_BYTES and the iterator of the rest.

    Each event is sent when it is made. A client of HTTP/1.0 gets all at once, since it cannot receive chunks.
    """
    response = WsgiResponse()

    def start(status: str, headers: list[tuple[str, str]], _failed: Any = None) -> Callable[[bytes], object]:
        response.status = int(status[:3])
        response.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return response.parts.append

    body = application(environ, start)
    response.close = getattr(body, "close", response.close)
    response.live = environ.get(LIVE)
    if response.live is None:
        response.rest = iter(body)
        if environ["SERVER_PROTOCOL"] != "HTTP/1.1":
            response.bytes_a_turn = None
        elif any(name.lower() == b"content-type" and kind.startswith(EVENTS) for name, kind in response.headers):
            response.bytes_a_turn = 1
        gather(response)
    else:
        response.parts.append(next(response.live))
    return response


def gather(response: WsgiResponse) -> None:
    """Make more of the response: at least `bytes_a_turn` bytes, or all of it."""
    assert response.rest is not None
    size = 0
    try:
        for part in response.rest:
            response.parts.append(part)
            size += len(part)
            if response.bytes_a_turn is not None and size >= response.bytes_a_turn:
                return
    except BaseException:
        response.rest = None
        response.close()
        raise
    response.rest = None
    response.close()


def environ_of(scope: "HTTPScope") -> "WSGIEnvironment":
    """The environment of a request by PEP 3333, without its body."""
    server, port = scope["server"] or ("localhost", None)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:  # it would pass for the header with a dash, which proxies overwrite
            continue
        key = _KEYS.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ


_KEYS = {b"content-length": "CONTENT_LENGTH", b"content-type": "CONTENT_TYPE"}
