"""Answers remembered for as long as the database says that nothing has changed."""

import time
from collections.abc import Callable
from datetime import datetime

from services.market.memory import VersionedMemory
from services.market.ports import MarketReader
from services.market.types import (
    Alert,
    Day,
    Hours,
    OpenAlerts,
    Profile,
    RankedMetric,
    Ranking,
    Series,
    Sparklines,
    Status,
)

REVISION_SECONDS = 0.25
"""How long a revision is taken for the current one without asking: what a viewer may lag behind a commit."""


class CachedReader:
    """A MarketReader in front of another: one reading a revision, however many ask."""

    def __init__(self, reader: MarketReader, timer: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._timer = timer
        self._memory = VersionedMemory()
        self._revision = 0
        self._asked = -REVISION_SECONDS

    @property
    def profile(self) -> Profile:
        return self._reader.profile

    def revision(self) -> int:
        now = self._timer()
        if now - self._asked >= REVISION_SECONDS:
            self._revision = self._reader.revision()
            self._asked = now
        return self._revision

    def ranking(self) -> Ranking:
        return self._memory.get("ranking", self.revision(), self._reader.ranking)

    def metric(self, wanted: int | str) -> RankedMetric:
        names = self._memory.get("names", self.revision(), self._names)
        found = names.get(wanted.lower() if isinstance(wanted, str) else wanted)
        if found is not None:
            return found
        return self._reader.metric(wanted)  # no longer tracked, or unknown

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._reader.prices(metric_id, since, until, self.revision() if revision is None else revision)

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        return self._reader.hours(metric_id, since, until)

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._reader.volumes(metric_id, since, until, self.revision() if revision is None else revision)

    def alerts(
        self, since: datetime | None = None, metric_id: int | None = None, limit: int = 1000
    ) -> tuple[Alert, ...]:
        return self._reader.alerts(since, metric_id, limit)

    def unattended(self) -> OpenAlerts:
        return self._memory.get("unattended", self.revision(), self._reader.unattended)

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        key = ("sparklines", metric_ids)
        return self._memory.get(key, self.revision(), lambda: self._reader.sparklines(metric_ids))

    def status(self, now: datetime) -> Status:
        version = (self.revision(), int(now.timestamp()))
        return self._memory.get("status", version, lambda: self._reader.status(now))

    def day(self, now: datetime) -> Day:
        # Without a tick the gap since the last one grows all the same.
        version = (self.revision(), int(now.timestamp()) // 60)
        return self._memory.get("day", version, lambda: self._reader.day(now))

    def _names(self) -> dict[int | str, RankedMetric]:
        names: dict[int | str, RankedMetric] = {}
        for row in self.ranking().metrics:
            names[row.id] = names[row.key.lower()] = row
        return names
