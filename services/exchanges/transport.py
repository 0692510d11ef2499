"""Sends requests to exchanges within a deadline, through a mirror or a proxy if one is set."""

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
"""Bytes of a body that are read between two checks for an abandoned request."""

ANSWERED_BY_OTHERS = "It is tried again each period. If it lasts, a proxy or a log-in page may answer in its place"


class Timer(Protocol):
    """Measures time and sleeps; the module `time` is one."""

    def monotonic(self) -> float:
        """Seconds since a fixed moment, unaffected by changes of the system clock."""

    def sleep(self, seconds: float, /) -> None:
        """Return when this many seconds have passed."""


class Transport(HTTPAdapter):
    """An adapter to mount on a client's session.

    It uses the proxy that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name for the URL that is actually requested (the
    mirror's, if one is set) and trusts the certificates in REQUESTS_CA_BUNDLE. It sends no passwords from `~/.netrc`.

    `ends_at` is the deadline of a whole request, in seconds of the timer. The client's own time-out starts again with
    every byte, so a slow response could last for ever. A request runs in a thread of its own, which includes resolving
    the name and connecting. After the deadline the thread ends by itself, and its result is dropped.
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
        """The HTTP status of the newest response; None without a response."""

    def send(self, request: PreparedRequest, *_: Any, **options: Any) -> Response:
        """The response, with its body read.

        Raises ReadTimeout, ConnectionError when a response breaks off, or BadPayload when a successful one is not JSON.
        """
        self.status = None
        if not (request.url or "").startswith(self._prefix):
            request.url = f"{self._prefix}{request.url}"
        left = self.ends_at - self._timer.monotonic()
        if left <= 0:
            raise ReadTimeout("no time is left for another request", request=request)
        given_up = Event()
        # ccxt's session ignores the environment, as it would otherwise send passwords from ~/.netrc too.
        environment = self._environment.merge_environment_settings(request.url, {}, True, None, None)
        call = self._threads.submit(self._request, request, {**options, **environment, "timeout": left}, given_up)
        try:
            response = result_within(left, call)
        except DeadlineExceeded:
            given_up.set()
            raise ReadTimeout("the answer was not complete in time", request=request) from None
        self.status = response.status_code
        body = response.content.strip()
        if 200 <= response.status_code < 300 and not (body[:1] in (b"{", b"[") and body[-1:] in (b"}", b"]")):
            raise BadPayload(self._market, f"sent {_describe(body)} instead of JSON", advice=ANSWERED_BY_OTHERS)
        return response

    def _request(self, request: PreparedRequest, options: Mapping[str, Any], given_up: Event) -> Response:
        """The response with its body read; with an unread body, and closed, once the request is abandoned."""
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
            raise ConnectionError("the response is incomplete", request=request)
        body.seek(0)
        response.raw = body
        return response


def _describe(body: bytes) -> str:
    if not body:
        return "nothing"
    if body[:1] == b"<":
        return "a web page"
    return f"an incomplete response of {len(body)} bytes"
