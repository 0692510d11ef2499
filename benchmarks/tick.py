"""One tick, stage by stage, compared with databases that compute everything anew, and by the window's length."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

import services.pipeline.tick as ticking
from benchmarks.databases import PERIOD, Dataset, moment
from benchmarks.rivals import rivals
from benchmarks.timings import median, p95, print_table, timed
from services.market.times import HOUR
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import Plan, tick

TICKS = 30
RIVAL_SECONDS = 12.0
"""Time limit for a rival's ticks, of which there are three to TICKS."""

STAGE_OF = {"select_tracked": "store", "store": "store", "rank": "rank", "alert": "alert"}
"""The functions that a tick calls, and the stage that their time counts for."""

PARTS = ("fetch", "store", "rank", "alert", "commit")

Durations = Mapping[str, Sequence[float]]
"""Milliseconds by part, one value per tick. `commit` is the rest: reading and writing the
statistics, and the flush to disk. `total` is everything but `fetch`."""


@dataclass
class Ticker:
    """Runs tick after tick on the database of `dataset`, without waiting for real time."""

    dataset: Dataset
    minute: int

    def run(self, plan: Plan, fetcher: Fetcher, count: int) -> Durations:
        """Run `count` ticks by `plan`, with each stage timed inside the program's own `tick`."""
        durations: dict[str, list[float]] = {part: [] for part in (*PARTS, "total")}
        for _ in range(count):
            self.minute += PERIOD
            with _stages() as spent:
                report, whole = timed(lambda: tick(plan, fetcher, moment(self.minute), timedelta(0)))
            assert report is not None
            assert report.state.stored == len(self.dataset.ids)
            spent["fetch"] = report.state.fetch_ms
            spent["commit"] = whole - sum(spent.values())
            spent["total"] = whole - spent["fetch"]
            for part, milliseconds in spent.items():
                durations[part].append(milliseconds)
        return durations


def compare(dataset: Dataset, ticker: Ticker) -> Durations:
    """Measure the program and its rivals on `dataset`, and print the table. Returns the program's figures."""
    metrics = len(dataset.ids)
    fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
    plan = dataset.plan()
    begun = time.process_time()
    first = ticker.run(plan, fetcher, 1)["total"][0]
    first_processor = (time.process_time() - begun) * 1e3
    ours = ticker.run(plan, fetcher, TICKS)
    fetcher.close()
    rows = [[part, f"{median(ours[part]):.2f}", f"{p95(ours[part]):.2f}", ""] for part in PARTS]
    rows.append(["**tick** (all but fetch)", f"{median(ours['total']):.2f}", f"{p95(ours['total']):.2f}", "1"])
    rows.append(["the first, from the prices alone", f"{first:.0f}", "", ""])
    rows.append(["its processor time in this process", f"{first_processor:.0f}", "", ""])
    with rivals(dataset) as others:
        for rival in others:
            durations = _run_rival(rival.tick, dataset, ticker.minute)
            ratio = median(durations) / median(ours["total"])
            rows.append([rival.name, f"{median(durations):.2f}", f"{p95(durations):.2f}", f"{ratio:.1f}"])
    database = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[dataset.engine.dialect.name]
    print_table(
        f"One tick, {metrics:,} metrics x 24 h = {dataset.prices.size:,} prices, {database}",
        ("milliseconds", "median", "p95", "x our tick"),
        rows,
    )
    return ours


def compare_windows(dataset: Dataset, ticker: Ticker, day: Durations | None) -> None:
    """Print a tick's cost for each window. `day`: the figures of 24 h, if they are measured already."""
    fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
    if day is None:
        ticker.run(dataset.plan(), fetcher, 1)
        day = ticker.run(dataset.plan(), fetcher, TICKS)
    plan = dataset.plan(window_seconds=HOUR)
    ticker.run(plan, fetcher, 1)
    hour = ticker.run(plan, fetcher, TICKS)
    fetcher.close()
    rows = [
        [name, f"{median(found['total']):.2f}", f"{p95(found['total']):.2f}"]
        for name, found in (("1 h", hour), ("24 h", day))
    ]
    rows.append(["24 h / 1 h", f"{median(day['total']) / median(hour['total']):.2f}", ""])
    print_table(f"One tick by its window, {len(dataset.ids):,} metrics", ("milliseconds", "median", "p95"), rows)


def _run_rival(rival_tick: Callable[[int, Any], int], dataset: Dataset, minute: int) -> list[float]:
    """Milliseconds of each of a rival's ticks, the first being the one after `minute`."""
    durations: list[float] = []
    until = time.perf_counter() + RIVAL_SECONDS
    while len(durations) < 3 or (time.perf_counter() < until and len(durations) < TICKS):
        minute += PERIOD
        prices = dataset.quotes(minute)
        ranked, milliseconds = timed(lambda: rival_tick(minute, prices))  # noqa: B023 - called at once
        assert ranked == len(dataset.ids)
        durations.append(milliseconds)
    return durations


@contextmanager
def _stages() -> Iterator[dict[str, float]]:
    """Within this context, the tick's stages add their milliseconds to the dictionary."""
    spent = dict.fromkeys(STAGE_OF.values(), 0.0)
    originals = {name: getattr(ticking, name) for name in STAGE_OF}
    for name, stage in STAGE_OF.items():
        setattr(ticking, name, _adding(originals[name], spent, stage))
    try:
        yield spent
    finally:
        for name, original in originals.items():
            setattr(ticking, name, original)


def _adding(function: Callable[..., Any], spent: dict[str, float], stage: str) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any) -> Any:
        answer, milliseconds = timed(lambda: function(*arguments))
        spent[stage] += milliseconds
        return answer

    return run
