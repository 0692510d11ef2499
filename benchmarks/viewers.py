"""Ten hours of viewers' requests at full speed, to see whether a web process's memory grows."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from random import Random

import psutil

from benchmarks.clock import Clock
from benchmarks.databases import PERIOD, Dataset, filled
from benchmarks.listeners import STREAMS, Stream
from benchmarks.timings import p99, print_table, timed
from benchmarks.web import served
from services.market.times import HOUR, period_of

VIEWERS = 200
HOURS = 10
CONNECTIONS = 8
TICKS_AN_HOUR = HOUR // PERIOD
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")


@dataclass
class Viewer:
    """A viewer of one page. At each tick it sends the live poll and the request for the page's data."""

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
                page = f"/metrics?q={self.random.choice(LETTERS)}&limit={self.random.randrange(1, 300)}"
            case 3:
                page = f"/metrics?format=csv&sort=-change_1h&offset={self.random.randrange(900)}"
            case _:
                page = "/metrics"
        return ("/live", page)

    def refresh(self, connection: HTTPConnection) -> int:
        """Send the requests of a page's update. Returns their number."""
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
    """Serve `metrics` metrics through HOURS of ticks to VIEWERS and STREAMS streams, and print the memory by hour."""
    ticks = HOURS * TICKS_AN_HOUR
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(seconds=PERIOD * ticks)
    with (
        filled(metrics, last) as dataset,
        Clock(dataset) as clock,
        served(dataset, "benchmarks.replayed:create_app()") as port,
        ExitStack() as stack,
    ):
        streams = [stack.enter_context(Stream(port)) for _ in range(STREAMS)]
        rows = [_hour(dataset, clock, port, streams, hour) for hour in range(HOURS)]
    print_table(
        f"One gunicorn worker, {metrics:,} metrics, {VIEWERS} viewers and {STREAMS} streams, {HOURS} h of ticks",
        ("hour", "requests", "requests/s", "an event at all streams, p99 ms", "memory MB"),
        rows,
    )


def _hour(dataset: Dataset, clock: Clock, port: int, streams: Sequence[Stream], hour: int) -> Sequence[object]:
    viewers = [Viewer(number, dataset.ids.tolist()[number], Random(number * HOURS + hour)) for number in range(VIEWERS)]
    requests, waits, busy = 0, list[float](), 0.0
    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for _ in range(TICKS_AN_HOUR):
            clock.tick()
            minute = clock.minute.strftime("%Y-%m-%dT%H:%M:%SZ")
            _, waited = timed(lambda: _wait_for(streams, minute))  # noqa: B023
            waits.append(waited)
            groups = [viewers[place::CONNECTIONS] for place in range(CONNECTIONS)]
            sent, milliseconds = timed(lambda: sum(threads.map(lambda group: _refresh(port, group), groups)))  # noqa: B023
            requests += sent
            busy += milliseconds / 1e3
    return hour + 1, f"{requests:,}", f"{requests / busy:,.0f}", f"{p99(waits):.0f}", f"{_memory() / 1e6:.1f}"


def _wait_for(streams: Sequence[Stream], minute: str) -> None:
    for stream in streams:
        stream.wait_for(minute)


def _refresh(port: int, viewers: Sequence[Viewer]) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    sent = sum(viewer.refresh(connection) for viewer in viewers)
    connection.close()
    return sent


def _memory() -> int:
    """Resident bytes of the server's worker, the only grandchild of this process."""
    workers = [worker for master in psutil.Process().children() for worker in master.children()]
    return sum(worker.memory_info().rss for worker in workers)
