"""A closed-loop load generator: `python -m benchmarks.load` with a JSON order on stdin.

The order holds `port`, `paths` (requested in turn), `headers`, `connections` (persistent) and `seconds`. The
answer on stdout holds `rate` (responses a second), `p99` (milliseconds), `status` and `bytes` (of a body).
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
class _Connection:
    """A persistent connection with one request in flight."""

    socket: socket.socket
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    expected: int = 0
    """Bytes of the whole response; 0 until its head is complete."""

    def send(self, request: bytes) -> None:
        self.received.clear()
        self.expected = 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what has arrived. Returns whether the response is complete; raises ConnectionError if it is cut off."""
        part = self.socket.recv(BUFFER)
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
    """Send requests to 127.0.0.1:`port` for `seconds` over `connections` connections at once."""
    extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    requests = cycle([f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{extra}\r\n".encode() for path in paths])
    durations: list[float] = []
    last = b""
    with selectors.DefaultSelector() as selector:
        opened = [_Connection(socket.create_connection(("127.0.0.1", port), timeout=30)) for _ in range(connections)]
        started = time.perf_counter()
        for connection in opened:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.send(next(requests))
        while time.perf_counter() - started < seconds:
            for key, _ in selector.select(timeout=1.0):
                connection = key.data
                if connection.receive():
                    durations.append((time.perf_counter() - connection.sent_at) * 1e3)
                    last = bytes(connection.received)
                    connection.send(next(requests))
        elapsed = time.perf_counter() - started
        for connection in opened:
            connection.socket.close()
    head, _, body = last.partition(b"\r\n\r\n")
    return {
        "rate": len(durations) / elapsed,
        "p99": p99(durations) if durations else float("nan"),
        "status": int(head.split(b" ", 2)[1]) if head else 0,
        "bytes": len(body),
    }


if __name__ == "__main__":
    json.dump(load(**json.load(sys.stdin)), sys.stdout)
