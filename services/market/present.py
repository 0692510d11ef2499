"""What a stored time means beside the present: the one place that judges it, on both sides.

Whatever wrote it went by a clock, and that clock may have been wrong: a hardware clock in local time, a machine that
was resumed, a bad NTP server. A time further ahead than anybody may rightly write tells that, and holds nothing up.
"""

from datetime import datetime
from typing import Any

from services.market.times import DAY

FRESH_PERIODS = 2
"""A price stands for the present for so many periods: at a tick that comes later it is stale."""

STALE_PERIODS = FRESH_PERIODS + 1
"""A tick that is older than so many periods is stale, and all prices are with it: at the one that should have come
since, its own prices would be."""

DOUBT_SECONDS = DAY
"""Of history that lies ahead of a clock, nothing is made of so much that the clock is set back or the history wrong."""


MAX_GAP_PERIODS = FRESH_PERIODS
"""Up to so many periods between two ticks have gone by for sure."""


def covered(gap_seconds: int, missed: int) -> int:
    """How many of the `gap_seconds` between two ticks, with `missed` periods between them, have gone by for sure: all
    of a short gap, of a longer one a single period.

    By the sum of these the age of stored data is judged before any is removed, and by the clock. A long gap may be an
    outage, or a clock that has just jumped ahead by years, for a minute or for good: what such a clock takes for old
    may be of yesterday, and what is removed does not come back. After an outage data is kept longer by as much.
    """
    return gap_seconds if missed < MAX_GAP_PERIODS else gap_seconds // (missed + 1)


def is_ahead(written: int | None, now: int, period_seconds: int) -> bool:
    """Whether a tick of epoch second `written` (None for no tick) was stored by a clock that was ahead of this one at
    `now`. Clocks may differ by a period: what lies no further ahead is waited for."""
    return written is not None and written > now + period_seconds


def is_stale(priced_at: Any, tick: int, period_seconds: int) -> Any:
    """Whether a price of epoch second `priced_at`, 0 for none, is too old at the tick of epoch second `tick`, or of a
    clock that was ahead. Of an array, which of them are."""
    old = priced_at < tick - FRESH_PERIODS * period_seconds
    return old | (priced_at > tick + period_seconds) | (priced_at <= 0)


def is_tick_stale(tick: int | None, now: float, period_seconds: int) -> bool:
    """The same of a tick, None for no tick, at epoch second `now`: the next one may take a period to come."""
    return tick is None or tick < now - STALE_PERIODS * period_seconds or is_ahead(tick, int(now), period_seconds)


def is_believable(ahead_seconds: int, gone_by_seconds: int) -> bool:
    """Whether a clock can be right by which so much history lies ahead, so long after the last tick that does not.

    A clock that was ahead has stored no more than the time that really went by, and what a day of doubt allows for.
    More tells that this clock is the wrong one, as of a machine without a battery before it has asked for the time.
    """
    return ahead_seconds <= gone_by_seconds + DOUBT_SECONDS


def lasts(until: Any, now: float, longest: float) -> Any:
    """Whether something still goes on that ends at epoch second `until`, and that nobody makes last longer than
    `longest` seconds. Of a column, the condition that says so."""
    return (until > now) & (until <= now + longest)


def is_within(now: datetime, begins: datetime, ends: datetime) -> bool:
    """Whether there is time left of a stretch that is under way: none where the clock was set, before its beginning
    either."""
    return begins <= now < ends
