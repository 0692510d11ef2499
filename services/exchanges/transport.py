"""How requests leave: through a mirror where one is set, and never beyond their time."""

import os
import socket
import time
from threading import Event, Timer
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from services.market.errors import BadPayload


class Transport(HTTPAdapter):
    """Mounted on a client's session. What was sent is held to the moment `ends_at` as a whole: the client's own
    time-out begins anew with every byte, so that a dripping answer could go on for ever."""

    def __init__(self, market: str, base_url: str | None) -> None:
        super().__init__(max_retries=0)
        self._market = market
        self._base_url = base_url
        self.ends_at = float("inf")

    def give(self, seconds: float) -> None:
        """All requests from now on have to be answered within `seconds`."""
        self.ends_at = time.monotonic() + seconds

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Answers with the body read. Raises Timeout, or BadPayload where a success holds no JSON."""
        if self._base_url is not None:
            request.url = f"{self._base_url}/{request.url}"
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise requests.exceptions.ReadTimeout("no time is left for another request")
        options |= {"stream": True, "timeout": left}
        response = super().send(request, **options)
        self._read_whole(response)
        body = response.content.strip()
        if response.ok and not (body[:1] in (b"{", b"[") and body[-1:] in (b"}", b"]")):
            raise BadPayload(self._market, f"sent {_describe(body)} where JSON belongs")
        return response

    def _read_whole(self, response: requests.Response) -> None:
        cut = Event()
        # A second handle on the connection's socket: shutting it down wakes up whoever reads from the first.
        handle = socket.socket(fileno=os.dup(response.raw.fileno()))

        def end() -> None:
            cut.set()
            handle.shutdown(socket.SHUT_RDWR)

        timer = Timer(max(0.0, self.ends_at - time.monotonic()), end)
        timer.daemon = True
        timer.start()
        try:
            _ = response.content
        except requests.exceptions.RequestException:
            if not cut.is_set():
                raise
        finally:
            timer.cancel()
            handle.close()
        if cut.is_set():
            raise requests.exceptions.ReadTimeout("the answer was not complete in time")


def _describe(body: bytes) -> str:
    if not body:
        return "nothing"
    if body[:1] == b"<":
        return "a web page"
    return f"a cut-off answer of {len(body)} bytes"
