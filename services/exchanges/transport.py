"""How requests leave: through a mirror or a proxy where one is set, and never beyond their time."""

import time
from collections.abc import Mapping
from io import BytesIO
from threading import Event
from typing import Any, Protocol

import urllib3  # type: ignore[import-untyped,unused-ignore]  # typed from version 2 on
from requests import PreparedRequest, Response, Session
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError, ReadTimeout

from services.concurrency.deadline import DeadlineExceeded, ThreadPerCall, result_within
from services.market.errors import BadPayload

_PIECE = 4096
"""Bytes of a body that are read between two looks at whether anybody still waits for it."""

ANSWERED_BY_OTHERS = (
    "It is asked again each period. If it lasts, a proxy or a log-in page may be answering in its place"
)


class Timer(Protocol):
    """What measures spans of time and lets them pass; the module `time` is one."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment, whatever is done to the clock on the wall."""

    def sleep(self, seconds: float, /) -> None:
        """Return when this many seconds have passed."""


class Transport(HTTPAdapter):
    """Mounted on a client's session.

    Goes by way of the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for the address that is really asked, the
    mirror's where there is one, and trusts the certificates in REQUESTS_CA_BUNDLE. Passwords of `~/.netrc` stay there.

    What was sent is held to the moment `ends_at` as a whole: the client's own
    time-out begins anew with every byte, so that a dripping answer could go on for ever.

    A request runs in a thread of its own and is waited for no longer than that, whatever it is at: looking up
    a name, connecting, or reading. What is left of it then ends by itself, unheard.
    """

    def __init__(self, market: str, base_url: str | None, timer: Timer = time) -> None:
        super().__init__(max_retries=0)
        self._timer = timer
        self._market = market
        self._threads = ThreadPerCall(f"request-{market}")
        self._prefix = f"{base_url.rstrip('/')}/" if base_url else ""
        self._environment = Session()
        self.ends_at = float("inf")
        self.status: int | None = None
        """The HTTP status of the newest answer; None when none came."""

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:
        """Answers with the body read. Raises ReadTimeout, ConnectionError where an answer breaks off, or BadPayload
        where a success holds no JSON."""
        self.status = None
        if not (request.url or "").startswith(self._prefix):
            request.url = f"{self._prefix}{request.url}"
        left = self.ends_at - self._timer.monotonic()
        if left <= 0:
            raise ReadTimeout("no time is left for another request", request=request)
        given_up = Event()
        # ccxt's own session does not look at the environment: if it did, it would send passwords of ~/.netrc too.
        proxies = self._environment.merge_environment_settings(request.url, {}, True, None, None)
        call = self._threads.submit(self._request, request, {**options, **proxies, "timeout": left}, given_up)
        try:
            response = result_within(left, call)
        except DeadlineExceeded:
            given_up.set()
            raise ReadTimeout("the answer was not complete in time", request=request) from None
        self.status = response.status_code
        body = response.content.strip()
        if 200 <= response.status_code < 300 and not (body[:1] in (b"{", b"[") and body[-1:] in (b"}", b"]")):
            raise BadPayload(self._market, f"sent {_describe(body)} where JSON belongs", advice=ANSWERED_BY_OTHERS)
        return response

    def _request(self, request: PreparedRequest, options: Mapping[str, Any], given_up: Event) -> Response:
        """The response with its body read; a part of it, closed, once the request is given up."""
        response = super().send(request, **options)
        body = BytesIO()
        try:
            for piece in response.raw.stream(_PIECE, decode_content=True):
                body.write(piece)
                if given_up.is_set():
                    response.close()
                    return response
        except urllib3.exceptions.HTTPError as error:
            response.close()
            raise ConnectionError(f"the answer broke off: {error}", request=request) from error
        if response.raw.length_remaining:  # urllib3 1 does not check it
            raise ConnectionError("the answer ended before its end", request=request)
        body.seek(0)
        response.raw = body
        return response


def _describe(body: bytes) -> str:
    if not body:
        return "nothing"
    if body[:1] == b"<":
        return "a web page"
    return f"a cut-off answer of {len(body)} bytes"
