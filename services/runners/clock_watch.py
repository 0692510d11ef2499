"""Finds jumps of the clock, by comparison with a timer that cannot be set."""

from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.triggers.base import BaseTrigger

from services.market.ports import Clock
from services.market.times import from_epoch

JUMP_SECONDS = 1.0
"""Smaller corrections of the clock delay no job noticeably."""

LOOK_SECONDS = 0.25
"""A comparison that takes longer, on a busy machine, cannot tell a jump from a delay and is ignored."""


class ClockWatch:
    """Compares the `clock` with the `timer`, which counts seconds."""

    def __init__(self, clock: Clock, timer: Callable[[], float]) -> None:
        self._clock, self._timer = clock, timer
        self._before = self._difference()

    def jump(self) -> float:
        """Seconds that the clock has jumped ahead since the last jump, negative when it was set back; 0.0 without a
        jump."""
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
        moment = self._clock().timestamp()
        ended = self._timer()
        return moment - began if ended - began <= LOOK_SECONDS else None


class Beat(BaseTrigger):  # type: ignore[misc] # APScheduler is not typed
    """Fires at every multiple of `seconds` since the epoch.

    Missed times are skipped. APScheduler's own triggers go through each of them, which takes minutes and gigabytes
    after a jump by years.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """The first such time after `now`."""
        number = now.timestamp() // self.seconds + 1
        following = from_epoch(number * self.seconds)
        return following if following > now else following + timedelta(seconds=self.seconds)


def describe_jump(seconds: float) -> str:
    """A sentence for the log."""
    whole = timedelta(seconds=round(abs(seconds)))
    if seconds < 0:
        return f"the clock was set back by {whole}"
    return f"the clock jumped ahead by {whole}, or this machine slept"
