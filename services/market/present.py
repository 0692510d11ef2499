"""Compares stored times with the present, in both directions: the one place that decides what is stale or ahead.

The clock that wrote a time may have been wrong: a hardware clock in local time, a resumed machine, a bad NTP server. A
time that is further ahead than a right clock could write shows that, and must hold nothing up.
"""

from datetime import datetime
from typing import Any

from services.market.times import DAY

FRESH_PERIODS = 2
"""A price is fresh for this many periods: at a later tick it is stale."""

STALE_PERIODS = FRESH_PERIODS + 1
"""A tick older than this many periods is stale, and all prices with it: they would be stale at the tick that is
missing."""

DOUBT_SECONDS = DAY
"""History may lie ahead of a clock by this much before the clock counts as wrong."""


MAX_GAP_PERIODS = FRESH_PERIODS
"""Up to this many periods between two ticks have certainly passed."""


def covered(gap_seconds: int, missed: int) -> int:
    """How many of the `gap_seconds` between two ticks, with `missed` periods between them, have certainly passed: all
    of a short gap, a single period of a longer one.

    Data is removed only if it is old both by the sum of these and by the clock. A long gap may be an outage, or a clock
    that has jumped ahead by years, for a minute or for good: data that looks old to such a clock may be of yesterday,
    and removal is final. After an outage, data is retained longer by as much.
    """
    return gap_seconds if missed < MAX_GAP_PERIODS else gap_seconds // (missed + 1)


def is_ahead(written: int | None, now: int, period_seconds: int) -> bool:
    """True if a clock ahead of this one, at `now`, stored the tick of epoch second `written` (None for no tick).

    Clocks may differ by a period: a tick no further ahead is waited for.
    """
    return written is not None and written > now + period_seconds


def is_stale(priced_at: Any, tick: int, period_seconds: int) -> Any:
    """True if a price of epoch second `priced_at` (0 for none) is too old at the tick of epoch second `tick`, or was
    stored by a clock that was ahead. For an array, a mask."""
    old = priced_at < tick - FRESH_PERIODS * period_seconds
    return old | (priced_at > tick + period_seconds) | (priced_at <= 0)


def is_tick_stale(tick: int | None, now: float, period_seconds: int) -> bool:
    """True if the last tick (None for no tick) is stale at epoch second `now`: the next one may take a period."""
    return tick is None or tick < now - STALE_PERIODS * period_seconds or is_ahead(tick, int(now), period_seconds)


def is_believable(ahead_seconds: int, gone_by_seconds: int) -> bool:
    """True if this clock can be right although `ahead_seconds` of history lie ahead of it, `gone_by_seconds` after the
    last tick that does not.

    A clock that was ahead cannot have stored more than the time that has really passed, plus DOUBT_SECONDS. If more
    lies ahead, this clock is the wrong one: that of a machine without a battery, say, before it has synchronised.
    """
    return ahead_seconds <= gone_by_seconds + DOUBT_SECONDS


def is_unexpired(until: Any, now: float, longest: float) -> Any:
    """True if something that ends at epoch second `until`, and may last `longest` seconds at most, still lasts. For a
    column, the SQL condition."""
    return (until > now) & (until <= now + longest)


def is_within(now: datetime, begins: datetime, ends: datetime) -> bool:
    """True while `now` is in [`begins`, `ends`): not before `begins` either, in case the clock was set back."""
    return begins <= now < ends
