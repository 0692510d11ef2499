"""Running sums of a quantity: the average over any window is the difference of two of them.

They hold each metric's last known value and the sum of all its values so far. A sum has two parts, the second for what
its additions have rounded off, so that the difference of two sums stays exact however large they grow.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.market.stats.metric_stats import LOOKBACK
from services.market.times import HOUR
from services.market.types import Floats, Ints

SLOT_SECONDS = 300
"""Sums older than an hour are thinned to one per slot: longer windows start with that precision."""


def carry_seconds(period_seconds: int) -> int:
    """How long a value counts as the last known one, and how far before the longest window sums are stored."""
    return max(LOOKBACK, 2 * period_seconds)


def tolerance(window: int, period_seconds: int) -> int:
    """How many seconds before the start of a window a value may lie that counts as the value at its start.

    Two periods, so that one tick may be missed, or a tenth of the window if that is longer. At most half of a short
    window, but at least a period, so that it contains a tick. Sums older than an hour are a slot apart: two slots.
    """
    periods = min(2 * period_seconds, max(period_seconds, window // 2))
    return max(periods, 2 * SLOT_SECONDS if window > HOUR else window // 10)


@dataclass(frozen=True, slots=True)
class RunningSums:
    """One quantity at one moment, all of shape (largest metric number + 1,) and indexed by metric number.

    `value` is the last known, NaN for none; `sampled` is where it is of this very moment; `total` + `rest` is the sum
    of the `count` values up to and including this moment.
    """

    minute: int
    value: Floats
    total: Floats
    rest: Floats
    count: Ints
    sampled: npt.NDArray[np.bool_]

    def of(self, ids: Ints) -> "RunningSums":
        """The sums of metrics `ids` (ascending). Metrics that were unknown then have no value, and a sum of 0."""
        size = len(self.value)
        if len(ids) and ids[-1] < size and ids[-1] - ids[0] == len(ids) - 1:  # nearly always: no need to copy
            row = slice(int(ids[0]), int(ids[-1]) + 1)
            return RunningSums(
                self.minute, self.value[row], self.total[row], self.rest[row], self.count[row], self.sampled[row]
            )
        if not size:
            return no_values(self.minute, len(ids))
        known = ids < size
        places = np.where(known, ids, 0)
        return RunningSums(
            self.minute,
            np.where(known, self.value[places], np.nan),
            np.where(known, self.total[places], 0.0),
            np.where(known, self.rest[places], 0.0),
            np.where(known, self.count[places], 0),
            known & self.sampled[places],
        )


class SumHistory(Protocol):
    """The stored sums."""

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:
        """The oldest sums at or after `minute`."""

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:
        """The newest sums at or before `minute`."""

    def unknown(self, quantity: str, since: int, ids: Ints) -> npt.NDArray[np.bool_]:
        """A mask of those metrics of `ids` whose sums from `since` on must not be used."""


def outlasts_thinning(minute: int, now: int, period_seconds: int) -> bool:
    """True if the sums of `minute` are not thinned out, as long as some window reaches back to them."""
    return minute >= now - HOUR - period_seconds or minute % SLOT_SECONDS < period_seconds


def no_values(minute: int, size: int) -> RunningSums:
    """Sums before the first value."""
    zeros = np.zeros(size)
    return RunningSums(minute, np.full(size, np.nan), zeros, zeros, np.zeros(size, np.int64), np.zeros(size, np.bool_))


def next_sums(last: RunningSums | None, minute: int, ids: Ints, sampled: Floats, carried: Floats) -> RunningSums:
    """The sums of `minute`, which follow `last`.

    `sampled` are the values of that minute and `carried` the last known ones, both of metrics `ids`, NaN for none.
    """
    size = max(int(ids.max(initial=-1)) + 1, 0 if last is None else len(last.value))
    before = (last or no_values(minute, 0)).of(np.arange(size, dtype=np.int64))
    value, samples = np.full(size, np.nan), np.full(size, np.nan)
    value[ids], samples[ids] = carried, sampled
    has_value = ~np.isnan(samples)
    total, rest = _add(before.total, before.rest, np.where(has_value, samples, 0.0))
    return RunningSums(minute, np.where(has_value, samples, value), total, rest, before.count + has_value, has_value)


def previous_sums(later: RunningSums, minute: int, sampled: Floats, carried: Floats) -> RunningSums:
    """The sums of `minute`, one period before `later`, of the same metrics: `next_sums` in the other direction."""
    total, rest = _add(later.total, later.rest, np.where(later.sampled, -later.value, 0.0))
    has_value = ~np.isnan(sampled)
    return RunningSums(
        minute, np.where(has_value, sampled, carried), total, rest, later.count - later.sampled, has_value
    )


def with_values(sums: RunningSums, sampled: Floats, carried: Floats) -> RunningSums:
    """`sums` with corrected values. The totals stay, because only their differences count."""
    has_value = ~np.isnan(sampled)
    return RunningSums(sums.minute, np.where(has_value, sampled, carried), sums.total, sums.rest, sums.count, has_value)


def average_between(edge: RunningSums, last: RunningSums) -> tuple[Floats, Ints]:
    """The mean of the values from `edge` (included) to `last`, NaN without values, and their number."""
    count = last.count - edge.count + edge.sampled
    total = (last.total - edge.total) + (last.rest - edge.rest)
    total = total + np.where(edge.sampled, edge.value, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, total / count, np.nan), count


def _add(total: Floats, rest: Floats, value: Floats) -> tuple[Floats, Floats]:
    plain = total + value  # what this loses is known exactly: T. J. Dekker, 1971; D. E. Knuth
    part = plain - total
    lost = (total - (plain - part)) + (value - part)
    return plain, rest + lost
