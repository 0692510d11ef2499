"""What a quantity has come to, moment by moment: any window's average is the difference of two such marks.

A mark holds each metric's last known value and the sum of all its values so far. A sum is kept in two parts, the second
of what its additions have rounded off, so that the difference of two is right however long they have been growing.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from services.market.stats.metric_stats import LOOKBACK
from services.market.times import HOUR
from services.market.types import Floats, Ints

SLOT_SECONDS = 300
"""Of what is older than an hour, one mark in so long is kept: longer windows begin to that precision."""


def carry_seconds(period_seconds: int) -> int:
    """How long a value still counts as the last known one, and how far before the longest window marks are kept."""
    return max(LOOKBACK, 2 * period_seconds)


def tolerance(window: int, period_seconds: int) -> int:
    """How many seconds before a window of `window` seconds a value may have come that passes for the one at its start.

    Two periods, so that one tick may be missed, or a tenth of the window; no more than half of a short one, but a
    period at least: a tick lies in it. Of what is older than an hour marks are a slot apart: two are looked through.
    """
    periods = min(2 * period_seconds, max(period_seconds, window // 2))
    return max(periods, 2 * SLOT_SECONDS if window > HOUR else window // 10)


@dataclass(frozen=True, slots=True)
class RunningSums:
    """One quantity at one moment, all of shape (largest metric number + 1,) and indexed by metric number.

    `value` is the last known, NaN for none; `sampled` says whether it came at that very moment; `total` + `rest` is
    the sum of the `count` values up to and with that moment.
    """

    minute: int
    value: Floats
    total: Floats
    rest: Floats
    count: Ints
    sampled: npt.NDArray[np.bool_]

    def of(self, ids: Ints) -> "RunningSums":
        """The same for these metrics alone, ascending; whatever was not known then has no value and no sum."""
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
    """Marks that were kept."""

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:
        """The oldest mark at or after `minute`."""

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:
        """The newest mark at or before `minute`."""

    def unknown(self, quantity: str, since: int, ids: Ints) -> npt.NDArray[np.bool_]:
        """Which of metrics `ids` are not to be compared with their marks from `since` on."""


def outlasts_thinning(minute: int, now: int, period_seconds: int) -> bool:
    """Whether a mark of `minute` would outlast the next thinning, were a window long enough."""
    return minute >= now - HOUR - period_seconds or minute % SLOT_SECONDS < period_seconds


def no_values(minute: int, size: int) -> RunningSums:
    """A mark before the first value."""
    zeros = np.zeros(size)
    return RunningSums(minute, np.full(size, np.nan), zeros, zeros, np.zeros(size, np.int64), np.zeros(size, np.bool_))


def next_sums(last: RunningSums | None, minute: int, ids: Ints, sampled: Floats, carried: Floats) -> RunningSums:
    """The mark of `minute`, which comes after `last`, from the values that came with it (`sampled`, NaN for none) and
    those that still count as known (`carried`, NaN for none) of metrics `ids`."""
    size = max(int(ids.max(initial=-1)) + 1, 0 if last is None else len(last.value))
    before = (last or no_values(minute, 0)).of(np.arange(size, dtype=np.int64))
    value, samples = np.full(size, np.nan), np.full(size, np.nan)
    value[ids], samples[ids] = carried, sampled
    came = ~np.isnan(samples)
    total, rest = _add(before.total, before.rest, np.where(came, samples, 0.0))
    return RunningSums(minute, np.where(came, samples, value), total, rest, before.count + came, came)


def previous_sums(later: RunningSums, minute: int, sampled: Floats, carried: Floats) -> RunningSums:
    """The mark of `minute`, the last period before that of `later`, of the same metrics: as `follow`, the other way."""
    total, rest = _add(later.total, later.rest, np.where(later.sampled, -later.value, 0.0))
    came = ~np.isnan(sampled)
    return RunningSums(minute, np.where(came, sampled, carried), total, rest, later.count - later.sampled, came)


def with_values(mark: RunningSums, sampled: Floats, carried: Floats) -> RunningSums:
    """The mark that later ones go on from, with the values that it should have had; its sums stay, for only differences
    of sums count."""
    came = ~np.isnan(sampled)
    return RunningSums(mark.minute, np.where(came, sampled, carried), mark.total, mark.rest, mark.count, came)


def average_between(edge: RunningSums, last: RunningSums) -> tuple[Floats, Ints]:
    """The mean of the values from `edge`, its own included, to `last`, and how many they are; NaN where none is."""
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
