"""The cost of history: the same prices as rows only, as hot rows with sealed chunks, and in DuckDB."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.databases import PERIOD, Dataset, Span, fill, filled, moment, postgresql_server
from benchmarks.rivals import DuckDb
from benchmarks.tick import Ticker
from benchmarks.timings import median, p95, print_table, timed
from services.exchanges.demo_exchange import DemoExchange
from services.market.times import DAY, HOUR, period_of
from services.pipeline.fetch import Fetcher
from services.pipeline.seal import MARGIN_SECONDS, seal
from services.store.database.engine import Engine, open_engine, reading
from services.store.database.schema import migrate
from services.store.history import samples, sealing
from services.store.history.prices import PRICE
from services.store.ranking import snapshots

ROOT = Path(__file__).parents[1]
WEEK = 7 * DAY
SPAN = sealing.span_seconds(PERIOD)
HOT = DAY + 900 + MARGIN_SECONDS
TICKS = 20
READINGS = 30
"""Metrics whose history is read, one after the other."""

START_SECONDS = 120.0


def measure(counts: Sequence[int]) -> None:
    """Fill, seal, tick, read and restart with each of these numbers of metrics, and print the figures."""
    rows: list[tuple[object, ...]] = []
    for metrics in sorted(counts):
        rows += _at(metrics)
    print_table(
        "History stored as rows only, hot and sealed, and in DuckDB (SQLite's tick without the fetch)",
        (
            "metrics, store",
            "prices",
            "bytes a price",
            "tick ms",
            "p95",
            "p95 while sealing",
            "a day ms",
            "a week ms",
            "sealed a second",
            "longest step ms",
            "restart s",
            "memory MB",
        ),
        rows,
    )


def stretches_of(metrics: int, last: int) -> tuple[Span, ...]:
    """As much history as fits on a laptop's disk.

    A tick reads the minutes at both ends of its windows, and the last day of a few metrics. Beyond 10,000 metrics the
    dataset holds both ends, but not the whole day.
    """
    if metrics <= 1_000:
        return (Span(last - HOT - WEEK - SPAN, last),)
    if metrics <= 10_000:
        return (Span(last - HOT - DAY - SPAN, last),)
    sealed = (last - HOT) // SPAN * SPAN
    return (
        Span(sealed - HOUR // 2, sealed),
        Span(last - DAY - 1_200, last - DAY + HOUR),
        Span(last - HOUR - 600, last),
    )


def _at(metrics: int) -> Iterator[tuple[object, ...]]:
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)
    spans = stretches_of(metrics, int(last.timestamp()))
    with filled(metrics, last, spans) as dataset:
        copy = Path(dataset.engine.url.database or "").with_name("sealed.db")
        shutil.copyfile(dataset.engine.url.database or "", copy)
        reach = dataset.last - dataset.times[0]
        yield _row(dataset, "rows only", _bytes_a_price(dataset.engine, "price"), reach)
        with closing(DuckDb(copy.with_suffix(".duckdb"), dataset)) as duck:
            yield _duck_row(dataset, duck, copy.with_suffix(".duckdb"), reach)
        engine = open_engine(f"sqlite:///{copy}")
        try:
            yield _sealed_row(replace(dataset, url=f"sqlite:///{copy}", engine=engine), reach)
        finally:
            engine.dispose()


def _row(
    dataset: Dataset, store: str, size: float, reach: int, sealing_figures: Sequence[object] = ("", "", "")
) -> tuple[object, ...]:
    busy, speed, longest = sealing_figures
    fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
    ticker = Ticker(dataset, dataset.last)
    ticker.run(dataset.plan(), fetcher, 2)
    usual = ticker.run(dataset.plan(), fetcher, TICKS)["total"]
    fetcher.close()
    day, week = (_read_ms(dataset, length) if reach >= length + HOT else None for length in (DAY, WEEK))
    restart, memory = _restart(dataset)
    return (
        f"{len(dataset.ids):,}, {store}",
        f"{dataset.prices.size:,}",
        f"{size:.2f}",
        f"{median(usual):.1f}",
        f"{p95(usual):.1f}",
        busy,
        _shown(day),
        _shown(week),
        speed,
        longest,
        f"{restart:.1f}",
        f"{memory:.0f}",
    )


def _sealed_row(dataset: Dataset, reach: int) -> tuple[object, ...]:
    """Seal everything that is due, with a tick after each step as in the program."""
    fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
    ticker = Ticker(dataset, dataset.last)
    plan = dataset.plan()
    ticker.run(plan, fetcher, 2)
    usual = ticker.run(plan, fetcher, TICKS)["total"]
    busy: list[float] = []
    steps: list[float] = []
    sealed = 0
    while True:
        once = iter((True, False))
        done, milliseconds = timed(lambda: seal(plan, moment(ticker.minute), None, lambda: next(once)))  # noqa: B023
        if not done.steps:
            break
        steps.append(milliseconds)
        sealed += done.sealed
        if len(busy) < 2 * TICKS:
            busy += ticker.run(plan, fetcher, 1)["total"]
    fetcher.close()
    figures = (
        f"{p95(busy):.1f} ({p95(busy) / p95(usual):.2f} x)",
        f"{sealed / sum(steps) * 1e3:,.0f}",
        f"{max(steps):.0f}",
    )
    later = replace(dataset, last=ticker.minute)
    return _row(later, "hot and sealed", _bytes_a_price(dataset.engine, "price_chunk"), reach, figures)


def _duck_row(dataset: Dataset, duck: DuckDb, file: Path, reach: int) -> tuple[object, ...]:
    durations = []
    for number in range(1, 6):
        minute = dataset.last + number * PERIOD
        values = dataset.quotes(minute)
        durations.append(timed(lambda: duck.tick(minute, values))[1])  # noqa: B023 - called at once
    day, week = (_duck_read_ms(dataset, duck, length) if reach >= length + HOT else None for length in (DAY, WEEK))
    size = file.stat().st_size / dataset.prices.size
    return (
        f"{len(dataset.ids):,}, DuckDB",
        f"{dataset.prices.size:,}",
        f"{size:.2f}",
        f"{median(durations):.1f}",
        f"{p95(durations):.1f}",
        "",
        _shown(day),
        _shown(week),
        "",
        "",
        "",
        "",
    )


def _duck_read_ms(dataset: Dataset, duck: DuckDb, length: int) -> float:
    until = dataset.last - HOT
    return median([timed(lambda: duck.read(number, until - length, until))[1] for number in _some(dataset)])  # noqa: B023


def _some(dataset: Dataset) -> list[int]:
    """Ids of READINGS metrics, evenly spread."""
    return [int(number) for number in np.linspace(dataset.ids[0], dataset.ids[-1], READINGS)]


def _read_ms(dataset: Dataset, length: int) -> float:
    """The median time to read `length` seconds of one metric's sealed history."""
    until = dataset.last - HOT
    durations = []
    for number in _some(dataset):
        with reading(dataset.engine) as connection:
            found, milliseconds = timed(lambda: samples.series(connection, PRICE, number, until - length, until))  # noqa: B023
        assert len(found.times) == length // PERIOD
        durations.append(milliseconds)
    return median(durations)


def _bytes_a_price(engine: Engine, table: str) -> float:
    """Size of the table's pages and its indexes, divided by its number of prices."""
    with reading(engine) as connection:
        names = (
            connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE tbl_name = ?", (table,)).scalars().all()
        )
        placeholders = ", ".join("?" * len(names))
        size = connection.exec_driver_sql(
            f"SELECT sum(pgsize) FROM dbstat WHERE aggregate = TRUE AND name IN ({placeholders})", tuple(names)
        ).scalar_one()
        count = "sum(samples)" if table == "price_chunk" else "count(*)"
        return float(size) / float(connection.exec_driver_sql(f"SELECT {count} FROM {table}").scalar_one())


def _restart(dataset: Dataset) -> tuple[float, float]:
    """Seconds from the start of a new process to its first tick, and its peak memory in megabytes."""
    with reading(dataset.engine) as connection:
        newest = snapshots.load(connection).minute
    assert newest is not None
    environment = os.environ | {
        "DATABASE_URL": dataset.url,
        "TRACK": "demo:*",
        "DEMO_PAIRS": str(len(dataset.ids)),
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "benchmarks.restart", str(newest + PERIOD), str(time.time())]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=START_SECONDS)
    if done.returncode:
        raise RuntimeError(f"the restart failed: {done.stderr}")
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def _shown(milliseconds: float | None) -> str:
    return "" if milliseconds is None else f"{milliseconds:.2f}"


def measure_postgresql(metrics: int = 1_000) -> None:
    """Print the size of a sealed price on PostgreSQL."""
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)
    exchange = DemoExchange(metrics)
    with postgresql_server() as url:
        engine = open_engine(url)
        try:
            migrate(engine, simulated=True)
            end = (int(last.timestamp()) - HOT) // SPAN * SPAN
            dataset = fill(url, engine, exchange, end, (Span(end - SPAN, end),))
            as_rows = _postgresql_size(engine, "price", "count(*)")
            done, milliseconds = timed(lambda: seal(dataset.plan(), last, None, lambda: True))
            sealed = _postgresql_size(engine, "price_chunk", "sum(samples)")
        finally:
            engine.dispose()
    print_table(
        f"PostgreSQL, {metrics:,} metrics x 6 h",
        ("bytes a price, rows", "bytes a price, sealed", "sealed a second"),
        [(f"{as_rows:.1f}", f"{sealed:.2f}", f"{done.sealed / milliseconds * 1e3:,.0f}")],
    )


def _postgresql_size(engine: Engine, table: str, count: str) -> float:
    with reading(engine) as connection:
        size = connection.exec_driver_sql(f"SELECT pg_total_relation_size('{table}')").scalar_one()
        return float(size) / float(connection.exec_driver_sql(f"SELECT {count} FROM {table}").scalar_one())
