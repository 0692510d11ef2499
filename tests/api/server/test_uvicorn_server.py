"""Time and size limits on client connections, with real sockets and a clock under the test's control."""

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api.server.uvicorn_server import HEAD_SECONDS, MAX_HEAD_BYTES, READ_SECONDS, listen
from tests.served import Served, all_of, head_of, served
from tests.waiting import wait_for

ROOT = Path(__file__).parents[3]
GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
LARGE = b"x" * 30_000_000
"""More than the socket buffers of both sides hold."""


def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Echoes the path; sends a large body at /large."""
    body = LARGE if environ["PATH_INFO"] == "/large" else repr(sorted(environ)).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def web() -> Iterator[Served]:
    with served(application) as web:
        yield web


def is_open(connection: socket.socket) -> bool:
    """True if the server has neither closed the connection nor sent anything."""
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        connection.settimeout(30)


def connections(web: Served) -> int:
    return len(web.server.server_state.connections)


def unsent(web: Served) -> int:
    """Bytes that the server buffers for its clients, without the socket buffers."""
    found: int = web.do(lambda: sum(one.transport.get_write_buffer_size() for one in web.server._connections()))
    return found


@pytest.mark.parametrize("said", [b"", b"GET /slow", GET[:-2], GET[:-2] + b"X-Slow: "])
def test_a_connection_must_send_its_request_within_a_time_limit(web: Served, said: bytes) -> None:
    with web.connect(said) as connection:
        wait_for(lambda: connections(web) == 1)
        web.later(HEAD_SECONDS - 1)
        assert is_open(connection)
        connection.sendall(b"a" if said else b"")  # another byte does not extend the time
        web.later(HEAD_SECONDS + 1)
        assert all_of(connection) == b""


def test_the_next_request_must_be_complete_within_a_time_limit_of_its_first_byte(web: Served) -> None:
    with web.connect(GET) as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 200 ")
        connection.recv(1 << 16)
        web.later(HEAD_SECONDS + 1)
        assert is_open(connection)
        connection.sendall(GET[:10])
        wait_for(lambda: web.do(lambda: all(one._head_bytes for one in web.server._connections())))
        web.later(HEAD_SECONDS + 1)
        assert all_of(connection) == b""


def test_a_client_that_does_not_read_its_response_is_disconnected(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as connection:
        assert head_of(connection).startswith(b"HTTP/1.1 200 ")
        wait_for(
            lambda: web.do(lambda: any(one.transport.get_write_buffer_size() for one in web.server._connections()))
        )
        web.later(0)
        web.later(READ_SECONDS - 1)
        assert connections(web) == 1
        web.later(READ_SECONDS + 1)
        wait_for(lambda: connections(web) == 0, what="the end of the connection")
        assert len(all_of(connection)) < len(LARGE)


def test_a_slow_reader_gets_the_whole_response(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as connection:
        head_of(connection)
        taken = 0
        while taken < len(LARGE):
            taken += len(connection.recv(1_000_000))
            web.later(0)
        assert taken == len(LARGE)


def test_a_slow_reader_takes_little_memory(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as connection:
        head_of(connection)
        wait_for(lambda: unsent(web) > 0)
        assert unsent(web) < 200_000


def test_an_endless_request_head_is_refused(web: Served) -> None:
    with web.connect(GET[:-2] + b"X-Long: ") as connection:
        connection.sendall(b"a" * MAX_HEAD_BYTES)
        assert all_of(connection).startswith(b"HTTP/1.1 400 ")


def test_beyond_the_limit_the_connection_that_is_idle_longest_is_closed() -> None:
    with served(application, max_connections=3) as web:
        idle_connections = []
        for _ in range(3):
            idle_connections.append(web.connect(GET))
            head_of(idle_connections[-1])
            idle_connections[-1].recv(1 << 16)
        idle_connections[0].sendall(GET)  # makes another connection the longest idle one
        head_of(idle_connections[0])
        idle_connections[0].recv(1 << 16)

        with web.connect(GET) as late:
            assert head_of(late).startswith(b"HTTP/1.1 200 ")
        assert all_of(idle_connections[1]) == b""
        assert is_open(idle_connections[0])
        assert is_open(idle_connections[2])
        for connection in idle_connections:
            connection.close()


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: 3\r\nContent-Length: 4\r\n",
        b"Content-Length: 0x3\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Bad Name: 1\r\n",
        b"X: 1\n\r: 2\r\n",
    ],
)
def test_requests_that_two_servers_may_read_differently_are_refused(web: Served, head: bytes) -> None:
    answer = web.ask(b"POST / HTTP/1.1\r\nHost: localhost\r\n" + head + b"\r\nabc")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


def test_pipelined_requests_are_answered_in_order(web: Served) -> None:
    with web.connect(GET * 3) as connection:
        for _ in range(3):
            head = head_of(connection)
            assert head.startswith(b"HTTP/1.1 200 ")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            assert len(connection.recv(length, socket.MSG_WAITALL)) == length


def test_a_body_is_sent_without_waiting_for_the_acknowledgement_of_its_head(web: Served) -> None:
    with web.connect(GET) as connection:
        head_of(connection)
        (own,) = web.do(lambda: [one.transport.get_extra_info("socket") for one in web.server._connections()])
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_shutdown_does_not_wait_for_idle_connections() -> None:
    with served(application) as web, web.connect(GET) as live, web.connect() as idle, web.connect(GET[:9]) as begun:
        head_of(live)
        live.recv(1 << 16)
        web.end()
        assert [all_of(connection) for connection in (live, idle, begun)] == [b"", b"", b""]


def test_the_server_listens_on_every_address_of_a_host_name() -> None:
    sockets = listen("localhost", 0)
    printed = {one.getsockname()[0] for one in sockets}
    for one in sockets:
        one.close()

    assert "127.0.0.1" in printed
    assert printed <= {"127.0.0.1", "::1"}


def test_the_connection_limit_leaves_file_descriptors_for_the_database_and_files() -> None:
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (200, 700))\n"
        "from api.server.uvicorn_server import room_for_connections\n"
        "print(room_for_connections(), *r.getrlimit(r.RLIMIT_NOFILE))"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert printed.split() == ["444", "700", "700"]
