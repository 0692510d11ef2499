"""Stored values: the quantities that rules watch, period by period, from stored prices and volumes."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from services.market.alerting.running_sums import carry_seconds
from services.market.alerting.states import Mask
from services.market.stats import metric_stats
from services.market.stats.metric_stats import MetricStats
from services.market.stats.samples import NO_SAMPLES, Samples, joined
from services.market.types import Floats, Ints
from services.market.window_sums import WindowSums
from services.store.database.engine import Connection
from services.store.history import prices, samples
from services.store.history.volumes import VOLUME
from services.store.ranking import ticks


@dataclass(frozen=True, slots=True)
class PeriodValues:
    """A quantity's values, of shape (periods, metrics) and NaN for none: those that came with each period (`sampled`),
    and the last ones known then (`carried`)."""

    sampled: Floats
    carried: Floats


class StoredValues:
    """The values of metrics 0 to `count` - 1 in consecutive periods that end at `times`.

    `evaluated` marks the periods with a tick or a price, in which rules are evaluated.
    """

    def __init__(self, connection: Connection, count: int, times: Ints, period_seconds: int) -> None:
        carry = carry_seconds(period_seconds)
        self._connection, self._period = connection, period_seconds
        self._ids = metric_stats.empty(np.arange(count, dtype=np.int64))
        self._lead = -(-carry // period_seconds)
        self._start = int(times[0]) - (self._lead + 1) * period_seconds
        self._times = self._start + period_seconds * np.arange(1, self._lead + len(times) + 1, dtype=np.int64)
        self._prices = prices.read_all(connection, self._ids, self._start, int(times[-1]))
        place = np.arange(len(self._times))[:, None]
        at = np.full((len(self._times), count), -1, dtype=np.int64)
        places = self._places(self._prices.times)
        at[places, self._prices.rows] = places
        self._last = np.maximum.accumulate(at, axis=0)
        self._near = (self._last >= 0) & ((place - self._last) * period_seconds < carry)
        self._priced = at >= 0
        self._ticked = ticks.happened_at(connection, self._times)
        self.evaluated: Mask = (self._priced.any(axis=1) | self._ticked)[self._lead :]

    def prices(self) -> PeriodValues:
        grid = self._grid()
        grid[self._places(self._prices.times), self._prices.rows] = self._prices.prices
        return self._values(grid, self._last)

    def volumes(self) -> PeriodValues:
        """Those that came with a price."""
        stored = samples.read_all(self._connection, VOLUME, self._start, int(self._times[-1]))
        rows, known = metric_stats.rows_of(self._ids, stored.metric_ids)
        grid = self._grid()
        grid[self._places(stored.times[known]), rows[known]] = stored.values[known]
        return self._values(grid, self._last)

    def statistics(
        self, quantity: str, sums: WindowSums, minute: int, window_seconds: int, place: int
    ) -> tuple[PeriodValues, WindowSums]:
        """The values of one of ROLLING, computed by moving the `sums` of its window back from `minute` in the last
        period. Also returns the sums as of the period at `place`.

        A metric's value changes with each of its prices and with each tick.
        """
        before = np.flatnonzero(self._ticked[: self._lead + 1])
        first = int(before[-1]) if len(before) else 0
        times = np.append(self._times[:-1], minute)
        gained = prices.read_all(
            self._connection, self._ids, int(times[first]) - window_seconds, minute - window_seconds
        )
        grid, wanted = self._grid(), sums
        for at in range(len(times) - 1, first - 1, -1):
            grid[at] = sums.read(quantity)
            if at == self._lead + place:
                wanted = sums.copied()
            if at > first:
                since, until = int(times[at - 1]), int(times[at])
                sums.move(
                    gained.within(since - window_seconds, until - window_seconds),
                    self._prices.within(since, until),
                    partial(_history, self._connection, self._ids, since, window_seconds),
                )
        updated = self._priced | self._ticked[:, None]
        last = np.maximum.accumulate(np.where(updated, np.arange(len(times))[:, None], -1), axis=0)
        return self._values(grid, last), wanted

    def _grid(self) -> Floats:
        return np.full(self._last.shape, np.nan)

    def _places(self, times: Ints) -> Ints:
        places: Ints = -(-(times - self._start) // self._period) - 1
        return places

    def _values(self, grid: Floats, last: Ints) -> PeriodValues:
        """The values of `grid`, where `last` has the place of each metric's last value in each period."""
        carried = np.where(self._near, np.take_along_axis(grid, np.maximum(last, 0), axis=0), np.nan)
        return PeriodValues(np.where(self._priced, grid, np.nan)[self._lead :], carried[self._lead :])


def move_sums_back(connection: Connection, sums: WindowSums, minute: int, to: int, window_seconds: int) -> None:
    """Move the sums of metrics 0, 1 ... from `minute` back to epoch second `to`, in place."""
    ids = metric_stats.empty(np.arange(len(sums.weight), dtype=np.int64))
    gained = prices.read_all(connection, ids, to - window_seconds, minute - window_seconds)
    lost = prices.read_all(connection, ids, to, minute)
    sums.move(gained, lost, partial(_history, connection, ids, to, window_seconds))


def _history(connection: Connection, statistics: MetricStats, until: int, window_seconds: int, rows: Ints) -> Samples:
    found = NO_SAMPLES
    for run in prices.read_history(connection, statistics, rows, until - window_seconds, until):
        found = joined(found, run)
    return found
