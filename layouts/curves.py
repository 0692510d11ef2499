"""A metric's history as a chart draws it: points in time, with gaps where no samples are stored."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np

from services.market.times import DAY, HOUR, to_epoch
from services.market.types import Floats, Hours, Ints, Series

Values = list[float | None]


@dataclass(frozen=True, slots=True)
class Band:
    """The area between the lowest and the highest price of each hour, as points in time.

    A band ends at a gap, and in the first hour of a day, where the next begins. Bands of earlier days do not change.
    """

    times: Ints
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """A line through `values` at `times` (epoch seconds, ascending), None in the middle of each gap.

    A line through hours also has the lowest and highest price of each point's hour in `ranges`, and
    the `bands` they make. A line through single samples has neither.
    """

    times: Ints
    values: Values
    ranges: list[tuple[float, float] | None]
    bands: list[Band]


def curve(history: Series | Hours, period_seconds: int, newest: datetime | None) -> Curve:
    """The curve through `history`; `newest` is the time of the metric's latest price."""
    if isinstance(history, Hours):
        return _through_hours(history, newest)
    times, values = with_gaps(history, period_seconds)
    return Curve(times, values, [], [])


def with_gaps(series: Series, period_seconds: int) -> tuple[Ints, Values]:
    """Times and values, with a None between two samples that have a gap between them.

    A gap is longer than two periods, and longer than twice the seconds that the later sample stands for.
    """
    times, values = series.times, series.values
    reach = np.maximum(2 * period_seconds, 2 * series.widths[1:])
    gaps = np.flatnonzero(np.diff(times) > reach)
    filled: Values = [*np.insert(values, gaps + 1, np.nan).tolist()]
    for shift, gap in enumerate(gaps.tolist()):
        filled[gap + 1 + shift] = None
    middle = (times[gaps] + times[gaps + 1]) // 2
    return np.insert(times, gaps + 1, middle), filled


def known(values: Iterable[float | None]) -> Values:
    """The values, with None for NaN."""
    return [None if value != value else value for value in values]  # NaN is not itself


def _through_hours(hours: Hours, newest: datetime | None) -> Curve:
    """A line from close to close, each at its hour's end, or at `newest` in the running hour.

    A run begins with its open, so that a single hour is a line too. The band has each hour's range in the hour's
    middle, where the line from one close to the next lies within it.
    """
    starts, ends = hours.starts, hours.starts + HOUR
    if newest is not None:
        ends[-1:] = np.clip(to_epoch(newest), starts[-1:] + 1, ends[-1:])
    times: list[Ints] = [starts[:0]]
    values: Values = []
    ranges: list[tuple[float, float] | None] = []
    bands: list[Band] = []
    for first, last in _runs(starts):
        begin, part, end = slice(first, first + 1), slice(first, last), slice(last - 1, last)
        if first:
            times.append((ends[first - 1 : first] + starts[begin]) // 2)
            values.append(None)
            ranges.append(None)
        times += [starts[begin], ends[part]]
        values += [*hours.open[begin].tolist(), *hours.close[part].tolist()]
        low, high = (np.concatenate([column[begin], column[part]]) for column in (hours.low, hours.high))
        ranges += zip(low.tolist(), high.tolist(), strict=True)
        middles = (starts[part] + ends[part]) // 2
        around = np.concatenate([starts[begin], middles, ends[end]])
        low, high = np.append(low, low[-1]), np.append(high, high[-1])
        days = [0, *(np.flatnonzero(starts[first + 1 : last] % DAY == 0) + 2).tolist(), len(around) - 1]
        bands += [Band(around[a : b + 1], low[a : b + 1], high[a : b + 1]) for a, b in pairwise(days)]
    return Curve(np.concatenate(times), values, ranges, bands)


def _runs(starts: Ints) -> Iterator[tuple[int, int]]:
    """Beginning and end (exclusive) of each run of consecutive hours."""
    edges = np.flatnonzero(np.diff(starts) > HOUR) + 1
    return pairwise([0, *edges.tolist(), len(starts)] if len(starts) else [])
