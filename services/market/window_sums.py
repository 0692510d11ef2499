"""The sums that a standard deviation is made of, moved through stored prices to any moment, forwards or back: what the
statistics of the past were, for whoever has only prices of it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from services.market.stats import measures
from services.market.stats.metric_stats import MetricStats
from services.market.stats.samples import Samples
from services.market.types import Floats, Ints

ROLLING = ("stdev", "volatility")
"""The quantities that are of a window of prices."""


@dataclass(slots=True)
class WindowSums:
    """Over the prices of each metric in one window, all of shape (metrics,): `weight`, the sum of their widths in
    seconds, NaN for a metric that is left out; `total` and `squares`, those of width x (price - anchor) and
    width x (price - anchor)^2; and the largest |total| and squares since they were summed up anew."""

    anchor: Floats
    weight: Floats
    total: Floats
    squares: Floats
    total_peak: Floats
    squares_peak: Floats

    def move(self, gained: Samples, lost: Samples, window: Callable[[Ints], Samples]) -> None:
        """Have the window be another one, which has `gained` and `lost` these prices. Sums that have lost digits to
        what has left are summed up anew from what `window` gives of their rows: all prices that are in it now."""
        if len(lost.rows):
            self._add(lost, -1)
            emptied = self.weight == 0
            for sums in (self.total, self.squares, self.total_peak, self.squares_peak):
                sums[emptied] = 0.0  # whatever rounding has left of them
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
        """One of ROLLING, NaN where the window holds no price."""
        stdev = measures.population_stdev(self.weight, self.total, self.squares)
        return stdev if quantity == "stdev" else volatility(stdev, self.mean())

    def mean(self) -> Floats:
        """Each price weighs as much as it stands for; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Floats = self.anchor + self.total / self.weight
        return found

    def copied(self) -> "WindowSums":
        """The same, to be moved by itself."""
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
            mine = samples.rows == row
            prices, widths = samples.prices[mine], samples.widths[mine]
            mean = (widths * prices).sum() / widths.sum()
            # The price nearest to the mean: no sum of squares is smaller, and that of a flat series is exactly 0.
            self.anchor[row] = prices[np.abs(prices - mean).argmin()]
            offset = prices - self.anchor[row]
            self.weight[row] = widths.sum()
            self.total[row], self.squares[row] = (widths * offset).sum(), (widths * offset**2).sum()
            self.total_peak[row], self.squares_peak[row] = np.abs(self.total[row]), self.squares[row]


def no_sums(count: int) -> WindowSums:
    """Those of windows without a price."""
    return WindowSums(np.full(count, np.nan), *np.zeros((5, count)))


def from_bytes(data: bytes) -> WindowSums:
    """What `to_bytes` made."""
    return WindowSums(*np.frombuffer(data, "<f8").reshape(6, -1).copy())


def from_statistics(statistics: MetricStats, count: int) -> WindowSums:
    """Those of `statistics`, by metric number up to `count`; a metric that it does not have is left out."""
    mine = statistics[statistics["id"] < count]
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
        part[mine["id"]] = mine[name]
    return sums


def volatility(stdev: Floats, mean: Floats) -> Floats:
    """The standard deviation as a fraction of the mean."""
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Floats = stdev / mean
    return ratio
