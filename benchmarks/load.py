"""A client that asks as fast as it is answered: `python -m benchmarks.load` with a JSON order on stdin.

The order names `port`, `paths` (asked in turn), `headers`, `connections` (kept open) and `seconds`; the
answer on stdout gives `rate` (answers a second), `p99` (milliseconds), `status` and `bytes` (of a body).
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from benchmarks.timings import p99

BUFFER = 1 << 18


@dataclass
class _Line:
    """One kept-alive connection with one request under way."""

    connection: socket.socket
    asked: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    expected: int = 0
    """Bytes of the whole answer; 0 while its head is not complete."""

    def ask(self, request: bytes) -> None:
        self.received.clear()
        self.expected = 0
        self.asked = time.perf_counter()
        self.connection.sendall(request)

    def hear(self) -> bool:
        """Take in what has come; whether the answer is complete. Raises ConnectionError when it is cut off."""
        part = self.connection.recv(BUFFER)
        if not part:
            raise ConnectionError("the server closed a connection")
        self.received += part
        if not self.expected:
            head, found, _ = self.received.partition(b"\r\n\r\n")
            if found:
                self.expected = len(head) + 4 + _body_length(bytes(head))
        return bool(self.expected) and len(self.received) >= self.expected


def _body_length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0


def load(port: int, paths: list[str], headers: dict[str, str], connections: int, seconds: float) -> dict[str, Any]:
    """Ask 127.0.0.1:`port` for `seconds` over so many connections at once."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    requests = cycle([f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{extra}\r\n".encode() for path in paths])
    durations: list[float] = []
    last = b""
    with selectors.DefaultSelector() as selector:
        lines = [_Line(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(connections)]
        started = time.perf_counter()
        for line in lines:
            selector.register(line.connection, selectors.EVENT_READ, line)
            line.ask(next(requests))
        while time.perf_counter() - started < seconds:
            for key, _ in selector.select(timeout=1.0):
                line = key.data
                if line.hear():
                    durations.append((time.perf_counter() - line.asked) * 1e3)
                    last = bytes(line.received)
                    line.ask(next(requests))
        elapsed = time.perf_counter() - started
        for line in lines:
            line.connection.close()
    head, _, body = last.partition(b"\r\n\r\n")
    return {
        "rate": len(durations) / elapsed,
        "p99": p99(durations) if durations else float("nan"),
        "status": int(head.split(b" ", 2)[1]) if head else 0,
        "bytes": len(body),
    }


if __name__ == "__main__":
    json.dump(load(**json.load(sys.stdin)), sys.stdout)
