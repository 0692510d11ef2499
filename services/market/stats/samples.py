"""Prices and returns of many metrics as parallel arrays."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.market.times import HOUR
from services.market.types import Floats, Ints

RETURN_GAP = HOUR
"""Prices further apart than this, in seconds, make no return: what happened between them is unknown."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Prices of many metrics, ascending in time: parallel arrays of row in MetricStats, epoch second, price, width."""

    rows: Ints
    times: Ints
    prices: Floats
    widths: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> "Samples":
        return self if mask.all() else self._part(mask)

    def within(self, after: int, until: int) -> "Samples":
        """Samples with `after` < time <= `until`, as views."""
        first, end = np.searchsorted(self.times, (after, until), side="right").tolist()
        return self._part(slice(first, end))

    def until(self, second: int) -> "Samples":
        """Samples with time <= `second`, as views."""
        return self._part(slice(int(np.searchsorted(self.times, second, side="right"))))

    def in_order(self) -> "Samples":
        """Sorted by time. For input in which only the samples of each row are in order."""
        if (self.times[1:] >= self.times[:-1]).all():
            return self
        return self._part(np.argsort(self.times, kind="stable"))

    def _part(self, places: slice | Ints | npt.NDArray[np.bool_]) -> "Samples":
        return Samples(self.rows[places], self.times[places], self.prices[places], self.widths[places])


NO_SAMPLES = Samples(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64))


def joined(first: Samples, second: Samples) -> Samples:
    """Concatenate both. Each row stays in order if its samples in `second` come after those in `first`."""
    if not len(first.rows) or not len(second.rows):
        return second if not len(first.rows) else first
    names = ("rows", "times", "prices", "widths")
    return Samples(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


@dataclass(frozen=True, slots=True)
class Returns:
    """Log returns as parallel arrays: row in MetricStats, time of the later price, square, seconds between the two."""

    rows: Ints
    times: Ints
    squares: Floats
    seconds: Ints

    def where(self, mask: npt.NDArray[np.bool_]) -> "Returns":
        return Returns(self.rows[mask], self.times[mask], self.squares[mask], self.seconds[mask])


def returns_of(samples: Samples, price: Floats, priced_at: Ints) -> Returns:
    """The return that ends at each sample, from the sample before it in the same row.

    The first return of a row starts at `price` and `priced_at`, both indexed by row. A sample without an earlier price,
    or with one older than RETURN_GAP, has no return.
    """
    rows, times, prices = samples.rows, samples.times, samples.prices
    if np.bincount(rows).max(initial=0) > 1:
        order = np.argsort(rows, kind="stable")
        rows, times, prices = rows[order], times[order], prices[order]
    first = np.flatnonzero(np.append(True, rows[1:] != rows[:-1])[: len(rows)])
    before, since = np.roll(prices, 1), np.roll(times, 1)
    before[first], since[first] = price[rows[first]], priced_at[rows[first]]
    seconds = times - since
    known = ~np.isnan(before) & (seconds <= RETURN_GAP)
    if not known.all():
        rows, times, seconds = rows[known], times[known], seconds[known]
        prices, before = prices[known], before[known]
    with np.errstate(divide="ignore", over="ignore"):
        change = (prices - before) / before
        # The logarithms of nearly equal prices have lost the digits that their difference still has; those of distant
        # prices have not.
        logs = np.where(np.abs(change) < 0.5, np.log1p(change), np.log(prices) - np.log(before))
    return Returns(rows, times, logs * logs, seconds)
