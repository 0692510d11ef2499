"""What the quantities that rules watch were, period by period, from what is stored."""

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
class Values:
    """What came with each period, and what was known then, of shape (periods, metrics), NaN for nothing."""

    sampled: Floats
    carried: Floats


class Stretch:
    """The prices of metrics 0 to `count` - 1 in some periods, and how long they are carried on. `times` are the ends of
    the periods, one after the other; `looked` says in which of them there was a tick or is a price."""

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
        self.looked: Mask = (self._priced.any(axis=1) | self._ticked)[self._lead :]

    def prices(self) -> Values:
        grid = self._grid()
        grid[self._places(self._prices.times), self._prices.rows] = self._prices.prices
        return self._values(grid, self._last)

    def volumes(self) -> Values:
        """Those that were told with a price."""
        told = samples.read_all(self._connection, VOLUME, self._start, int(self._times[-1]))
        rows, known = metric_stats.rows_of(self._ids, told.metric_ids)
        grid = self._grid()
        grid[self._places(told.times[known]), rows[known]] = told.values[known]
        return self._values(grid, self._last)

    def statistics(
        self, quantity: str, sums: WindowSums, minute: int, window_seconds: int, place: int
    ) -> tuple[Values, WindowSums]:
        """Of one of ROLLING, from the sums of its window as of `minute`, which lies in the last period; these are moved
        back. Answers as well what they are as of the period at `place`.

        What is known of a metric is what its last price, or the last tick, made of it.
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
        looks = self._priced | self._ticked[:, None]
        last = np.maximum.accumulate(np.where(looks, np.arange(len(times))[:, None], -1), axis=0)
        return self._values(grid, last), wanted

    def _grid(self) -> Floats:
        return np.full(self._last.shape, np.nan)

    def _places(self, times: Ints) -> Ints:
        places: Ints = -(-(times - self._start) // self._period) - 1
        return places

    def _values(self, grid: Floats, last: Ints) -> Values:
        """Of what is known at each period, and at which place each metric's last value is."""
        carried = np.where(self._near, np.take_along_axis(grid, np.maximum(last, 0), axis=0), np.nan)
        return Values(np.where(self._priced, grid, np.nan)[self._lead :], carried[self._lead :])


def go_back(connection: Connection, sums: WindowSums, minute: int, to: int, window_seconds: int) -> None:
    """Move the sums of metrics 0, 1 ... as of `minute` back to those as of epoch second `to`."""
    ids = metric_stats.empty(np.arange(len(sums.weight), dtype=np.int64))
    gained = prices.read_all(connection, ids, to - window_seconds, minute - window_seconds)
    lost = prices.read_all(connection, ids, to, minute)
    sums.move(gained, lost, partial(_history, connection, ids, to, window_seconds))


def _history(connection: Connection, statistics: MetricStats, until: int, window_seconds: int, rows: Ints) -> Samples:
    found = NO_SAMPLES
    for run in prices.read_history(connection, statistics, rows, until - window_seconds, until):
        found = joined(found, run)
    return found
