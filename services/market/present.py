"""What a stored time means beside the present: the one place that judges it, on both sides.

Whatever wrote it went by a clock, and that clock may have been wrong: a hardware clock in local time, a machine that
was resumed, a bad NTP server. A time further ahead than anybody may rightly write tells that, and holds nothing up.
"""

from datetime import datetime
from typing import Any

DOUBT_SECONDS = 86_400
"""Of history that lies ahead of a clock, nothing is made of so much that the clock is set back or the history wrong."""


def is_ahead(written: int | None, now: int, period_seconds: int) -> bool:
    """Whether a tick of epoch second `written` (None for no tick) was stored by a clock that was ahead of this one at
    `now`. Clocks may differ by a period: what lies no further ahead is waited for."""
    return written is not None and written > now + period_seconds


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
