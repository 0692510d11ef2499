"""How many simultaneous requests for long work affect others: ticks in the same process, and ordinary requests."""

import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

import app
from benchmarks.databases import PERIOD, Dataset, filled, moment
from benchmarks.onlookers import PATHS, READY
from benchmarks.timings import median, p95, print_table, timed
from benchmarks.web import ROOT
from services.bootstrap import Services, open_services
from services.market.times import DAY, HOUR, period_of
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick
from services.settings import read_settings

REPLAYS, RANKINGS, EXPORTS = 24, 32, 32
WARM_UP_TICKS = 3
ROUNDS = 2
SECONDS = 40.0
"""Length of each kind's part of a round. Ticks are stored meanwhile, with a pause between them."""
TICK_PAUSE_SECONDS = 1.5
"""Long enough for the ordinary reads that follow each tick."""
RULE = {
    "name": "all of it",
    "scope": ["demo:*"],
    "condition": {"kind": "average", "factor": 1.05, "window_seconds": 3600},
}


@dataclass
class Outcome:
    """The figures of one kind of request over all rounds, with those that the onlookers measured."""

    ticks: list[float] = field(default_factory=list)
    """Durations in milliseconds."""
    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    """Durations of the requests that were carried out, seconds."""
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Durations of ordinary requests by path, milliseconds."""


def measure(metrics: int) -> None:
    """Serve `metrics` metrics from a process that ticks, request long work, and print how that affects others."""
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)
    with filled(metrics, last) as dataset:
        services = open_services(
            read_settings(env_file=None, database_url=dataset.url, track="demo:*", scheduler="off", demo_pairs=metrics)
        )
        program = ServedProgram(services, dataset)
        server = make_server("127.0.0.1", 0, program.application(), threaded=True)
        serving = Thread(target=server.serve_forever)
        serving.start()
        since, until = (moment(second).isoformat() for second in (dataset.last - DAY + 2 * HOUR, dataset.last))
        replay = ("POST", "/alerts/rules/replay", {"rule": RULE, "since": since, "until": until})
        ranking = ("GET", "/metrics?sort=-price,id&offset={}", None)
        export = ("GET", "/metrics?format=csv&sort=-price,id&offset={}", None)
        kinds = {
            "no long work": (0, replay),
            f"{REPLAYS} replays at once": (REPLAYS, replay),
            f"{RANKINGS} different rankings at once": (RANKINGS, ranking),
            f"{EXPORTS} different CSV exports at once": (EXPORTS, export),
        }
        found = {name: Outcome() for name in kinds}
        try:
            for _ in range(WARM_UP_TICKS):
                program.tick()
            for _ in range(ROUNDS):
                for name, (clients, request) in kinds.items():
                    program.watch(server.server_port, clients, request, found[name])
        finally:
            server.shutdown()
            serving.join()
            program.close()
    paths = (f"{path}, p95 and worst ms" for path in PATHS)
    print_table(
        f"Simultaneous long work on {metrics:,} metrics, with ticks in the same process",
        ("", "carried out", "refused", "took, median s", "tick, median ms", "p95", *paths),
        [_row(name, each) for name, each in found.items()],
    )


class ServedProgram:
    """The program on `dataset`. It ticks on demand, and its clock stands at the last tick."""

    def __init__(self, services: Services, dataset: Dataset) -> None:
        self._services, self._minute = services, dataset.last
        self._fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)

    def application(self) -> Flask:
        """The web application."""
        services = self._services
        server: Flask = app.create_app(
            replace(app.dependencies_of(services), clock=lambda: moment(self._minute))
        ).server
        return server

    def tick(self) -> float:
        """Run one tick as the program's job does. Returns its duration without the fetch, in milliseconds."""
        self._minute += PERIOD
        with self._services.ticking:
            report, whole = timed(lambda: tick(self._services.plan, self._fetcher, moment(self._minute), timedelta(0)))
        assert report is not None
        return whole - report.state.fetch_ms

    def watch(self, port: int, clients: int, request: Sequence[object], into: Outcome) -> None:
        """Tick for SECONDS while `clients` clients repeat `request`."""
        order = {"port": port, "clients": clients, "request": request, "seconds": SECONDS}
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.onlookers"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(json.dumps(order))
            client.stdin.close()
            assert client.stdout.readline().strip() == READY
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                into.ticks.append(self.tick())
                time.sleep(TICK_PAUSE_SECONDS)
            measured = json.load(client.stdout)
        into.statuses.update(measured["statuses"])
        into.took += measured["took"]
        for path, waits in measured["waits"].items():
            into.waits[path] += waits

    def close(self) -> None:
        """Close the program's services and database."""
        self._fetcher.close()
        self._services.close()
        self._services.engine.dispose()


def _row(name: str, found: Outcome) -> Sequence[object]:
    return (
        name,
        found.statuses["200"],
        sum(found.statuses.values()) - found.statuses["200"],
        f"{median(found.took):.1f}" if found.took else "",
        f"{median(found.ticks):.0f}",
        f"{p95(found.ticks):.0f}",
        *(f"{p95(found.waits[path]):.0f}; {max(found.waits[path]):.0f}" for path in PATHS),
    )
