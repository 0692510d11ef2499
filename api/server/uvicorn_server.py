"""uvicorn with a timeout for everything that it awaits from a client, and a limit of connections.

uvicorn itself has a timeout for the next request on a connection, but none for the head of a request that has begun,
nor for a client that does not read its response.
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

from api.server.asgi import WsgiBridge

HEAD_SECONDS = 10.0
"""Seconds in which the head of a connection's first request, or of any that has begun, must be complete."""
READ_SECONDS = 20.0
"""Seconds in which a client must read a response; of a long one, each part."""
KEEP_ALIVE_SECONDS = 75
"""Seconds that a connection stays open for the next request."""
END_SECONDS = 10
"""Seconds that responses under way have left when the process stops."""
BACKLOG = 2_048
"""Connections that the system queues until they are accepted."""
MAX_HEAD_BYTES = 65_536
MAX_CONNECTIONS = 5_000
"""The limit of one process. With more, the connection that has been idle longest is closed."""
MAX_FILES = 10_240
"""Descriptors to ask the system for; macOS gives no more."""
OTHER_FILES = 256
"""Descriptors reserved for files, the database and exchanges."""


class State(ServerState):
    """The state that all connections of a process share."""

    def __init__(self, max_connections: int) -> None:
        super().__init__()
        self.max_connections = max_connections
        self.idle: dict[Connection, None] = {}
        """Connections without a request under way, idle longest first."""


class Connection(HttpToolsProtocol):
    """One connection; `check` closes it when its client has exceeded a timeout."""

    server_state: State

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        listened = transport.get_extra_info("socket")
        if listened.family in (socket.AF_INET, socket.AF_INET6):  # asyncio sets this only on sockets of its own
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
        if self._answering is not None:  # of pipelined requests, uvicorn notifies only the last
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

    def check(self, now: float) -> None:
        """Close the connection if its client has exceeded a timeout; `now` is the loop's time."""
        if self._head_until is not None and now > self._head_until:
            self.transport.abort()
        elif self.transport.get_write_buffer_size() == 0:
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now > self._unread_since + READ_SECONDS:
            self.transport.abort()


class Server(uvicorn.Server):
    """Serves `application`."""

    def __init__(self, config: uvicorn.Config, bridge: WsgiBridge, max_connections: int = MAX_CONNECTIONS) -> None:
        super().__init__(config)
        config.app = self._front = bridge
        self.server_state = State(max_connections)

    async def on_tick(self, counter: int) -> bool:
        """Called by uvicorn ten times a second."""
        if counter % 10 == 0:
            self.check(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def check(self, now: float) -> None:
        """Close the connections whose clients have exceeded a timeout; `now` is the loop's time."""
        for connection in self._connections():
            connection.check(now)

    async def shutdown(self, sockets: "list[socket.socket] | None" = None) -> None:
        """End live streams, and give the other responses END_SECONDS."""
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
    "proxy_headers": False,  # uvicorn would trust every client on loopback; PROXY_HOPS says what to trust
    "server_header": False,
    "timeout_graceful_shutdown": END_SECONDS + 2,  # for requests that do not end with their connection
}
"""uvicorn's settings, under gunicorn too."""


def serve(bridge: WsgiBridge, listening: "list[socket.socket]") -> None:
    """Serve these sockets until SIGTERM or Ctrl-C. Neither ends the process: the caller may have more to stop."""
    config = uvicorn.Config(**CONFIG, access_log=False, timeout_keep_alive=KEEP_ALIVE_SECONDS)
    server = Server(config, bridge, room_for_connections())

    def end(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)  # before uvicorn sets its handlers, and after it restores these
    server.run(listening)


def listen(host: str, port: int) -> "list[socket.socket]":
    """Sockets that listen at all addresses of `host` that this machine has. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    missing = None
    for family, address in dict.fromkeys((family, address[:2]) for family, _, _, _, address in found):
        try:
            sockets.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            # Such as ::1 of localhost if IPv6 is off.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                for listening in sockets:
                    listening.close()
                raise
            missing = error
    if missing is not None and not sockets:
        raise missing
    return sockets


def room_for_connections() -> int:
    """The number of connections that this process can have. Raises its limit of descriptors as far as possible."""
    if sys.platform == "win32":
        return MAX_CONNECTIONS
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MAX_CONNECTIONS, soft - OTHER_FILES))
