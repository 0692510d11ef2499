"""`python -m benchmarks`: measure all, and print it as Markdown."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from benchmarks import web
from benchmarks.databases import PERIOD, filled
from benchmarks.tick import Ticker, compare, compare_windows
from services.pipeline.tick import period_of

PARTS = ("tick", "window", "web")
WEB_METRICS = 1_000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for; some four minutes for all of it on two cores."""
    given = _parser().parse_args(arguments)
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that servers and databases go with it
    parts = (given.only,) if given.only else PARTS
    last = period_of(datetime.now(UTC), PERIOD) - timedelta(days=1)  # the ticks that follow are past ones too
    for metrics in sorted(given.metrics):
        if "tick" in parts or ("window" in parts and metrics == max(given.metrics)):
            with filled(metrics, last) as past:
                ticker = Ticker(past, past.last)
                measured = compare(past, ticker) if "tick" in parts else None
                if "window" in parts and metrics == max(given.metrics):
                    compare_windows(past, ticker, measured)
    if "web" in parts:
        web.measure(WEB_METRICS)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure what the program costs.")
    parser.add_argument(
        "--metrics",
        type=lambda text: [int(part) for part in text.split(",")],
        default=[100, 1_000, 10_000],
        help="numbers of metrics to tick for, comma-separated (default 100,1000,10000)",
    )
    parser.add_argument("--only", choices=PARTS, help="measure this part alone")
    return parser


if __name__ == "__main__":
    main()
