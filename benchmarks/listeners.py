"""Those who listen to `/stream`."""

import json
from http.client import HTTPConnection, HTTPResponse

STREAMS = 64
"""That listen while other things are measured."""


class Stream:
    """One that listens to two metrics."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=30)

    def __enter__(self) -> "Stream":
        self._connection.request("GET", "/stream?metrics=1,2")
        self._answer: HTTPResponse = self._connection.getresponse()
        return self

    def __exit__(self, *_: object) -> None:
        self._answer.close()
        self._connection.close()

    def hear(self, minute: str) -> None:
        """Wait for the event of that minute."""
        for line in self._answer:
            if line.startswith(b"data: ") and json.loads(line.removeprefix(b"data: "))["minute"] == minute:
                return
        raise ConnectionError("the stream has ended")
