"""What a client may keep waiting, and for how long; by real sockets, and a time that the tests tell."""

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
"""More than the systems of both sides keep for each other."""


def application(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
    """Tells what it was asked for; at /large much."""
    body = LARGE if environ["PATH_INFO"] == "/large" else repr(sorted(environ)).encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture
def web() -> Iterator[Served]:
    with served(application) as web:
        yield web


def is_open(line: socket.socket) -> bool:
    """Whether the server has left the connection open, and said nothing."""
    line.setblocking(False)
    try:
        return line.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False
    finally:
        line.settimeout(30)


def connections(web: Served) -> int:
    return len(web.server.server_state.connections)


def unsent(web: Served) -> int:
    """Bytes that the server keeps for its clients, beside what the system does."""
    found: int = web.do(lambda: sum(one.transport.get_write_buffer_size() for one in web.server._connections()))
    return found


@pytest.mark.parametrize("said", [b"", b"GET /slow", GET[:-2], GET[:-2] + b"X-Slow: "])
def test_a_connection_has_a_time_to_say_what_it_wants(web: Served, said: bytes) -> None:
    with web.connect(said) as line:
        wait_for(lambda: connections(web) == 1)
        web.later(HEAD_SECONDS - 1)
        assert is_open(line)
        line.sendall(b"a" if said else b"")  # a little more gives no more time
        web.later(HEAD_SECONDS + 1)
        assert all_of(line) == b""


def test_so_has_an_open_one_from_the_first_byte_of_its_next_request(web: Served) -> None:
    with web.connect(GET) as line:
        assert head_of(line).startswith(b"HTTP/1.1 200 ")
        line.recv(1 << 16)
        web.later(HEAD_SECONDS + 1)
        assert is_open(line)
        line.sendall(GET[:10])
        wait_for(lambda: web.do(lambda: all(one._head_bytes for one in web.server._connections())))
        web.later(HEAD_SECONDS + 1)
        assert all_of(line) == b""


def test_a_client_that_does_not_read_its_response_is_dropped(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as line:
        assert head_of(line).startswith(b"HTTP/1.1 200 ")
        wait_for(
            lambda: web.do(lambda: any(one.transport.get_write_buffer_size() for one in web.server._connections()))
        )
        web.later(0)
        web.later(READ_SECONDS - 1)
        assert connections(web) == 1
        web.later(READ_SECONDS + 1)
        wait_for(lambda: connections(web) == 0, what="the end of the connection")
        assert len(all_of(line)) < len(LARGE)


def test_a_slow_client_gets_all_of_it(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as line:
        head_of(line)
        taken = 0
        while taken < len(LARGE):
            taken += len(line.recv(1_000_000))
            web.later(0)
        assert taken == len(LARGE)


def test_a_slow_reader_takes_little_memory(web: Served) -> None:
    with web.connect(GET.replace(b"/", b"/large", 1), SO_RCVBUF=4096) as line:
        head_of(line)
        wait_for(lambda: unsent(web) > 0)
        assert unsent(web) < 200_000


def test_a_head_without_end_is_refused(web: Served) -> None:
    with web.connect(GET[:-2] + b"X-Long: ") as line:
        line.sendall(b"a" * MAX_HEAD_BYTES)
        assert all_of(line).startswith(b"HTTP/1.1 400 ")


def test_beyond_the_limit_the_connection_that_is_idle_longest_is_closed() -> None:
    with served(application, max_connections=3) as web:
        lines = []
        for _ in range(3):
            lines.append(web.connect(GET))
            head_of(lines[-1])
            lines[-1].recv(1 << 16)
        lines[0].sendall(GET)  # so that it is not the one that was idle longest
        head_of(lines[0])
        lines[0].recv(1 << 16)

        with web.connect(GET) as late:
            assert head_of(late).startswith(b"HTTP/1.1 200 ")
        assert all_of(lines[1]) == b""
        assert is_open(lines[0])
        assert is_open(lines[2])
        for line in lines:
            line.close()


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


def test_requests_that_come_together_are_answered_in_turn(web: Served) -> None:
    with web.connect(GET * 3) as line:
        for _ in range(3):
            head = head_of(line)
            assert head.startswith(b"HTTP/1.1 200 ")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            assert len(line.recv(length, socket.MSG_WAITALL)) == length


def test_an_answer_does_not_wait_for_the_clients_system_to_confirm_its_head(web: Served) -> None:
    with web.connect(GET) as line:
        head_of(line)
        (own,) = web.do(lambda: [one.transport.get_extra_info("socket") for one in web.server._connections()])
        assert own.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_stop_waits_for_no_idle_connection() -> None:
    with served(application) as web, web.connect(GET) as live, web.connect() as idle, web.connect(GET[:9]) as begun:
        head_of(live)
        live.recv(1 << 16)
        web.end()
        assert [all_of(line) for line in (live, idle, begun)] == [b"", b"", b""]


def test_a_name_of_several_addresses_is_listened_to_at_each() -> None:
    sockets = listen("localhost", 0)
    printed = {one.getsockname()[0] for one in sockets}
    for one in sockets:
        one.close()

    assert "127.0.0.1" in printed
    assert printed <= {"127.0.0.1", "::1"}


def test_descriptors_are_left_for_the_database_and_files() -> None:
    code = (
        "import resource as r; r.setrlimit(r.RLIMIT_NOFILE, (200, 700))\n"
        "from api.server.uvicorn_server import room_for_connections\n"
        "print(room_for_connections(), *r.getrlimit(r.RLIMIT_NOFILE))"
    )
    printed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert printed.split() == ["444", "700", "700"]
