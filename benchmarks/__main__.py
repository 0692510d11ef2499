"""`python -m benchmarks`: run the measurements and print them as Markdown."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from benchmarks import attack, dashboard, history, long_work, newcomer, records, rules, shared, viewers, web
from benchmarks.databases import PERIOD, filled, filled_postgresql
from benchmarks.soak import soak
from benchmarks.tick import Ticker, compare, compare_windows
from services.market.times import period_of

PARTS = (
    "tick",
    "window",
    "rules",
    "postgresql",
    "web",
    "viewers",
    "long",
    "shared",
    "dashboard",
    "newcomer",
    "history",
    "attack",
    "soak",
)
TICK_METRICS = (100, 1_000, 10_000)
POSTGRESQL_METRICS = (1_000, 10_000)
HISTORY_METRICS = (1_000, 10_000, 100_000)
SOAK_METRICS, SOAK_DAYS = 1_000, 10
WEB_METRICS = 1_000
DASHBOARD_METRICS = (1_000, 10_000)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the requested parts. All of them take about twenty minutes on two cores."""
    given = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that context managers end servers and databases
    parts = (given.only,) if given.only else PARTS
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)  # the ticks that follow are not in the future
    counts = given.metrics or TICK_METRICS
    for metrics in sorted(counts):
        if "tick" in parts or ("window" in parts and metrics == max(counts)):
            with filled(metrics, last) as dataset:
                ticker = Ticker(dataset, dataset.last)
                measured = compare(dataset, ticker) if "tick" in parts else None
                if "window" in parts and metrics == max(counts):
                    compare_windows(dataset, ticker, measured)
    if "rules" in parts:
        rules.measure(max(counts), last)
    if "postgresql" in parts:
        for metrics in sorted(given.metrics or POSTGRESQL_METRICS):
            with filled_postgresql(metrics, last) as dataset:
                compare(dataset, Ticker(dataset, dataset.last))
    if "web" in parts:
        web.measure(WEB_METRICS)
    if "viewers" in parts:
        viewers.measure(WEB_METRICS)
    if "long" in parts:
        long_work.measure(max(counts))
    if "shared" in parts:
        shared.measure(WEB_METRICS)
    if "dashboard" in parts:
        for metrics in given.metrics or DASHBOARD_METRICS:
            dashboard.measure(metrics)
        records.measure()
    if "history" in parts:
        history.measure(given.metrics or HISTORY_METRICS)
        history.measure_postgresql()
    if "attack" in parts:
        attack.measure()
    if "soak" in parts:
        soak(SOAK_METRICS, SOAK_DAYS)
    if "newcomer" in parts:
        newcomer.measure()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what the program costs.")
    parser.add_argument(
        "--metrics",
        type=lambda text: [int(part) for part in text.split(",")],
        help="numbers of metrics, comma-separated (default 100,1000,10000; of postgresql and dashboard 1000,10000;"
        " of history 1000,10000,100000)",
    )
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    return parser


if __name__ == "__main__":
    main()
