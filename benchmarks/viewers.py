"""Ten hours of viewers, as fast as they are answered: whether a web process grows with what it has answered."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from random import Random

import psutil

from benchmarks.clock import Clock
from benchmarks.databases import PERIOD, Past, filled
from benchmarks.listeners import STREAMS, Stream
from benchmarks.timings import p99, print_table, timed
from benchmarks.web import served
from services.market.stats import HOUR
from services.market.times import period_of

VIEWERS = 200
HOURS = 10
CONNECTIONS = 8
TICKS_AN_HOUR = HOUR // PERIOD
WORDS = tuple("abcdefghijklmnopqrstuvwxyz")


@dataclass
class Viewer:
    """One who looks at one page: at each tick the live poll, and what the page shows."""

    number: int
    metric: int
    random: Random
    tags: dict[str, str] = field(default_factory=dict)

    def paths(self) -> Sequence[str]:
        match self.number % 10:
            case 0:
                page = f"/metrics/{self.metric}/prices"
            case 1:
                page = f"/metrics/{self.metric}/prices?interval=5m&limit={self.random.randrange(1, 300)}"
            case 2:
                page = f"/metrics?q={self.random.choice(WORDS)}&limit={self.random.randrange(1, 300)}"
            case 3:
                page = f"/metrics?format=csv&sort=-change_1h&offset={self.random.randrange(900)}"
            case _:
                page = "/metrics"
        return ("/live", page)

    def look(self, connection: HTTPConnection) -> int:
        """Ask for the page as a browser does; how many requests that took."""
        paths = self.paths()
        for path in paths:
            headers = {"Accept-Encoding": "br, gzip"}
            if path in self.tags:
                headers["If-None-Match"] = self.tags[path]
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status in (200, 304), (path, answer.status)
            if "?" not in path:
                self.tags[path] = answer.headers["ETag"]
        return len(paths)


def measure(metrics: int) -> None:
    """Serve `metrics` metrics through HOURS of ticks to VIEWERS and as many streams as a process bears, and print its
    memory by the hour."""
    ticks = HOURS * TICKS_AN_HOUR
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(seconds=PERIOD * ticks)
    with (
        filled(metrics, last) as past,
        Clock(past) as clock,
        served(past, "benchmarks.replayed:create_app()") as port,
        ExitStack() as stack,
    ):
        streams = [stack.enter_context(Stream(port)) for _ in range(STREAMS)]
        rows = [_hour(past, clock, port, streams, hour) for hour in range(HOURS)]
    print_table(
        f"One gunicorn worker, {metrics:,} metrics, {VIEWERS} viewers and {STREAMS} streams, {HOURS} h of ticks",
        ("hour", "requests", "requests/s", "an event at all streams, p99 ms", "memory MB"),
        rows,
    )


def _hour(past: Past, clock: Clock, port: int, streams: Sequence[Stream], hour: int) -> Sequence[object]:
    viewers = [Viewer(number, past.ids.tolist()[number], Random(number * HOURS + hour)) for number in range(VIEWERS)]
    requests, waits, busy = 0, list[float](), 0.0
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in range(TICKS_AN_HOUR):
            clock.tick()
            told = clock.minute.strftime("%Y-%m-%dT%H:%M:%SZ")
            _, waited = timed(lambda: _hear(streams, told))  # noqa: B023
            waits.append(waited)
            groups = [viewers[place::CONNECTIONS] for place in range(CONNECTIONS)]
            asked, milliseconds = timed(lambda: sum(threads.map(lambda group: _look(port, group), groups)))  # noqa: B023
            requests += asked
            busy += milliseconds / 1e3
    return hour + 1, f"{requests:,}", f"{requests / busy:,.0f}", f"{p99(waits):.0f}", f"{_memory() / 1e6:.1f}"


def _hear(streams: Sequence[Stream], minute: str) -> None:
    for stream in streams:
        stream.hear(minute)


def _look(port: int, viewers: Sequence[Viewer]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    asked = sum(viewer.look(connection) for viewer in viewers)
    connection.close()
    return asked


def _memory() -> int:
    """Bytes that the server's worker, which is the only process below another of ours, has resident."""
    mine = psutil.Process()
    workers = [worker for master in mine.children() for worker in master.children()]
    return sum(worker.memory_info().rss for worker in workers)
