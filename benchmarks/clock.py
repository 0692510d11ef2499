"""Ticks that come when they are told to."""

import time
from datetime import UTC, datetime, timedelta

from benchmarks.databases import PERIOD, Past
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick


class Clock:
    """Stores the ticks that follow `past`, one each time that it is told to."""

    def __init__(self, past: Past) -> None:
        self.minute = datetime.fromtimestamp(past.last, UTC)
        """Of the last tick."""
        self._plan = past.plan()
        self._fetcher = Fetcher([past.exchange], patience_seconds=10.0)

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *_: object) -> None:
        self._fetcher.close()

    def tick(self) -> float:
        """The moment of the commit, in milliseconds since the epoch."""
        self.minute += timedelta(seconds=PERIOD)
        tick(self._plan, self._fetcher, self.minute, timedelta(0))
        return time.time() * 1e3
