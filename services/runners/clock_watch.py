"""Whether the clock has jumped: it was set, or the machine slept, beside a timer that nobody sets."""

from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from services.market.ports import Clock
from services.market.times import from_epoch

JUMP_SECONDS = 1.0
"""What clocks are put right by so little does not matter to anybody who waits."""

LOOK_SECONDS = 0.25
"""A look that takes longer, on a busy machine, cannot tell a jump from a wait, and does not count."""


class ClockWatch:
    """Compares the `clock` with the `timer`, in seconds, look by look."""

    def __init__(self, clock: Clock, timer: Callable[[], float]) -> None:
        self._clock, self._timer = clock, timer
        self._before = self._difference()

    def jump(self) -> float:
        """By how many seconds the clock has jumped ahead (below zero: was set back) since it last did; 0.0 where it
        goes as it should."""
        difference = self._difference()
        if difference is None:
            return 0.0
        if self._before is None:
            self._before = difference
        jump = difference - self._before
        if abs(jump) < JUMP_SECONDS:
            return 0.0
        self._before = difference
        return jump

    def _difference(self) -> float | None:
        began = self._timer()
        told = self._clock().timestamp()
        ended = self._timer()
        return told - began if ended - began <= LOOK_SECONDS else None


class Beat(BaseTrigger):  # type: ignore[misc] # APScheduler is not typed
    """Fires each time that the clock comes to a multiple of `seconds` since the epoch.

    What was missed is not gone through time by time, as APScheduler's own triggers do: after a jump by years that takes
    minutes and gigabytes.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first such time after `now`."""
        number = now.timestamp() // self.seconds + 1
        following = from_epoch(number * self.seconds)
        return following if following > now else following + timedelta(seconds=self.seconds)


def jump_in_words(seconds: float) -> str:
    """A jump of the clock, as the log tells it."""
    whole = timedelta(seconds=round(abs(seconds)))
    if seconds < 0:
        return f"the clock was set back by {whole}"
    return f"the clock jumped ahead by {whole}, or this machine slept"
