"""The sums behind a standard deviation, moved through stored prices to any moment, forwards or back.

They give the statistics of earlier moments from stored prices alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.market.stats import measures
from services.market.stats.metric_stats import MetricStats
from services.market.stats.samples import Samples
from services.market.types import Floats, Ints

ROLLING = ("stdev", "volatility")
"""The quantities that are computed over a window of prices."""


@dataclass(slots=True)
class WindowSums:
    """Sums over the prices of each metric in one window, all of shape (metrics,).

    `weight` is the sum of widths in seconds, NaN for a metric that is left out; `total` and `squares` are the sums of
    width x (price - anchor) and width x (price - anchor)^2; the peaks are the largest |total| and squares since these
    were last recomputed.
    """

    anchor: Floats
    weight: Floats
    total: Floats
    squares: Floats
    total_peak: Floats
    squares_peak: Floats

    def move(self, gained: Samples, lost: Samples, window: Callable[[Ints], Samples]) -> None:
        """Move to another window, which has `gained` and `lost` these prices.

        Sums that have lost digits are recomputed from `window(rows)`: all prices of these rows in the new window.
        """
        if len(lost.rows):
            self._add(lost, -1)
            emptied = self.weight == 0
            for sums in (self.total, self.squares, self.total_peak, self.squares_peak):
                sums[emptied] = 0.0  # subtraction may leave rounding errors
        if len(gained.rows):
            first = np.isnan(self.anchor[gained.rows])
            self.anchor[gained.rows[first]] = gained.prices[first]
            self._add(gained, 1)
        np.maximum(self.total_peak, np.abs(self.total), out=self.total_peak)
        np.maximum(self.squares_peak, self.squares, out=self.squares_peak)
        rows = self._drifted()
        if len(rows):
            self._sum_up(rows, window(rows))

    def read(self, quantity: str) -> Floats:
        """One of ROLLING, NaN if the window has no price."""
        stdev = measures.population_stdev(self.weight, self.total, self.squares)
        return stdev if quantity == "stdev" else volatility(stdev, self.mean())

    def mean(self) -> Floats:
        """The mean price weighted by width, NaN if there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = self.anchor + self.total / self.weight
        return found

    def copied(self) -> "WindowSums":
        """An independent copy."""
        return WindowSums(*(part.copy() for part in self._parts()))

    def to_bytes(self) -> bytes:
        return np.stack(self._parts()).astype("<f8").tobytes()

    def _parts(self) -> tuple[Floats, ...]:
        return self.anchor, self.weight, self.total, self.squares, self.total_peak, self.squares_peak

    def _add(self, samples: Samples, sign: int) -> None:
        count = len(self.weight)
        offset = samples.prices - self.anchor[samples.rows]
        weighted = samples.widths * offset
        self.weight += sign * np.bincount(samples.rows, samples.widths, minlength=count)
        self.total += sign * np.bincount(samples.rows, weighted, minlength=count)
        self.squares += sign * np.bincount(samples.rows, weighted * offset, minlength=count)

    def _drifted(self) -> Ints:
        lost = measures.has_drifted(self.weight, self.total, self.total_peak, self.squares, self.squares_peak)
        with np.errstate(invalid="ignore"):
            lost |= ~(self.total_peak <= measures.DRIFT_LIMIT * np.abs(self.weight * self.anchor + self.total))
        return np.flatnonzero(lost & (self.weight > 0)).astype(np.int64)

    def _sum_up(self, rows: Ints, samples: Samples) -> None:
        for row in rows.tolist():
            of_row = samples.rows == row
            prices, widths = samples.prices[of_row], samples.widths[of_row]
            mean = (widths * prices).sum() / widths.sum()
            # The price nearest to the mean gives the smallest sum of squares, and exactly 0 for a flat series.
            self.anchor[row] = prices[np.abs(prices - mean).argmin()]
            offset = prices - self.anchor[row]
            self.weight[row] = widths.sum()
            self.total[row], self.squares[row] = (widths * offset).sum(), (widths * offset**2).sum()
            self.total_peak[row], self.squares_peak[row] = np.abs(self.total[row]), self.squares[row]


def no_sums(count: int) -> WindowSums:
    """The sums of windows without prices."""
    return WindowSums(np.full(count, np.nan), *np.zeros((5, count)))


def from_bytes(data: bytes) -> WindowSums:
    """The inverse of `to_bytes`."""
    return WindowSums(*np.frombuffer(data, "<f8").reshape(6, -1).copy())


def from_statistics(statistics: MetricStats, count: int) -> WindowSums:
    """The sums in `statistics`, by metric id up to `count`; metrics without statistics are left out."""
    chosen = statistics[statistics["id"] < count]
    sums = no_sums(count)
    sums.weight[:] = np.nan
    for part, name in (
        (sums.anchor, "anchor"),
        (sums.weight, "weight"),
        (sums.total, "total"),
        (sums.squares, "squares"),
        (sums.total_peak, "total_peak"),
        (sums.squares_peak, "peak"),
    ):
        part[chosen["id"]] = chosen[name]
    return sums


def volatility(stdev: Floats, mean: Floats) -> Floats:
    """The standard deviation as a fraction of the mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = stdev / mean
    return ratio
