"""The cost of a hundred rules in a tick."""

from datetime import datetime
from itertools import product
from typing import Any

from benchmarks.databases import Span, filled
from benchmarks.tick import Durations, Ticker
from benchmarks.timings import median, p95, print_table
from services.actions.alerts import StoreAlertService
from services.market.alerting.alerts import AlertQuery
from services.market.alerting.rule_json import parse_rule
from services.market.alerting.rules import BUILT_IN, WINDOWS
from services.market.times import HOUR
from services.pipeline.fetch import Fetcher
from services.store.alerting import alerts
from services.store.database.engine import reading

RULES = 100
WARM_UP, TICKS = 70, 30
"""More than an hour, so that one-hour windows are full, and the ticks measured after it."""


def measure(metrics: int, last: datetime) -> None:
    """Print a tick's duration without rules, with `RULES` rules of all kinds on all `metrics`, and the difference."""
    second = int(last.timestamp())
    with filled(metrics, last, [Span(second - HOUR, second)]) as dataset:
        ticker, plan = Ticker(dataset, dataset.last), dataset.plan()
        fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)
        ticker.run(plan, fetcher, 2)
        before = ticker.run(plan, fetcher, TICKS)
        alert_service = StoreAlertService(dataset.engine, ())
        for number, given in enumerate(_rules(), 1):
            alert_service.add_rule(parse_rule(given | {"name": f"rule {number}", "scope": ["demo:*"]}))
        ticker.run(plan, fetcher, WARM_UP)
        after = ticker.run(plan, fetcher, TICKS)
        fetcher.close()
        with reading(dataset.engine) as connection:
            every, built_in = (alerts.count(connection, AlertQuery(rule_id=rule_id)) for rule_id in (None, BUILT_IN))
        fired = every.total - built_in.total
    rows = [_row("without rules", before), _row(f"with {RULES}", after)]
    rows.append(["they add", *(f"{median(after[part]) - median(before[part]):.2f}" for part in ("total", "alert")), ""])
    print_table(
        f"{RULES} rules x {metrics:,} metrics, SQLite, {fired:,} alerts fired in {WARM_UP + TICKS} ticks",
        ("milliseconds, median", "tick", "alert", "tick, p95"),
        rows,
    )


def _row(name: str, durations: Durations) -> list[str]:
    return [
        name,
        f"{median(durations['total']):.2f}",
        f"{median(durations['alert']):.2f}",
        f"{p95(durations['total']):.2f}",
    ]


def _rules() -> list[dict[str, Any]]:
    """Every quantity, kind and window, with thresholds that some of the simulated pairs meet."""
    given: list[dict[str, Any]] = []
    for window, quantity, way in product(WINDOWS, ("price", "volume", "stdev", "volatility"), ("up", "down")):
        change = {"kind": "change", "direction": way, "percent": 60.0, "window_seconds": window}
        given.append({"quantity": quantity, "condition": change, "hysteresis_percent": 10})
    for window, quantity in product(WINDOWS, ("price", "volume", "stdev", "volatility")):
        average = {"kind": "average", "factor": 3.0, "window_seconds": window}
        given.append({"quantity": quantity, "condition": average, "pending_seconds": 120})
    for places in (1, 10, 50, 100):
        given.append({"quantity": "rank", "condition": {"kind": "top", "places": places}})
    for periods in (3, 5, 10):
        given.append({"condition": {"kind": "no_data", "periods": periods}})
    level = 1.0
    while len(given) < RULES:
        given.append({"condition": {"kind": "level", "direction": "either", "level": level}})
        level *= 5
    return given
