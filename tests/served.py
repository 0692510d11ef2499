"""The program's server in a thread of the test, and raw sockets connected to it."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import uvicorn

from api.server.asgi import WsgiBridge
from api.server.uvicorn_server import CONFIG, KEEP_ALIVE_SECONDS, MAX_CONNECTIONS, Server, listen
from tests.waiting import wait_for


class Served:
    """A WsgiBridge served on `port` of 127.0.0.1."""

    def __init__(self, bridge: WsgiBridge, max_connections: int) -> None:
        (self._socket,) = listen("127.0.0.1", 0)
        self.port: int = self._socket.getsockname()[1]
        self.bridge = bridge
        config = uvicorn.Config(**CONFIG, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS)
        self.server = Server(config, bridge, max_connections)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()
        wait_for(lambda: self.server.started, what="a server")

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.server.serve([self._socket]))

    def do(self, work: Callable[[], Any]) -> Any:
        """The result of `work` in the server's event loop."""

        async def done() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(30)

    def later(self, seconds: float) -> None:
        """Make the server check its connections as if `seconds` had passed."""
        self.do(lambda: self.server.check(self._loop.time() + seconds))

    def connect(self, said: bytes = b"", **options: int) -> socket.socket:
        """A connection on which `said` was sent."""
        line = socket.socket()
        for name, value in options.items():
            line.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        line.settimeout(30)
        line.connect(("127.0.0.1", self.port))
        line.sendall(said)
        return line

    def ask(self, said: bytes) -> bytes:
        """Everything that the server sends in response, until it closes the connection."""
        with self.connect(said) as line:
            return all_of(line)

    def end(self) -> None:
        """Shut down as when the process is stopped."""
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive()


@contextmanager
def served(application: Any, threads: int = 8, max_connections: int = MAX_CONNECTIONS, **more: Any) -> Iterator[Served]:
    """A server of the WSGI `application`."""
    found = Served(WsgiBridge(application, threads, **more), max_connections)
    try:
        yield found
    finally:
        found.end()


def all_of(line: socket.socket) -> bytes:
    """Everything received until the connection is closed or reset."""
    parts = []
    try:
        while part := line.recv(1 << 16):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


def head_of(line: socket.socket) -> bytes:
    """The head of a response, without a byte of its body."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        part = line.recv(1)
        if not part:
            break
        read += part
    return read
