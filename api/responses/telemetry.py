"""Metrics for Prometheus, at `/telemetry`."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from services.market.errors import StoreUnavailable
from services.market.ports import MarketReader
from services.market.status import Profile, Status, Storage


class _StatusCollector(Collector):
    """Turns one Status into gauges. All but the shared cache's come from the database, so that all processes export the
    same. Counts of one process would jump from scrape to scrape, depending on which process answers."""

    def __init__(self, profile: Profile, status: Status | None) -> None:
        self._profile = profile
        self._status = status

    def collect(self) -> Iterable[GaugeMetricFamily | InfoMetricFamily]:
        yield InfoMetricFamily(
            "data_tracker",
            "What runs here.",
            {"version": self._profile.version, "simulated": str(self._profile.simulated).lower()},
        )
        yield _gauge("data_tracker_database_up", "1 while the database answers.", float(self._status is not None))
        if self._status is None:
            return
        yield from _overall(self._status)
        if self._status.shared_cache is not None:
            yield _gauge(
                "data_tracker_shared_cache_up", "1 while the cache in Redis answers.", float(self._status.shared_cache)
            )
        if self._status.ticks:
            yield from _last_tick(self._status)
        if self._status.storage is not None:
            yield from _storage(self._status.storage)
        yield from _exchanges(self._status)
        yield from _backfills(self._status)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=value)


def _overall(status: Status) -> Iterable[GaugeMetricFamily]:
    yield _gauge("data_tracker_revision", "Commits that changed what readers see.", status.revision)
    yield _gauge("data_tracker_metrics_tracked", "Metrics tracked.", status.tracked)
    yield _gauge("data_tracker_metrics_live", "Metrics with a price not older than two periods.", status.live)
    yield _gauge("data_tracker_metrics_stale", "Metrics that trade without such a price.", status.stale_metrics)
    yield _gauge(
        "data_tracker_stale", "1 when the last tick is older than three periods, or yet to come.", float(status.stale)
    )
    if status.minute is not None:
        yield _gauge("data_tracker_last_tick_timestamp_seconds", "The last tick's period.", status.minute.timestamp())


def _last_tick(status: Status) -> Iterable[GaugeMetricFamily]:
    tick = status.ticks[0]
    yield _gauge("data_tracker_tick_late_seconds", "Start of the last tick after its period began.", tick.late_ms / 1e3)
    yield _gauge("data_tracker_tick_fetch_seconds", "Time the last tick waited for exchanges.", tick.fetch_ms / 1e3)
    yield _gauge("data_tracker_tick_commit_seconds", "Time the last tick took to store.", tick.commit_ms / 1e3)
    yield _gauge("data_tracker_tick_prices", "Prices the last tick stored.", tick.stored)
    yield _gauge("data_tracker_tick_rejected", "Values the last tick refused.", tick.rejected)
    yield _gauge(
        "data_tracker_ticks_missed",
        "Periods missed before the ticks on record.",
        sum(t.missed for t in status.ticks),
    )


def _storage(storage: Storage) -> Iterable[GaugeMetricFamily]:
    yield _gauge("data_tracker_database_size_bytes", "Size of the database.", storage.size_bytes)
    if storage.growth_bytes is not None:
        yield _gauge("data_tracker_database_growth_bytes", "Its growth in the last 24 h.", storage.growth_bytes)
    if storage.sealed_until is not None:
        moment = storage.sealed_until.timestamp()
        yield _gauge("data_tracker_sealed_until_timestamp_seconds", "End of the history moved to chunks.", moment)


def _exchanges(status: Status) -> Iterable[GaugeMetricFamily]:
    up = GaugeMetricFamily("data_tracker_exchange_up", "1 while the exchange answers.", labels=["market"])
    latency = GaugeMetricFamily(
        "data_tracker_exchange_latency_seconds", "Duration of its last good answer.", labels=["market"]
    )
    for exchange in status.exchanges:
        up.add_metric([exchange.market], float(exchange.failing_since is None))
        if exchange.latency_ms is not None:
            latency.add_metric([exchange.market], exchange.latency_ms / 1e3)
    yield up
    yield latency


def _backfills(status: Status) -> Iterable[GaugeMetricFamily]:
    requests = GaugeMetricFamily(
        "data_tracker_backfill_requests", "Requests of the current backfill.", labels=["market", "state"]
    )
    for state in status.backfills:
        requests.add_metric([state.market, "done"], state.done)
        requests.add_metric([state.market, "failed"], state.failed)
        requests.add_metric([state.market, "waiting"], state.total - state.done - state.failed)
    yield requests


def render_telemetry(reader: MarketReader, now: datetime) -> tuple[bytes, str]:
    """The exposition text and its content type; a database that is away is a value, not an error."""
    try:
        status = reader.status(now)
    except StoreUnavailable:
        status = None
    if status is not None and status.away_since is not None:
        status = None  # old figures would look as if all were well
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_StatusCollector(reader.profile, status))
    return generate_latest(registry), CONTENT_TYPE_LATEST
