"""Averages of the past as rules compared prices with them, moment by moment.

Each is summed up by itself, so that no spike leaves its rounding behind.
"""

import numpy as np

from services.market.alerting.running_sums import SLOT_SECONDS
from services.market.times import HOUR
from services.market.types import Floats, Hours, Ints, Series

Averages = tuple[Floats, Ints]
"""The averages, NaN where there is none, and how many prices each rests on, of the shape of the moments asked for."""


def weighted(prices: Series, moments: Ints, seconds: int) -> Averages:
    """Of [moment - `seconds`, moment), as the built-in rule and the average of an hour have it: each price weighs as
    much as it stands for."""
    return _means(prices.values, prices.widths.astype(np.float64), *_places(prices.times, moments - seconds, moments))


def plain(prices: Series, moments: Ints, seconds: int, period_seconds: int) -> Averages:
    """Of [moment - `seconds`, moment), as the rules have it that people write: each price weighs the same. Of what is
    older than an hour one mark a slot is kept: a longer window begins with the first of those."""
    first = -(-(moments - seconds) // period_seconds) * period_seconds
    kept = (first >= moments - HOUR - period_seconds) | (first % SLOT_SECONDS < period_seconds)
    next_slot = -(-(-(-first // SLOT_SECONDS) * SLOT_SECONDS) // period_seconds) * period_seconds
    begins = np.where(kept, first, next_slot)
    return _means(prices.values, np.ones(len(prices.times)), *_places(prices.times, begins, moments))


def hourly(hours: Hours, moments: Ints, seconds: int) -> Averages:
    """Of as many whole hours as come nearest to `seconds`, the last of them the one that each moment lies in or ends:
    what is left of a past whose single prices are not read."""
    ends = -(-moments // HOUR) * HOUR
    reach = max(1, round(seconds / HOUR)) * HOUR
    first, last = _places(hours.starts, ends - reach, ends)
    means, _ = _means(hours.mean, np.ones(len(hours.starts)), first, last)
    return means, _sums(hours.count.astype(np.float64), first, last).astype(np.int64)


def _places(times: Ints, begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Of each [begin, end) the first place in `times`, and the one past the last."""
    return np.searchsorted(times, begins, side="left"), np.searchsorted(times, ends, side="left")


def _means(values: Floats, weights: Floats, first: Ints, last: Ints) -> Averages:
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = _sums(values * weights, first, last) / _sums(weights, first, last)
    return means, last - first


def _sums(values: Floats, first: Ints, last: Ints) -> Floats:
    """The sum of values[first:last] for each pair, one window after the other."""
    if not len(first):
        return values[:0]
    edges = np.stack([first, last], axis=1).ravel()
    sums = np.add.reduceat(np.append(values, 0.0), edges)[::2]
    return np.where(last > first, sums, 0.0)
