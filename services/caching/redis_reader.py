"""Answers that one process reads from the database, and all others of the same installation find in Redis."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from services.caching.redis_cache import CacheEntry, RedisCache
from services.market.alerting.alerts import NEWEST_ALERTS, Alert, AlertQuery, OpenAlerts
from services.market.ports import MarketReader
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Day, Profile, Status
from services.market.times import to_epoch
from services.market.types import Hours, Series

T = TypeVar("T")

REVISION = CacheEntry("revision", int, seconds=0.5, patience_seconds=0.5)
"""Asked for so often by all processes together: with the quarter of a second that each of them believes it, a viewer is
told of a commit within one. That it is asked for, and not announced, leaves no announcement to be lost."""

RANKING = CacheEntry("ranking", Ranking, seconds=60)
UNATTENDED = CacheEntry("unattended", OpenAlerts, seconds=60)
STATUS = CacheEntry("status", Status, seconds=60)
DAY = CacheEntry("day", Day, seconds=60)

# What is asked for in ever other ways stays for the little while in which a page's viewers come for it, if it is small.
ALERTS = CacheEntry("alerts", tuple[Alert, ...], seconds=20, most_bytes=1 << 18)
SPARKLINES = CacheEntry("sparklines", Sparklines, seconds=20, most_bytes=1 << 18)
SERIES = CacheEntry("series", Series, seconds=5, most_bytes=1 << 18)
HOURS = CacheEntry("hours", Hours, seconds=5, most_bytes=1 << 18)


class SharedReader:
    """A MarketReader in front of another one, of which others stand in front of the same database.

    Every value's key names the database, the program's version and the revision, so that nothing has to be removed.
    Without Redis it is as if this reader were not there.
    """

    def __init__(self, reader: MarketReader, memory: RedisCache) -> None:
        self._reader = reader
        self._memory = memory
        self._seen = 0

    @property
    def profile(self) -> Profile:
        return self._reader.profile

    def revision(self) -> int:
        told = self._memory.once(REVISION, "", self._reader.revision)
        if told < self._seen:  # one who was slow has put down an old one, or a backup was restored: who knows is asked
            told = self._reader.revision()
        self._seen = told
        return told

    def ranking(self) -> Ranking:
        return self._shared(RANKING, "", self._reader.ranking)

    def metric(self, wanted: int | str) -> RankedMetric:
        return self._reader.metric(wanted)  # whoever has the ranking asks this of untracked ones only

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._series("prices", self._reader.prices, metric_id, since, until, revision)

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        key = _span(metric_id, since, until)
        return self._shared(HOURS, key, lambda: self._reader.hours(metric_id, since, until))

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._series("volumes", self._reader.volumes, metric_id, since, until, revision)

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        since, metric_id, limit = query.since, query.metric_id, query.limit
        if query != AlertQuery(since=since, metric_id=metric_id, limit=limit):
            return self._reader.alerts(query)  # one of many queries, which hardly anybody else asks
        if since is None:
            return self._shared(ALERTS, f"{metric_id}:{limit}", lambda: self._reader.alerts(query))
        # The banner asks for alerts since an hour before the present second: they are among those since a full hour.
        hour = since.replace(minute=0, second=0, microsecond=0)
        key = f"{metric_id}:{limit}:{int(hour.timestamp())}"
        found = self._shared(ALERTS, key, lambda: self._reader.alerts(replace(query, since=hour)))
        return tuple(alert for alert in found if alert.fired_at >= since)

    def open_alerts(self) -> OpenAlerts:
        return self._shared(UNATTENDED, "", self._reader.open_alerts)

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        key = ",".join(map(str, metric_ids))
        return self._shared(SPARKLINES, key, lambda: self._reader.sparklines(metric_ids))

    def status(self, now: datetime) -> Status:
        found = self._shared(STATUS, "", lambda: self._reader.status(now))
        return replace(found.as_of(now, self.profile.period_seconds), shared_cache=self._memory.up)

    def day(self, now: datetime) -> Day:
        return self._shared(DAY, str(to_epoch(now) // 60), lambda: self._reader.day(now))

    def _series(
        self,
        name: str,
        read: Callable[[int, datetime, datetime, int | None], Series],
        metric_id: int,
        since: datetime,
        until: datetime,
        told: int | None,
    ) -> Series:
        if not self._memory.ready():
            return read(metric_id, since, until, told)
        # What is read as of a revision is put down as of no later one: whoever finds it keeps it for as long.
        revision = max(self.revision(), told or 0)
        key = f"{revision}:{name}:{_span(metric_id, since, until)}"
        return self._memory.once(SERIES, key, lambda: read(metric_id, since, until, revision))

    def _shared(self, shelf: CacheEntry[T], key: str, make: Callable[[], T]) -> T:
        """What was read of the present revision, or of one that came while it was read."""
        if not self._memory.ready():
            return make()
        return self._memory.once(shelf, f"{self.revision()}:{key}", make)


def _span(metric_id: int, since: datetime, until: datetime) -> str:
    return f"{metric_id}:{to_epoch(since)}:{to_epoch(until)}"
