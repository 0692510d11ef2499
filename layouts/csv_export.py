"""A metric's history as comma-separated values, for spreadsheets."""

import re
from collections.abc import Sequence

import numpy as np

from layouts.spans import Span
from services.market.ranking import RankedMetric
from services.market.types import Floats, Hours, Ints, Series

BYTE_ORDER_MARK = "\ufeff"
"""At the start of a file, so that spreadsheets recognise UTF-8."""


def sheet(history: Series | Hours) -> str:
    """A line per price or per hour. Times are ISO-8601 in UTC, prices in quote currency, volumes in base units.

    The time of an hour is that of its beginning. Unknown values are empty.
    """
    columns: Sequence[Floats | Ints]
    if isinstance(history, Hours):
        names: tuple[str, ...] = ("open", "high", "low", "close", "mean", "count", "volume_24h")
        columns = (history.open, history.high, history.low, history.close, history.mean, history.count, history.volume)
        times = _iso(history.starts)
    else:
        names, columns = ("price", "width_seconds"), (history.values, history.widths)
        times = _iso(history.times)
    lines = zip(times, *(map(_text, column.tolist()) for column in columns), strict=True)
    return "\n".join([",".join(("time", *names)), *map(",".join, lines)]) + "\n"


def file_name(row: RankedMetric, span: Span) -> str:
    """`kraken-BTC-USD-24h.csv`: without characters that a file system refuses."""
    return re.sub(r"[^\w.-]+", "-", f"{row.key}-{span.label.replace(' ', '')}") + ".csv"


def _iso(times: Ints) -> list[str]:
    return [f"{moment}Z" for moment in np.datetime_as_string(times.astype("datetime64[s]")).tolist()]


def _text(value: float) -> str:
    return "" if value != value else repr(value)  # NaN is not itself
