"""The program while PostgreSQL or Redis hangs: frozen by SIGSTOP, they accept requests and never respond."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from benchmarks.attack import SERVERS
from tests.cluster.processes import Program
from tests.postgresql_server import PostgreSQL
from tests.processes import free_port
from tests.redis_server import RedisServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.soak]

PERIOD = 5
LONG_SECONDS, SHORT_SECONDS = 120.0, 2 * PERIOD
UNKNOWN = {"Authorization": "Bearer dt_unknown"}

MAX_SECONDS: dict[str, float] = {"/healthz": 1.0, "/live": 2.0, "/": 2.0, "/metrics": 2.0, "/table": 2.0}
"""Paths that respond while another service hangs, and the longest time in seconds on an idle machine."""


@dataclass
class Visitor:
    """Sends requests to `port`, each on a new connection, and records the longest response time of each path."""

    port: int
    longest: dict[str, float] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Status and body; status 0 without a response within 30 s."""
        began = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()
            self.longest[path] = max(self.longest.get(path, 0.0), time.monotonic() - began)

    def live(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.get("/live")[1])
        return found

    def is_ready(self) -> bool:
        return self.get("/readyz")[0] == 200


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    """A server of these tests' own: other tests would hang with the shared one."""
    with PostgreSQL() as own:
        yield own


@pytest.fixture
def seconds(soak: bool) -> float:
    return LONG_SECONDS if soak else SHORT_SECONDS


@pytest.fixture(params=[False, True], ids=["without Redis", "with Redis"])
def redis(request: pytest.FixtureRequest) -> RedisServer | None:
    server: RedisServer | None = request.getfixturevalue("redis_server") if request.param else None
    return server


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run with --soak also on a server with several workers."""
    servers = ["app.py", "gunicorn, 4 workers"] if metafunc.config.getoption("--soak") else ["app.py"]
    metafunc.parametrize("command", [SERVERS[server] for server in servers], ids=servers)


@pytest.fixture
def program(
    command: tuple[str, ...], postgresql: PostgreSQL, redis: RedisServer | None, tmp_path: Path
) -> Iterator[tuple[Program, Visitor]]:
    """The program as `command` starts it, ready, with servers that can be frozen."""
    visitor = Visitor(free_port())
    settings = {
        "DATABASE_URL": postgresql.create_database(),
        "TRACK": "demo:*",
        "PERIOD_SECONDS": str(PERIOD),
        "PORT": str(visitor.port),
    }
    if redis is not None:
        settings["REDIS_URL"] = redis.url
    program = Program("program", command, tmp_path, settings)
    program.start()
    try:
        wait_for(visitor.is_ready, what="the first tick")
        yield program, visitor
    finally:
        program.kill()
        postgresql.drop_database(settings["DATABASE_URL"])


def test_pages_and_routes_respond_while_postgresql_hangs(
    program: tuple[Program, Visitor], postgresql: PostgreSQL, seconds: float, soak: bool
) -> None:
    process, visitor = program
    for path in MAX_SECONDS:
        assert visitor.get(path)[0] == 200
    before = resources_of(process)

    answers = request_while(postgresql.frozen, visitor, seconds, soak)

    assert visitor.get("/metrics/1/prices?until=2020-01-01T00:00:00Z")[0] in (200, 503)
    assert answers["/readyz"] == {503}
    assert answers["unknown"] == {503}
    assert answers["away"] == {True}
    wait_for_next_tick(visitor, soak)
    assert visitor.live()["database_away_since"] is None
    wait_for_idle(process, before)
    log = process.log.read_text()
    assert 1 <= log.count("PostgreSQL: does not answer") <= len(serving_processes(process))
    assert "Traceback" not in log


@pytest.mark.parametrize("redis", [True], ids=["with Redis"], indirect=True)
def test_pages_and_routes_respond_while_redis_hangs(
    program: tuple[Program, Visitor], redis: RedisServer, seconds: float, soak: bool
) -> None:
    process, visitor = program
    for path in MAX_SECONDS:
        assert visitor.get(path)[0] == 200
    before = resources_of(process)
    ticked = visitor.live()["minute"]

    answers = request_while(redis.frozen, visitor, seconds, soak)

    assert answers["away"] == {False}
    assert answers["unknown"] <= {401, 429}  # so many that the rate limit applies
    assert visitor.live()["minute"] > ticked, "ticks went on"
    wait_for_next_tick(visitor, soak)
    wait_for(lambda: b"data_tracker_shared_cache_up 1.0" in visitor.get("/telemetry")[1], what="the cache's return")
    wait_for_idle(process, before)
    assert "Traceback" not in process.log.read_text()


def request_while(
    frozen: Callable[[], AbstractContextManager[None]], visitor: Visitor, seconds: float, soak: bool
) -> dict[str, set[Any]]:
    """Send requests of several visitors while a server is `frozen`; the statuses of their responses."""
    answers: dict[str, set[Any]] = {"/readyz": set(), "unknown": set(), "away": set()}
    visitor.longest.clear()

    def ask() -> None:
        while time.monotonic() < ends:
            for path in MAX_SECONDS:
                assert visitor.get(path)[0] == 200, path
            answers["unknown"].add(visitor.get("/alerts", **UNKNOWN)[0])
            if time.monotonic() > ends - seconds / 2:  # the outage has been detected by then
                answers["away"].add(visitor.live()["database_away_since"] is not None)
                answers["/readyz"].add(visitor.get("/readyz")[0])
            time.sleep(0.05)

    with frozen(), ThreadPoolExecutor(4) as visitors:
        ends = time.monotonic() + seconds
        for future in [visitors.submit(ask) for _ in range(4)]:
            future.result()
    print({path: round(longest, 2) for path, longest in visitor.longest.items()})
    if soak:
        assert all(visitor.longest[path] <= most for path, most in MAX_SECONDS.items()), visitor.longest
    return answers


def wait_for_next_tick(visitor: Visitor, soak: bool) -> None:
    """Wait until the program is ready again with a new tick: within two periods, on an idle machine."""
    began = time.monotonic()
    thawed = visitor.live()["minute"]
    wait_for(lambda: visitor.is_ready() and visitor.live()["minute"] > thawed, what="a tick after the thaw")
    print(f"ready, with a new tick, after {time.monotonic() - began:.1f} s")
    assert not soak or time.monotonic() - began <= 2 * PERIOD


@dataclass(frozen=True)
class Resources:
    """The numbers of threads and open files of all serving processes."""

    threads: int
    files: int


def serving_processes(program: Program) -> list[psutil.Process]:
    """The program's own process, or the workers of gunicorn."""
    return program.children() or [psutil.Process(program.pid)]


def resources_of(program: Program) -> Resources:
    processes = serving_processes(program)
    return Resources(sum(each.num_threads() for each in processes), sum(each.num_fds() for each in processes))


def wait_for_idle(program: Program, before: Resources) -> None:
    """Wait until threads and descriptors are as few as before, except for some in each process that come and go."""
    processes = len(serving_processes(program))
    wait_for(lambda: resources_of(program).threads <= before.threads + 4 * processes, what="fewer threads")
    wait_for(lambda: resources_of(program).files <= before.files + 8 * processes, what="fewer open files")
