"""Ten simulated days through the real pipeline, minute by minute, without waiting."""

import tempfile
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.databases import PERIOD, RULE, moment
from benchmarks.timings import median, p95, print_table, timed
from services.exchanges.demo_exchange import DemoExchange
from services.market.stats.metric_stats import Windows
from services.market.times import DAY, HOUR, period_of
from services.market.track import parse_track
from services.pipeline.discover import discover
from services.pipeline.fetch import Fetcher
from services.pipeline.seal import seal
from services.pipeline.tick import Plan, tick
from services.store import sizes
from services.store.database.engine import Engine, open_engine, reading
from services.store.database.schema import migrate
from services.store.history import rollups
from services.store.ranking.metrics import CatalogueCache

RETENTION_DAYS = 2


def soak(metrics: int, days: int) -> None:
    """Run `days` days of ticks of `metrics` metrics with two days' retention, and print each day's figures.

    Raises AssertionError if a price is lost or stored twice.
    """
    exchange = DemoExchange(metrics)
    begin = period_of(datetime.now(UTC), PERIOD) - timedelta(days=days + 1)
    with tempfile.TemporaryDirectory(prefix="data-tracker-soak-") as folder:
        engine = open_engine(f"sqlite:///{Path(folder) / 'tracker.db'}")
        plan = Plan(
            engine, CatalogueCache(), PERIOD, Windows(main=DAY, rule=HOUR), RULE, retention_seconds=RETENTION_DAYS * DAY
        )
        migrate(engine, simulated=True)
        discover(engine, {exchange.name: exchange}, parse_track("demo:*"), begin)
        fetcher = Fetcher([exchange], timeout_seconds=10.0)
        ticks: dict[int, list[float]] = defaultdict(list)
        upkeep: dict[int, list[float]] = defaultdict(list)
        size: dict[int, int] = {}
        removed = in_chunks = 0
        for number in range(days * DAY // PERIOD):
            minute = moment(int(begin.timestamp()) + number * PERIOD)
            day = number * PERIOD // DAY
            report, milliseconds = timed(lambda: tick(plan, fetcher, minute, timedelta(0)))  # noqa: B023
            assert report is not None
            assert report.state.stored == metrics
            ticks[day].append(milliseconds - report.state.fetch_ms)
            done, milliseconds = timed(lambda: seal(plan, minute, None, lambda: True))  # noqa: B023
            if done.steps:
                upkeep[day].append(milliseconds)
                in_chunks, before = _in_chunks(engine), in_chunks
                removed += before + done.sealed - in_chunks
            if (number + 1) * PERIOD % DAY == 0:
                with reading(engine) as connection:
                    size[day] = sizes.current(connection)
        fetcher.close()
        stored = _stored(engine)
        expected = days * DAY // PERIOD * metrics
        hours = _hours(engine)
        engine.dispose()
    assert stored + removed == expected, (stored, removed, expected)
    print_table(
        f"{days} simulated days of {metrics:,} metrics, {RETENTION_DAYS} days kept at full resolution",
        ("day", "tick ms, median", "p95", "upkeep ms, sum", "longest", "database MB"),
        [
            (
                day + 1,
                f"{median(ticks[day]):.2f}",
                f"{p95(ticks[day]):.2f}",
                f"{sum(upkeep[day]):.0f}",
                f"{max(upkeep[day], default=0):.0f}",
                f"{size[day] / 1e6:.1f}",
            )
            for day in sorted(ticks)
        ],
    )
    first = RETENTION_DAYS + 1  # the first day on which retention removes as much as arrives
    print_table(
        "The last day compared with the first full one",
        ("tick, median", "tick, p95", "size", "prices stored", "still there", "removed", "hours on record"),
        [
            (
                f"{median(ticks[days - 1]) / median(ticks[first]):.2f} x",
                f"{p95(ticks[days - 1]) / p95(ticks[first]):.2f} x",
                f"{size[days - 1] / size[first]:.2f} x",
                f"{expected:,}",
                f"{stored:,}",
                f"{removed:,}",
                f"{hours:,}",
            )
        ],
    )


def _in_chunks(engine: Engine) -> int:
    """Number of prices in chunks."""
    with reading(engine) as connection:
        return int(connection.exec_driver_sql("SELECT coalesce(sum(samples), 0) FROM price_chunk").scalar_one())


def _stored(engine: Engine) -> int:
    with reading(engine) as connection:
        rows = int(connection.exec_driver_sql("SELECT count(*) FROM price").scalar_one())
    return rows + _in_chunks(engine)


def _hours(engine: Engine) -> int:
    """Number of stored metric hours. Asserts that all but each metric's first and last are full."""
    total = 0
    with reading(engine) as connection:
        ids = connection.exec_driver_sql("SELECT DISTINCT metric_id FROM rollup ORDER BY 1").scalars().all()
        for metric_id in ids:
            hours = rollups.series(connection, metric_id, 0, 2**40 // HOUR * HOUR)
            assert np.all(hours.count[1:-1] == HOUR // PERIOD)
            total += len(hours.starts)
    return total
