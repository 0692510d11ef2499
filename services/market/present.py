"""What a stored time means beside the present: the one place that judges it, on both sides.

Whatever wrote it went by a clock, and that clock may have been wrong: a hardware clock in local time, a machine that
was resumed, a bad NTP server. A time further ahead than anybody may rightly write tells that, and holds nothing up.
"""

from datetime import datetime
from typing import Any


def is_ahead(written: int | None, now: int, period_seconds: int) -> bool:
    """Whether a tick of epoch second `written` (None for no tick) was stored by a clock that was ahead of this one at
    `now`. Clocks may differ by a period: what lies no further ahead is waited for."""
    return written is not None and written > now + period_seconds


def lasts(until: Any, now: float, longest: float) -> Any:
    """Whether something still goes on that ends at epoch second `until`, and that nobody makes last longer than
    `longest` seconds. Of a column, the condition that says so."""
    return (until > now) & (until <= now + longest)


def is_within(now: datetime, begins: datetime, ends: datetime) -> bool:
    """Whether there is time left of a stretch that is under way: none where the clock was set, before its beginning
    either."""
    return begins <= now < ends
