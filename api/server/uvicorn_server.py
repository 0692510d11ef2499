"""The server: uvicorn, with a time for everything that it waits for from a client, and a bound on connections.

uvicorn itself has a time for the next request on a connection, and none for the head of one that has begun, nor for the
reading of an answer.
"""

import asyncio
import errno
import signal
import socket
import sys
from types import FrameType
from typing import Any, cast

import uvicorn
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from api.server.asgi import Front

HEAD_SECONDS = 10.0
"""Within which a connection has sent the head of its first request, and a whole one of those that it has begun."""
READ_SECONDS = 20.0
"""Within which a client takes in what it was sent; of a long answer, each part."""
KEEP_ALIVE_SECONDS = 75
"""How long a connection is kept for the next request."""
END_SECONDS = 10
"""What answers under way are given when the process is told to stop."""
BACKLOG = 2_048
"""Connections that the system keeps until they are accepted."""
MAX_HEAD_BYTES = 65_536
MAX_CONNECTIONS = 5_000
"""Of one process; the one that has waited longest for a request makes room for another."""
MAX_FILES = 10_240
"""Descriptors that are asked for; macOS gives no more."""
OTHER_FILES = 256
"""Those that are kept for what is no connection: files, the database, exchanges."""


class State(ServerState):
    """What all connections of a process share."""

    def __init__(self, max_connections: int) -> None:
        super().__init__()
        self.max_connections = max_connections
        self.idle: dict[Connection, None] = {}
        """Those that have no request under way, that waits longest first."""


class Connection(HttpToolsProtocol):
    """One connection: `look` ends it where it has kept the server waiting."""

    server_state: State

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        listened = transport.get_extra_info("socket")
        if listened.family in (socket.AF_INET, socket.AF_INET6):  # asyncio leaves out sockets that others have made
            listened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._head_until: float | None = self.loop.time() + HEAD_SECONDS
        self._head_bytes = 0
        self._answering: RequestResponseCycle | None = None
        self._unread_since: float | None = None
        self.server_state.idle[self] = None
        if len(self.connections) > self.server_state.max_connections:
            longest = next(iter(self.server_state.idle))
            del self.server_state.idle[longest]
            longest.transport.abort()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_state.idle.pop(self, None)
        if self._answering is not None:  # uvicorn tells only the last of several requests that were sent at once
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self in self.server_state.idle:
            self._head_bytes += len(data)
            if self._head_until is None:
                self._head_until = self.loop.time() + HEAD_SECONDS
        super().data_received(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"The head of the request is longer than {MAX_HEAD_BYTES} bytes.")

    def on_headers_complete(self) -> None:
        self.server_state.idle.pop(self, None)
        self._head_until, self._head_bytes = None, 0
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():  # nothing else is under way
            self.server_state.idle[self] = None

    def resume_writing(self) -> None:
        self._unread_since = None
        super().resume_writing()

    def look(self, now: float) -> None:
        """End the connection if its client has kept the server waiting for too long, at `now` of the loop."""
        if self._head_until is not None and now > self._head_until:
            self.transport.abort()
        elif self.transport.get_write_buffer_size() == 0:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now > self._unread_since + READ_SECONDS:
            self.transport.abort()


class Server(uvicorn.Server):
    """Serves `front`."""

    def __init__(self, config: uvicorn.Config, front: Front, max_connections: int = MAX_CONNECTIONS) -> None:
        super().__init__(config)
        config.app = self._front = front
        self.server_state = State(max_connections)

    async def on_tick(self, counter: int) -> bool:
        """uvicorn's own, ten times a second."""
        if counter % 10 == 0:
            self.look(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def look(self, now: float) -> None:
        """End the connections that keep the server waiting for too long, at `now` of the loop."""
        for connection in self._connections():
            connection.look(now)

    async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
        """End what would last, and wait for the answers that are under way and read; not for long."""
        self._front.end()
        asyncio.get_running_loop().call_later(END_SECONDS, self._abort)
        await super().shutdown(sockets)

    def _abort(self) -> None:
        for connection in self._connections():
            connection.transport.abort()

    def _connections(self) -> "list[Connection]":
        return cast("list[Connection]", list(self.server_state.connections))


CONFIG: dict[str, Any] = {
    "app": None,  # Server sets it
    "loop": "asyncio",
    "http": Connection,
    "ws": "none",
    "lifespan": "off",
    "interface": "asgi3",
    "log_config": None,
    "proxy_headers": False,  # it believes whoever comes from loopback; PROXY_HOPS says who is to be believed
    "server_header": False,
    "timeout_graceful_shutdown": END_SECONDS + 2,  # for what does not end with its connection
}
"""What uvicorn is told, however it is started."""


def serve(front: Front, listening: "list[socket.socket]") -> None:
    """Answer what comes to these sockets until the process is told to stop, by SIGTERM or Ctrl-C. Neither ends the
    process, for there may be more to end."""
    config = uvicorn.Config(**CONFIG, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS)
    server = Server(config, front, room_for_connections())

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)  # until uvicorn has its own, and when it has ended and hands them on
    server.run(listening)


def listen(host: str, port: int) -> "list[socket.socket]":
    """Sockets that listen at all addresses of that name that this machine has. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing = None
    for family, address in dict.fromkeys((family, address[:2]) for family, _, _, _, address in found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):  # as ::1 of localhost where IPv6 is off
                for listening in sockets:
                    listening.close()
                raise
            missing = error
    if missing is not None and not sockets:
        raise missing
    return sockets


def room_for_connections() -> int:
    """How many connections this process can have, once it has as many descriptors as the system gives it."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, soft - OTHER_FILES))
