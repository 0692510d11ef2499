"""Results shared through Redis: one process reads them from the database, the others of its installation from Redis."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from services.caching.redis_cache import CacheEntry, RedisCache
from services.market.alerting.alerts import NEWEST_ALERTS, Alert, AlertCounts, AlertQuery, OpenAlerts
from services.market.ports import MarketReader
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Day, Profile, Status
from services.market.times import MINUTE, to_epoch
from services.market.types import Hours, Series

T = TypeVar("T")

REVISION = CacheEntry("revision", int, seconds=0.5, timeout_seconds=0.5)
"""All processes together read it from the database this often. Each of them trusts it for another quarter of a second,
so a viewer sees a commit within a second. It is polled, because an announcement can be lost."""

RANKING = CacheEntry("ranking", Ranking, seconds=60)
OPEN_ALERTS = CacheEntry("unattended", OpenAlerts, seconds=60)
STATUS = CacheEntry("status", Status, seconds=60)
DAY = CacheEntry("day", Day, seconds=60)

# Results of many different queries are cached if they are small, until all viewers of a page have requested them.
ALERTS = CacheEntry("alerts", tuple[Alert, ...], seconds=20, max_bytes=1 << 18)
SPARKLINES = CacheEntry("sparklines", Sparklines, seconds=20, max_bytes=1 << 18)
SERIES = CacheEntry("series", Series, seconds=5, max_bytes=1 << 18)
HOURS = CacheEntry("hours", Hours, seconds=5, max_bytes=1 << 18)


class SharedReader:
    """A MarketReader that shares the results of `reader` with other processes through Redis.

    Every key names the database, the program's version and the revision, so no entry has to be removed. While Redis is
    away, each call goes to `reader`.
    """

    def __init__(self, reader: MarketReader, cache: RedisCache) -> None:
        self._reader = reader
        self._cache = cache
        self._newest = 0

    @property
    def profile(self) -> Profile:
        return self._reader.profile

    def revision(self) -> int:
        revision = self._cache.get_or_compute(REVISION, "", self._reader.revision)
        if revision < self._newest:  # a slow process cached an old one, or a backup was restored: the database knows
            revision = self._reader.revision()
        self._newest = revision
        return revision

    def ranking(self) -> Ranking:
        return self._shared(RANKING, "", self._reader.ranking)

    def metric(self, wanted: int | str) -> RankedMetric:
        return self._reader.metric(wanted)  # callers with a ranking ask this for untracked metrics only

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
            return self._reader.alerts(query)  # one of many queries, which hardly any other viewer sends
        if since is None:
            return self._shared(ALERTS, f"{metric_id}:{limit}", lambda: self._reader.alerts(query))
        # The banner asks for alerts since an hour ago, to the second. They are among those since the full hour before.
        hour = since.replace(minute=0, second=0, microsecond=0)
        key = f"{metric_id}:{limit}:{int(hour.timestamp())}"
        found = self._shared(ALERTS, key, lambda: self._reader.alerts(replace(query, since=hour)))
        return tuple(alert for alert in found if alert.fired_at >= since)

    def count_alerts(self, query: AlertQuery) -> AlertCounts:
        return self._reader.count_alerts(query)

    def rules_that_fired(self) -> Mapping[int, str | None]:
        return self._reader.rules_that_fired()

    def open_alerts(self) -> OpenAlerts:
        return self._shared(OPEN_ALERTS, "", self._reader.open_alerts)

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        key = ",".join(map(str, metric_ids))
        return self._shared(SPARKLINES, key, lambda: self._reader.sparklines(metric_ids))

    def status(self, now: datetime) -> Status:
        found = self._shared(STATUS, "", lambda: self._reader.status(now))
        return replace(found.as_of(now, self.profile.period_seconds), shared_cache=self._cache.up)

    def day(self, now: datetime) -> Day:
        return self._shared(DAY, str(to_epoch(now) // MINUTE), lambda: self._reader.day(now))

    def _series(
        self,
        name: str,
        read: Callable[[int, datetime, datetime, int | None], Series],
        metric_id: int,
        since: datetime,
        until: datetime,
        known_revision: int | None,
    ) -> Series:
        if not self._cache.ready():
            return read(metric_id, since, until, known_revision)
        # A result is cached under no later revision than it was read at: readers trust it for as long as that lasts.
        revision = max(self.revision(), known_revision or 0)
        key = f"{revision}:{name}:{_span(metric_id, since, until)}"
        return self._cache.get_or_compute(SERIES, key, lambda: read(metric_id, since, until, revision))

    def _shared(self, entry: CacheEntry[T], key: str, compute: Callable[[], T]) -> T:
        """The result at the current revision, or at one that was committed while it was read."""
        if not self._cache.ready():
            return compute()
        return self._cache.get_or_compute(entry, f"{self.revision()}:{key}", compute)


def _span(metric_id: int, since: datetime, until: datetime) -> str:
    return f"{metric_id}:{to_epoch(since)}:{to_epoch(until)}"
