"""What PEP 3333 has a server say to an application, and what it makes of the answer."""

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
"""Of an answer that is made while it is sent, in one go of a thread."""


@dataclass
class WsgiResponse:
    """What the application has said so far."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    rest: Iterator[bytes] | None = None
    """What makes the rest of it; None where there is none."""
    close: Callable[[], object] = lambda: None
    """To be called when nobody wants more of it."""
    live: Iterator[bytes] | None = None
    """What tells news in place of a rest."""
    at_once: int | None = GATHERED_BYTES
    """How much is made in one go of a thread; None for all of it."""


def ask(application: "WSGIApplication", environ: "WSGIEnvironment") -> WsgiResponse:
    """The answer of `application`: all of it, or the first GATHERED_BYTES and what makes the rest. Events are each sent
    when they are made; a client of HTTP/1.0 does not know of parts."""
    answer = WsgiResponse()

    def start(status: str, headers: list[tuple[str, str]], _failed: Any = None) -> Callable[[bytes], object]:
        answer.status = int(status[:3])
        answer.headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return answer.parts.append

    told = application(environ, start)
    answer.close = getattr(told, "close", answer.close)
    answer.live = environ.get(LIVE)
    if answer.live is None:
        answer.rest = iter(told)
        if environ["SERVER_PROTOCOL"] != "HTTP/1.1":
            answer.at_once = None
        elif any(name.lower() == b"content-type" and kind.startswith(EVENTS) for name, kind in answer.headers):
            answer.at_once = 1
        gather(answer)
    else:
        answer.parts.append(next(answer.live))
    return answer


def gather(answer: WsgiResponse) -> None:
    """Take in more of an answer, until it is at least `at_once` bytes or all of it."""
    assert answer.rest is not None
    size = 0
    try:
        for part in answer.rest:
            answer.parts.append(part)
            size += len(part)
            if answer.at_once is not None and size >= answer.at_once:
                return
    except BaseException:
        answer.rest = None
        answer.close()
        raise
    answer.rest = None
    answer.close()


def environ_of(scope: "HTTPScope") -> "WSGIEnvironment":
    """What PEP 3333 has an application told of a request, without its body."""
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
        if b"_" in name:  # it would pass for the one with a dash, which proxies vouch for
            continue
        key = _KEYS.get(name) or "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
        text = value.decode("latin-1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ


_KEYS = {b"content-length": "CONTENT_LENGTH", b"content-type": "CONTENT_TYPE"}
