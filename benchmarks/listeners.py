"""Clients of `/stream`."""

import json
from http.client import HTTPConnection, HTTPResponse

STREAMS = 64
"""Streams that stay open during other measurements."""


class Stream:
    """A client that listens to two metrics."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def __enter__(self) -> "Stream":
        self._connection.request("GET", "/stream?metrics=1,2")
        self._answer: HTTPResponse = self._connection.getresponse()
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()

    def wait_for(self, minute: str) -> None:
        """Read until the event of `minute`. Raises ConnectionError when the stream ends first."""
        for line in self._answer:
            if line.startswith(b"data: ") and json.loads(line.removeprefix(b"data: "))["minute"] == minute:
                return
        raise ConnectionError("the stream has ended")
