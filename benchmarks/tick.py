"""One tick, part by part, beside a database that computes everything anew; and how it grows with the window."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import wraps
from typing import Any

import services.pipeline.tick as ticking
from benchmarks.databases import PERIOD, Past, moment
from benchmarks.rivals import rivals
from benchmarks.timings import median, p95, print_table, timed
from services.market.stats import HOUR
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import Plan, tick

TICKS = 30
RIVAL_SECONDS = 12.0
"""How long each rival may take for its ticks, three at the least and TICKS at the most."""

STAGE_OF = {"select_tracked": "store", "store": "store", "rank": "rank", "alert": "alert"}
"""The functions that a tick is made of, and the stage that their time belongs to."""

PARTS = ("fetch", "store", "rank", "alert", "commit")

Durations = Mapping[str, Sequence[float]]
"""Milliseconds by part, one for each tick. `commit` is what remains: reading and writing the
statistics, and the flush to disk; `total` is all but `fetch`."""


@dataclass
class Ticker:
    """Carries out one tick after the other on the database of `past`, without waiting for the minutes to come."""

    past: Past
    minute: int

    def run(self, plan: Plan, fetcher: Fetcher, count: int) -> Durations:
        """`count` ticks by `plan`, each part timed within the program's own `tick`."""
        durations: dict[str, list[float]] = {part: [] for part in (*PARTS, "total")}
        for _ in range(count):
            self.minute += PERIOD
            with _stages() as spent:
                report, whole = timed(lambda: tick(plan, fetcher, moment(self.minute), timedelta(0)))
            assert report is not None
            assert report.state.stored == len(self.past.ids)
            spent["fetch"] = report.state.fetch_ms
            spent["commit"] = whole - sum(spent.values())
            spent["total"] = whole - spent["fetch"]
            for part, milliseconds in spent.items():
                durations[part].append(milliseconds)
        return durations


def compare(past: Past, ticker: Ticker) -> Durations:
    """Measure the program and its rivals over the rows of `past` and print the table; answers the program's."""
    metrics = len(past.ids)
    fetcher = Fetcher([past.exchange], patience_seconds=10.0)
    plan = past.plan()
    begun = time.process_time()
    first = ticker.run(plan, fetcher, 1)["total"][0]
    first_processor = (time.process_time() - begun) * 1e3
    ours = ticker.run(plan, fetcher, TICKS)
    fetcher.close()
    rows = [[part, f"{median(ours[part]):.2f}", f"{p95(ours[part]):.2f}", ""] for part in PARTS]
    rows.append(["**tick** (all but fetch)", f"{median(ours['total']):.2f}", f"{p95(ours['total']):.2f}", "1"])
    rows.append(["the first, from the prices alone", f"{first:.0f}", "", ""])
    rows.append(["its processor time in this process", f"{first_processor:.0f}", "", ""])
    with rivals(past) as others:
        for rival in others:
            durations = _run_rival(rival.tick, past, ticker.minute)
            ratio = median(durations) / median(ours["total"])
            rows.append([rival.name, f"{median(durations):.2f}", f"{p95(durations):.2f}", f"{ratio:.1f}"])
    database = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[past.engine.dialect.name]
    print_table(
        f"One tick, {metrics:,} metrics x 24 h = {past.prices.size:,} prices, {database}",
        ("milliseconds", "median", "p95", "x our tick"),
        rows,
    )
    return ours


def compare_windows(past: Past, ticker: Ticker, day: Durations | None) -> None:
    """Print what a tick costs by the window; `day` is what is measured already of 24 h."""
    fetcher = Fetcher([past.exchange], patience_seconds=10.0)
    if day is None:
        ticker.run(past.plan(), fetcher, 1)
        day = ticker.run(past.plan(), fetcher, TICKS)
    plan = past.plan(window_seconds=HOUR)
    ticker.run(plan, fetcher, 1)
    hour = ticker.run(plan, fetcher, TICKS)
    fetcher.close()
    rows = [
        [name, f"{median(found['total']):.2f}", f"{p95(found['total']):.2f}"]
        for name, found in (("1 h", hour), ("24 h", day))
    ]
    rows.append(["24 h / 1 h", f"{median(day['total']) / median(hour['total']):.2f}", ""])
    print_table(f"One tick by its window, {len(past.ids):,} metrics", ("milliseconds", "median", "p95"), rows)


def _run_rival(rival_tick: Callable[[int, Any], int], past: Past, minute: int) -> list[float]:
    """Milliseconds of each of a rival's ticks, which go on from `minute`."""
    durations: list[float] = []
    until = time.perf_counter() + RIVAL_SECONDS
    while len(durations) < 3 or (time.perf_counter() < until and len(durations) < TICKS):
        minute += PERIOD
        prices = past.quotes(minute)
        ranked, milliseconds = timed(lambda: rival_tick(minute, prices))  # noqa: B023 - called at once
        assert ranked == len(past.ids)
        durations.append(milliseconds)
    return durations


@contextmanager
def _stages() -> Iterator[dict[str, float]]:
    """While this lasts, the tick's stages add the milliseconds they take to what this gives."""
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
