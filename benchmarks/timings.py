"""Durations in milliseconds, and the tables that show them."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """The result of `function`, and the milliseconds it took."""
    started = time.perf_counter()
    answer = function()
    return answer, (time.perf_counter() - started) * 1e3


def median(durations: Sequence[float]) -> float:
    return float(np.median(durations))


def p95(durations: Sequence[float]) -> float:
    """The 95th percentile, interpolated."""
    return float(np.percentile(durations, 95))


def p99(durations: Sequence[float]) -> float:
    """The 99th percentile, interpolated."""
    return float(np.percentile(durations, 99))


def print_table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table with its first column left-aligned."""
    cells = [list(map(str, row)) for row in (headers, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    print(f"\n### {title}\n")
    for row in cells:
        padded = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        print(f"| {' | '.join(padded)} |", flush=True)
