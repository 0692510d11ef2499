"""What many who ask for long work at once leave to others: a tick in the same process, and whoever only looks."""

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
from benchmarks.databases import PERIOD, Past, filled, moment
from benchmarks.onlookers import PATHS
from benchmarks.timings import median, p95, print_table, timed
from benchmarks.web import ROOT
from services.bootstrap import Services, open_services
from services.market.stats import DAY, HOUR
from services.market.times import period_of
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick
from services.settings import read_settings

REPLAYS, RANKINGS = 24, 32
WARM_UP_TICKS = 3
ROUNDS = 2
SECONDS = 40.0
"""How long they ask in each round, after which the others do; ticks are stored meanwhile, with a pause between."""
TICK_PAUSE_SECONDS = 3.0
"""Long enough for what each tick has others read anew, which is ordinary work."""
RULE = {
    "name": "all of it",
    "scope": ["demo:*"],
    "condition": {"kind": "average", "factor": 1.05, "window_seconds": 3600},
}


@dataclass
class Meanwhile:
    """What came of some rounds of asking: how long ticks took, in milliseconds, and what the onlookers told."""

    ticks: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    took: list[float] = field(default_factory=list)
    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


def measure(metrics: int) -> None:
    """Serve `metrics` metrics from a process that ticks, ask it for long work, and print what that does to others."""
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)
    with filled(metrics, last) as past:
        services = open_services(
            read_settings(env_file=None, database_url=past.url, track="demo:*", scheduler="off", demo_pairs=metrics)
        )
        world = World(services, past)
        server = make_server("127.0.0.1", 0, world.application(), threaded=True)
        serving = Thread(target=server.serve_forever)
        serving.start()
        since, until = (moment(second).isoformat() for second in (past.last - DAY + 2 * HOUR, past.last))
        replay = ("POST", "/alerts/rules/replay", {"rule": RULE, "since": since, "until": until})
        ranking = ("GET", "/metrics?sort=-price,id&offset={}", None)
        kinds = {
            "nobody asks for long work": (0, replay),
            f"{REPLAYS} replays at once": (REPLAYS, replay),
            f"{RANKINGS} rankings at once, none alike": (RANKINGS, ranking),
        }
        found = {name: Meanwhile() for name in kinds}
        try:
            for _ in range(WARM_UP_TICKS):
                world.tick()
            for _ in range(ROUNDS):
                for name, (asking, asked) in kinds.items():
                    world.watch(server.server_port, asking, asked, found[name])
        finally:
            server.shutdown()
            serving.join()
            world.close()
    paths = (f"{path}, p95 and worst ms" for path in PATHS)
    print_table(
        f"Long work of {metrics:,} metrics, asked for together, beside ticks in the same process",
        ("", "carried out", "refused", "took, median s", "tick, median ms", "p95", *paths),
        [_row(name, each) for name, each in found.items()],
    )


class World:
    """The program over `past`, which ticks when it is told to, and by a clock that follows its data."""

    def __init__(self, services: Services, past: Past) -> None:
        self._services, self._minute = services, past.last
        self._fetcher = Fetcher([past.exchange], patience_seconds=10.0)

    def application(self) -> Flask:
        """The web side."""
        services = self._services
        server: Flask = app.create_app(
            replace(app.dependencies_of(services), clock=lambda: moment(self._minute))
        ).server
        return server

    def tick(self) -> float:
        """One tick as the program's job does it; how long it took but for the fetch, in milliseconds."""
        self._minute += PERIOD
        with self._services.ticking:
            report, whole = timed(lambda: tick(self._services.plan, self._fetcher, moment(self._minute), timedelta(0)))
        assert report is not None
        return whole - report.state.fetch_ms

    def watch(self, port: int, asking: int, asked: Sequence[object], into: Meanwhile) -> None:
        """Tick for SECONDS while so many ask for that."""
        order = {"port": port, "asking": asking, "asked": asked, "seconds": SECONDS}
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
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                into.ticks.append(self.tick())
                time.sleep(TICK_PAUSE_SECONDS)
            told = json.load(client.stdout)
        into.statuses.update(told["statuses"])
        into.took += told["took"]
        for path, waits in told["waits"].items():
            into.waits[path] += waits

    def close(self) -> None:
        """End it."""
        self._fetcher.close()
        self._services.close()
        self._services.engine.dispose()


def _row(name: str, found: Meanwhile) -> Sequence[object]:
    return (
        name,
        found.statuses["200"],
        sum(found.statuses.values()) - found.statuses["200"],
        f"{median(found.took):.1f}" if found.took else "",
        f"{median(found.ticks):.0f}",
        f"{p95(found.ticks):.0f}",
        *(f"{p95(found.waits[path]):.0f}; {max(found.waits[path]):.0f}" for path in PATHS),
    )
