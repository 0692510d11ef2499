"""Waiting for a client takes no thread, and requests that need no thread never wait for one."""

from collections.abc import Callable, Iterator
from itertools import count
from threading import Event, get_ident
from typing import Any

import pytest

from api.environ import CLIENT_GONE, LIVE
from api.middleware.access import Access
from api.middleware.guard import MAX_BODY_BYTES, guarded
from api.middleware.hosts import Hosts
from api.middleware.rate_limits import Limits
from tests.builders import NOON
from tests.served import Served, all_of, head_of, served
from tests.waiting import wait_for

BASIC = b"Authorization: Basic YW5uOm9wZW4gc2VzYW1l\r\n"


def request(method: str, path: str, *lines: bytes, body: bytes = b"", protocol: str = "1.1") -> bytes:
    head = f"{method} {path} HTTP/{protocol}\r\nHost: localhost\r\n".encode()
    return head + b"".join(lines) + b"\r\n" + body


class Application:
    """Echoes requests; blocks at /held, responds in parts at /parts, and streams events at /news."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go_on = Event()
        self.closed = Event()
        self.threads: set[int] = set()
        self.changed = Event()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        if path == "/held":
            assert self.go_on.wait(30)
        if path == "/long":
            is_gone = environ[CLIENT_GONE]
            assert not is_gone()
            wait_for(is_gone, what="a client that has gone")
            self.closed.set()
        if path == "/followed":
            start("200 OK", [("Content-Type", "text/event-stream")])
            return self.follow()
        if path == "/parts":
            start("200 OK", [("Content-Type", "text/plain")])
            return Parts(self)
        if path == "/news":
            environ[LIVE] = self.tell()
            start("200 OK", [("Content-Type", "text/event-stream")])
            return Parts(self)
        body = environ["wsgi.input"].read()
        sent = f"{environ.get('CONTENT_LENGTH')} {environ['REMOTE_ADDR']} {environ.get('HTTP_X_A')} ".encode() + body
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(sent)))])
        return [sent]

    def follow(self) -> Iterator[bytes]:
        try:
            yield b"event: one"
            while not self.go_on.wait(0.01):
                yield b"event: more"
        finally:
            self.closed.set()

    def tell(self) -> Iterator[bytes]:
        yield b"first"
        while True:
            self.threads.add(get_ident())
            yield b"more" if self.changed.is_set() else b""


class Parts:
    """More parts than any buffer holds, made one after the other."""

    def __init__(self, application: Application) -> None:
        self.application = application

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1_000):
            yield b"p" * 50_000

    def close(self) -> None:
        self.application.closed.set()


@pytest.fixture
def application() -> Iterator[Application]:
    found = Application()
    yield found
    found.go_on.set()


@pytest.fixture
def limits() -> Limits:
    return Limits(5)


@pytest.fixture
def web(application: Application, limits: Limits) -> Iterator[Served]:
    """A server with one thread, a password, and a short time limit for bodies."""
    door = guarded(application, Access(("ann", "open sesame")), Hosts(), limits, lambda: NOON)
    with served(door, threads=1, body_seconds=0.3, poll_seconds=0.01) as web:
        yield web


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ((b"Content-Length: 1000\r\n",), b"401"),
        ((BASIC, b"Content-Length: 900000000\r\n"), b"413"),
        ((BASIC, b"Content-Length: 1000\r\n", b"Sec-Fetch-Site: cross-site\r\n"), b"403"),
        ((b"Transfer-Encoding: chunked\r\n",), b"401"),
        ((b"Content-Length: 1000\r\n", b"Expect: 100-continue\r\n"), b"401"),
    ],
)
def test_an_unauthorised_client_is_refused_before_its_body_is_read(
    web: Served, application: Application, lines: tuple[bytes, ...], status: bytes
) -> None:
    answer = web.ask(request("POST", "/x", *lines))

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close\r\n" in answer
    assert application.asked == []


def test_a_body_that_is_late_takes_no_thread_and_times_out(web: Served, application: Application) -> None:
    with web.connect(request("POST", "/x", BASIC, b"Content-Length: 10\r\n", body=b"abc")) as slow:
        assert b"200 OK" in web.ask(request("GET", "/x", BASIC, b"Connection: close\r\n"))
        answer = all_of(slow)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive in time" in answer
    assert application.asked == ["/x"]


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        ((b"Content-Length: 5\r\n",), b"hello"),
        ((b"Transfer-Encoding: chunked\r\n",), b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    ],
)
def test_a_body_is_passed_on_with_its_length(web: Served, lines: tuple[bytes, ...], body: bytes) -> None:
    answer = web.ask(request("POST", "/x", BASIC, *lines, b"Connection: close\r\n", body=body))

    assert body_of(answer) == b"5 127.0.0.1 None hello"


def test_a_request_with_a_body_is_counted_once(application: Application, limits: Limits) -> None:
    door = guarded(application, Access(("ann", "open sesame")), Hosts(), limits, lambda: NOON)

    def from_elsewhere(environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        environ["REMOTE_ADDR"] = "192.0.2.1"
        return door(environ, start)

    with served(from_elsewhere, threads=1) as web:
        said = request("POST", "/x", BASIC, b"Content-Length: 5\r\n", b"Connection: close\r\n", body=b"hello")
        statuses = [web.ask(said).split(b" ")[1] for _ in range(6)]
    assert statuses == [b"200"] * 5 + [b"429"]


def test_an_endless_body_is_refused_when_it_is_too_large(web: Served, application: Application) -> None:
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    with web.connect(request("POST", "/x", BASIC, b"Transfer-Encoding: chunked\r\n")) as line:
        try:
            for _ in range(MAX_BODY_BYTES // 0x10000 + 2):
                line.sendall(part)
        except ConnectionError:
            pass
        answer = all_of(line)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert application.asked == []


def test_a_large_body_without_credentials_gets_its_refusal(web: Served) -> None:
    body = b"x" * 1_000_000
    with web.connect(request("POST", "/x", b"Content-Length: 1000000\r\n", body=body)) as line:
        assert all_of(line).startswith(b"HTTP/1.1 401 ")


def test_the_body_of_an_admitted_client_is_requested(web: Served) -> None:
    with web.connect(request("POST", "/x", BASIC, b"Content-Length: 5\r\n", b"Expect: 100-continue\r\n")) as line:
        assert head_of(line) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.sendall(b"hello")
        assert head_of(line).startswith(b"HTTP/1.1 200 ")


def test_healthz_is_answered_while_all_threads_are_busy(web: Served, application: Application) -> None:
    with web.connect(request("GET", "/held", BASIC)) as held, web.connect(request("GET", "/x", BASIC)) as waiting:
        wait_for(lambda: application.asked == ["/held"])
        assert b"200 OK" in web.ask(request("GET", "/healthz", b"Connection: close\r\n"))
        application.go_on.set()
        assert [head_of(line)[:12] for line in (held, waiting)] == [b"HTTP/1.1 200"] * 2


def test_no_work_is_done_for_a_client_that_has_gone(web: Served, application: Application) -> None:
    with web.connect(request("GET", "/held", BASIC)) as held:
        wait_for(lambda: application.asked == ["/held"])
        with web.connect(request("GET", "/gone", BASIC)):
            wait_for(lambda: web.bridge._waiting == 1)
        wait_for(lambda: web.bridge._waiting == 0)
        application.go_on.set()
        head_of(held)
        assert b"200 OK" in web.ask(request("GET", "/x", BASIC, b"Connection: close\r\n"))
    assert application.asked == ["/held", "/x"]


def test_a_streamed_response_takes_no_thread_while_unread_and_ends_with_its_client(
    web: Served, application: Application
) -> None:
    with web.connect(request("GET", "/parts", BASIC), SO_RCVBUF=4096) as line:
        assert b"transfer-encoding: chunked" in head_of(line)
        assert b"200 OK" in web.ask(request("GET", "/x", BASIC, b"Connection: close\r\n"))
        assert not application.closed.is_set()
    assert application.closed.wait(30)


def test_the_maker_of_a_long_answer_learns_when_the_client_has_gone(web: Served, application: Application) -> None:
    with web.connect(request("GET", "/long", BASIC)):
        wait_for(lambda: application.asked == ["/long"])
        assert not application.closed.is_set()
    assert application.closed.wait(30)


def test_an_event_is_sent_at_once_and_its_work_ends_with_its_client(web: Served, application: Application) -> None:
    with web.connect(request("GET", "/followed", BASIC)) as line:
        assert b"text/event-stream" in head_of(line)
        assert b"event: one" in line.recv(100)
        assert not application.closed.is_set()
    assert application.closed.wait(30)


def test_an_http_1_0_client_gets_the_response_unchunked(web: Served) -> None:
    answer = web.ask(request("GET", "/parts", BASIC, protocol="1.0"))

    assert b"content-length: 50000000\r\n" in answer
    assert len(body_of(answer)) == 50_000_000


def test_many_streams_need_one_thread_and_end_with_the_process(web: Served, application: Application) -> None:
    lines = [web.connect(request("GET", "/news", BASIC)) for _ in range(5)]
    for line in lines:
        head_of(line)
        assert line.recv(100) == b"5\r\nfirst\r\n"
    application.changed.set()
    for line in lines:
        assert line.recv(9).startswith(b"4\r\nmore\r\n")
    assert len(application.threads) == 1

    web.end()
    assert all(all_of(line).endswith(b"0\r\n\r\n") for line in lines)
    for line in lines:
        line.close()


@pytest.mark.parametrize("more", [b"", request("GET", "/x", BASIC) * 3])
def test_a_client_that_closes_a_stream_leaves_its_other_requests(
    web: Served, application: Application, more: bytes
) -> None:
    with web.connect(request("GET", "/news", BASIC) + more) as line:
        head_of(line)
    application.changed.set()  # an event that cannot be sent shows that the client has gone
    assert application.closed.wait(30)


def test_a_header_with_an_underscore_is_not_taken_for_one_with_a_dash(web: Served) -> None:
    plain = web.ask(request("GET", "/x", BASIC, b"X-A: 1\r\n", b"X-A: 2\r\n", b"Connection: close\r\n"))
    hidden = web.ask(request("GET", "/x", BASIC, b"X_A: 1\r\n", b"Connection: close\r\n"))

    assert body_of(plain) == b"None 127.0.0.1 1,2 "
    assert body_of(hidden) == b"None 127.0.0.1 None "


def test_a_path_is_passed_on_byte_by_byte(web: Served, application: Application) -> None:
    web.ask(request("GET", "/%C3%A4%ff%2f?q=%20", BASIC, b"Connection: close\r\n"))

    assert application.asked == ["/\xc3\xa4\xff/"]


def test_an_error_of_the_application_is_sent_as_500(caplog: pytest.LogCaptureFixture) -> None:
    numbers = count()

    def failing(_environ: dict[str, Any], start: Callable[..., Any]) -> Any:
        if next(numbers) == 0:
            raise ValueError("a fault of ours")
        start("204 No Content", [])
        return ()

    with served(failing, threads=1) as web:
        assert web.ask(request("GET", "/", b"Connection: close\r\n")).startswith(b"HTTP/1.1 500 ")
        assert web.ask(request("GET", "/", b"Connection: close\r\n")).startswith(b"HTTP/1.1 204 ")
    assert "a fault of ours" in caplog.text
