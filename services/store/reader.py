"""What the web reads from the database, each result from one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np

from services.market.alerting.alerts import NEWEST_ALERTS, Alert, AlertCounts, AlertQuery, OpenAlerts
from services.market.errors import UnknownMetric
from services.market.present import is_stale
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.stats import measures, metric_stats
from services.market.status import Day, Profile, Status, Storage
from services.market.times import DAY, HOUR, from_epoch, to_epoch
from services.market.types import Hours, Metric, Series
from services.store import set_aside, sizes
from services.store.alerting import alerts
from services.store.database import leases
from services.store.database.engine import Connection, Engine, reading
from services.store.database.sqlite_file import write_error
from services.store.history import backfills, prices, retention, rollups, sealing
from services.store.history.prices import PRICE
from services.store.history.recent_cache import RecentSamplesCache
from services.store.history.volumes import VOLUME
from services.store.ranking import exchange_states, metrics, snapshots, ticks
from services.store.ranking.metrics import CatalogueCache
from services.store.ranking.ranked_metrics import ranked_metrics

MAX_TICKS = 60
MAX_UNACKNOWLEDGED = 20
SPARKLINE_POINTS = 24
SPARKLINE_LOOKBACK = 5 * 60
NO_POINT = 255


class StoreReader:
    """A MarketReader over the database. Caches only the catalogue, and recent samples of requested metrics."""

    def __init__(self, engine: Engine, profile: Profile) -> None:
        self._engine = engine
        self._profile = profile
        self._catalogues = CatalogueCache()
        window = min(round(profile.window_hours * HOUR), DAY)
        self._prices, self._volumes = RecentSamplesCache(PRICE, window), RecentSamplesCache(VOLUME, window)

    @property
    def profile(self) -> Profile:
        return self._profile

    def revision(self) -> int:
        with reading(self._engine) as connection:
            return snapshots.revision(connection)

    def ranking(self) -> Ranking:
        with reading(self._engine) as connection:
            catalogue = self._catalogues.current(connection)
            snapshot = snapshots.load(connection)
        statistics, _ = metric_stats.align(snapshot.statistics, catalogue.ids)
        rank = np.where(statistics["rank"] > 0, statistics["rank"], np.iinfo(np.int64).max)
        order = np.lexsort((statistics["id"], rank)).tolist()
        lines = ranked_metrics(catalogue.metrics, statistics, snapshot, self._profile.period_seconds)
        return Ranking(snapshot.revision, from_epoch(snapshot.minute), tuple(lines[place] for place in order))

    def metric(self, wanted: int | str) -> RankedMetric:
        with reading(self._engine) as connection:
            found = metrics.find(connection, wanted)
            snapshot = snapshots.load(connection)
        if found is None:
            raise UnknownMetric(wanted)
        statistics, _ = metric_stats.align(snapshot.statistics, np.array([found.id], dtype=np.int64))
        return ranked_metrics([found], statistics, snapshot, self._profile.period_seconds)[0]

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._series(self._prices, metric_id, since, until, revision)

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        first, last = (-(-to_epoch(edge) // HOUR) * HOUR for edge in (since, until))
        with reading(self._engine) as connection:
            return rollups.series(connection, metric_id, first, last)

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        return self._series(self._volumes, metric_id, since, until, revision)

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        with reading(self._engine) as connection:
            return alerts.find(connection, query)

    def count_alerts(self, query: AlertQuery) -> AlertCounts:
        with reading(self._engine) as connection:
            return alerts.count(connection, query)

    def rules_that_fired(self) -> Mapping[int, str | None]:
        with reading(self._engine) as connection:
            return alerts.rules_that_fired(connection)

    def open_alerts(self) -> OpenAlerts:
        with reading(self._engine) as connection:
            return alerts.open_unacknowledged(connection, MAX_UNACKNOWLEDGED)

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        with reading(self._engine) as connection:
            ids = np.intersect1d(self._catalogues.current(connection).ids, np.array(metric_ids, dtype=np.int64))
            newest = snapshots.version(connection).minute
            found = np.full((len(ids), SPARKLINE_POINTS), np.nan)
            if newest is not None and len(ids):
                hours = newest - np.arange(SPARKLINE_POINTS - 1, -1, -1, dtype=np.int64) * HOUR
                # The last price of each hour's last five minutes, or last period: a missed tick leaves no gap.
                found = prices.last_prices(
                    connection, ids, hours, max(SPARKLINE_LOOKBACK, self._profile.period_seconds)
                )
        low, high = np.fmin.reduce(found, axis=1), np.fmax.reduce(found, axis=1)
        spread = (high - low)[:, np.newaxis]
        with np.errstate(invalid="ignore", divide="ignore"):
            scaled = np.where(spread > 0, (found - low[:, np.newaxis]) / spread * 100, 50.0)
        points = np.where(np.isnan(found), NO_POINT, np.nan_to_num(scaled)).astype(np.uint8)
        return Sparklines(from_epoch(newest), ids, points, low, high)

    def status(self, now: datetime) -> Status:
        with reading(self._engine) as connection:
            snapshot = snapshots.load(connection)
            catalogue = self._catalogues.current(connection)
            exchanges = exchange_states.load(connection)
            progress = backfills.progress(connection)
            newest = ticks.newest(connection, MAX_TICKS)
            warnings = metrics.warnings(connection)
            holder = leases.holder(connection, now.timestamp())
            aside = set_aside.total(connection)
            size = sizes.current(connection)
            storage = Storage(
                size_bytes=size,
                growth_bytes=sizes.growth(connection, to_epoch(now), size),
                sealed_until=from_epoch(sealing.sealed_until(connection)),
                retained_since=self._retained_since(connection, snapshot.minute),
            )
        statistics, _ = metric_stats.align(snapshot.statistics, catalogue.ids)
        trading = catalogue.active & ~measures.frozen(statistics)
        old = is_stale(statistics["priced_at"], snapshot.minute or 0, self._profile.period_seconds)
        return Status(
            revision=snapshot.revision,
            minute=from_epoch(snapshot.minute),
            stale=False,
            tracked=len(catalogue.metrics),
            trading=int(trading.sum()),
            priced=int((trading & ~old).sum()),
            exchanges=exchanges,
            backfills=progress,
            ticks=newest,
            warnings=warnings,
            storage=storage,
            holder=holder,
            set_aside=aside,
            cannot_write=write_error(self._engine),
        ).as_of(now, self._profile.period_seconds)

    def day(self, now: datetime) -> Day:
        second = to_epoch(now)
        with reading(self._engine) as connection:
            metrics_now = self._catalogues.current(connection).metrics
            day_ticks = ticks.day(connection, second, self._profile.period_seconds)
            day_sizes = sizes.history(connection, second)
        since = from_epoch(second - DAY)
        came = [(metric.new_at, metric) for metric in metrics_now if metric.new_at and metric.new_at > since]
        went = [(metric.gone_at, metric) for metric in metrics_now if metric.gone_at and metric.gone_at > since]
        return Day(day_ticks, _latest_first(came), _latest_first(went), day_sizes)

    def _retained_since(self, connection: Connection, minute: int | None) -> datetime | None:
        if self._profile.retention_days is None or minute is None:
            return None
        return from_epoch(retention.overdue_since(connection, minute, round(self._profile.retention_days * DAY)))

    def _series(
        self, recent: RecentSamplesCache, metric_id: int, since: datetime, until: datetime, revision: int | None
    ) -> Series:
        first, last = to_epoch(since), to_epoch(until)
        known = None if revision is None else recent.known(revision, metric_id, first, last)
        if known is not None:
            return known
        with reading(self._engine) as connection:
            return recent.series(connection, metric_id, first, last)


def _latest_first(dated: Sequence[tuple[datetime, Metric]]) -> tuple[Metric, ...]:
    return tuple(metric for _, metric in sorted(dated, key=lambda one: (one[0], -one[1].id), reverse=True))
