"""The averages that rules compared prices with, at many moments of a metric's history.

Each is summed separately, so that a spike leaves no rounding error behind.
"""

import numpy as np

from services.market.alerting.running_sums import SLOT_SECONDS
from services.market.times import HOUR
from services.market.types import Floats, Hours, Ints, Series

Averages = tuple[Floats, Ints]
"""Averages, NaN where there is none, and the number of prices in each, of the shape of the requested moments."""


def weighted(prices: Series, moments: Ints, seconds: int) -> Averages:
    """Over [moment - `seconds`, moment), weighted by width, as for the built-in rule and the average of an hour."""
    return _means(prices.values, prices.widths.astype(np.float64), *_places(prices.times, moments - seconds, moments))


def plain(prices: Series, moments: Ints, seconds: int, period_seconds: int) -> Averages:
    """Over [moment - `seconds`, moment), unweighted, as for all other rules.

    Sums older than an hour are thinned to one per slot: a longer window starts with the first of those.
    """
    first = -(-(moments - seconds) // period_seconds) * period_seconds
    stored = (first >= moments - HOUR - period_seconds) | (first % SLOT_SECONDS < period_seconds)
    next_slot = -(-(-(-first // SLOT_SECONDS) * SLOT_SECONDS) // period_seconds) * period_seconds
    begins = np.where(stored, first, next_slot)
    return _means(prices.values, np.ones(len(prices.times)), *_places(prices.times, begins, moments))


def hourly(hours: Hours, moments: Ints, seconds: int) -> Averages:
    """Over whole hours, the number nearest to `seconds`; the last one contains the moment or ends with it.

    For history that is read by the hour.
    """
    ends = -(-moments // HOUR) * HOUR
    reach = max(1, round(seconds / HOUR)) * HOUR
    first, last = _places(hours.starts, ends - reach, ends)
    means, _ = _means(hours.mean, np.ones(len(hours.starts)), first, last)
    return means, _sums(hours.count.astype(np.float64), first, last).astype(np.int64)


def _places(times: Ints, begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """For each [begin, end), the first place in `times` and the place after the last."""
    return np.searchsorted(times, begins, side="left"), np.searchsorted(times, ends, side="left")


def _means(values: Floats, weights: Floats, first: Ints, last: Ints) -> Averages:
    with np.errstate(invalid="ignore", divide="ignore"):
        means: Floats = _sums(values * weights, first, last) / _sums(weights, first, last)
    return means, last - first


def _sums(values: Floats, first: Ints, last: Ints) -> Floats:
    """The sum of values[first:last] of each window."""
    if not len(first):
        return values[:0]
    edges = np.stack([first, last], axis=1).ravel()
    sums = np.add.reduceat(np.append(values, 0.0), edges)[::2]
    return np.where(last > first, sums, 0.0)
