"""Ticks on demand."""

import time
from datetime import UTC, datetime, timedelta

from benchmarks.databases import PERIOD, Dataset
from services.pipeline.fetch import Fetcher
from services.pipeline.tick import tick


class Clock:
    """Stores the ticks that follow `dataset`, one per call."""

    def __init__(self, dataset: Dataset) -> None:
        self.minute = datetime.fromtimestamp(dataset.last, UTC)
        """Of the last tick."""
        self._plan = dataset.plan()
        self._fetcher = Fetcher([dataset.exchange], timeout_seconds=10.0)

    def __enter__(self) -> "Clock":
        return self

    def __exit__(self, *_: object) -> None:
        self._fetcher.close()

    def tick(self) -> float:
        """Store the next tick. Returns the time of its commit in milliseconds since the epoch."""
        self.minute += timedelta(seconds=PERIOD)
        tick(self._plan, self._fetcher, self.minute, timedelta(0))
        return time.time() * 1e3
