"""Results cached in one process until the database has a new revision, and for as long as it is away."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from services.concurrency.last_known import LastKnown
from services.concurrency.versioned_cache import VersionedCache
from services.market.alerting.alerts import NEWEST_ALERTS, Alert, AlertCounts, AlertQuery, OpenAlerts
from services.market.ports import MarketReader
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Day, Profile, Status
from services.market.times import MINUTE, to_epoch
from services.market.types import Hours, Series

REVISION_SECONDS = 0.25
"""Seconds for which a revision counts as current. A viewer may lag behind a commit by as much."""

TIMEOUT_SECONDS = 0.75
"""Seconds to wait for the database if there is an earlier result to return."""

P = ParamSpec("P")
T = TypeVar("T")


class CachedReader:
    """A MarketReader that caches the results of another: each is read once per revision for all callers.

    While the database is away, the ranking, the status, the day and the open alerts are those that were read last, and
    `Status.away_since` is set. Results that were never read raise StoreUnavailable.
    """

    def __init__(
        self,
        reader: MarketReader,
        timer: Callable[[], float] = time.monotonic,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._reader = reader
        self._timer = timer
        self._cache = VersionedCache()
        self._revision = LastKnown(reader.revision, timeout_seconds, REVISION_SECONDS)
        self._statuses = LastKnown(reader.status, timeout_seconds)
        self._open_alerts = LastKnown(reader.open_alerts, timeout_seconds)
        self._days = LastKnown(reader.day, timeout_seconds)
        self._ranking: Ranking | None = None
        self._away: tuple[float, datetime] | None = None

    @property
    def profile(self) -> Profile:
        return self._reader.profile

    def revision(self) -> int:
        revision = self._revision.get(self._timer(), None)
        # While the database is away, the revision is that of the cached ranking.
        return revision if self._revision.away_since is None or self._ranking is None else self._ranking.revision

    def ranking(self) -> Ranking:
        revision = self.revision()
        if self._revision.away_since is not None and self._ranking is not None:
            return self._ranking
        self._ranking = found = self._cache.get("ranking", revision, self._reader.ranking)
        return found

    def metric(self, wanted: int | str) -> RankedMetric:
        names = self._cache.get("names", self.revision(), self._names)
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

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        return self._reader.alerts(query)

    def count_alerts(self, query: AlertQuery) -> AlertCounts:
        return self._reader.count_alerts(query)

    def rules_that_fired(self) -> Mapping[int, str | None]:
        return self._reader.rules_that_fired()

    def open_alerts(self) -> OpenAlerts:
        revision = self.revision()
        return self._last_if_away(self._open_alerts) or self._open_alerts.get(self._timer(), revision)

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        key = ("sparklines", metric_ids)
        return self._cache.get(key, self.revision(), lambda: self._reader.sparklines(metric_ids))

    def status(self, now: datetime) -> Status:
        revision = self.revision()
        version = (revision, to_epoch(now))
        found = self._last_if_away(self._statuses) or self._statuses.get(self._timer(), version, now)
        away_since = self._revision.away_since
        if away_since is None:
            if found.revision > revision:  # a commit since: who has seen it in the status must see it in the ranking
                self._revision.forget()
            return found.as_of(now, self.profile.period_seconds)  # it may have been read a moment ago
        if self._away is None or self._away[0] != away_since:
            self._away = away_since, now - timedelta(seconds=self._timer() - away_since)
        found = replace(found, away_since=self._away[1])
        if self._ranking is not None:  # of one state, whichever was read last
            found = replace(found, revision=self._ranking.revision, minute=self._ranking.minute)
        return found.as_of(now, self.profile.period_seconds)

    def day(self, now: datetime) -> Day:
        # The gap since the last tick grows without a new revision.
        version = (self.revision(), to_epoch(now) // MINUTE)
        return self._last_if_away(self._days) or self._days.get(self._timer(), version, now)

    def _last_if_away(self, last: LastKnown[P, T]) -> T | None:
        """The value that was read last, if the database is known to be away: callers do not wait for each in turn."""
        return None if self._revision.away_since is None else last.known

    def _names(self) -> dict[int | str, RankedMetric]:
        names: dict[int | str, RankedMetric] = {}
        for row in self.ranking().metrics:
            names[row.id] = names[row.key.lower()] = row
        return names
