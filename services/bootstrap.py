"""The composition root: makes the program's services from the settings, and alone chooses implementations."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from threading import Event, Lock
from uuid import uuid4

from services.actions.alerts import StoreAlertService
from services.actions.deliveries import DeliveryService
from services.caching.process_reader import CachedReader
from services.caching.redis_cache import open_redis_cache
from services.caching.redis_reader import SharedReader
from services.disclosure import shown_settings
from services.exchanges import registry
from services.market.alerting.rules import built_in
from services.market.errors import UnknownExchange
from services.market.ports import AlertService, Clock, Deliveries, Exchange, MarketReader, Notifier, TokenBook
from services.market.stats.metric_stats import Windows
from services.market.status import Profile
from services.market.times import DAY, HOUR, MINUTE
from services.name_resolution import install_resolver
from services.notifiers.channels import open_notifiers
from services.notifiers.heartbeat import Heartbeat
from services.notifiers.safe_http import BadUrl, parse_target
from services.notifiers.webhook import WebhookOptions
from services.pipeline.backfill import Backfills
from services.pipeline.discover import Discovery
from services.pipeline.fetch import Fetcher
from services.pipeline.notify import Senders
from services.pipeline.outages import Outages
from services.pipeline.tick import Plan
from services.settings import BadSettings, Settings
from services.store.database import schema
from services.store.database.engine import Engine, open_engine, reading
from services.store.database.lease_holder import LeaseHolder
from services.store.ranking.metrics import CatalogueCache
from services.store.reader import StoreReader
from services.store.tokens import TokenStore

VERSION = "1.1.0"
"""The only place of the program's version; pyproject.toml reads it."""

MAX_ASIDE_SECONDS = 5.0
"""A tick takes no longer, unless it waits for the database or an exchange: then it needs no processor."""

MAX_WAIT_SECONDS = 10.0
"""Seconds that an exchange has to answer a tick, if the period is long enough."""

OpenExchange = Callable[[str], Exchange]
"""The exchange of this name, to which nothing has been sent yet. Raises UnknownExchange."""


@dataclass
class Services:
    """The program behind its interfaces: what jobs, routes and callbacks work with."""

    settings: Settings
    engine: Engine
    clock: Clock
    reader: MarketReader
    alert_service: AlertService
    tokens: TokenBook
    notifiers: tuple[Notifier, ...]
    plan: Plan
    owner: str
    deliveries: Deliveries
    senders: Senders
    open_exchange: OpenExchange
    heartbeat: Heartbeat | None = None
    ticking: Lock = field(default_factory=Lock)
    stopping: Event = field(default_factory=Event)
    _making: Lock = field(default_factory=Lock)
    _ingestion: "Ingestion | None" = None
    _lease_holders: dict[str, LeaseHolder] = field(default_factory=dict)

    def migrate(self) -> None:
        """Bring the database up to date. Raises WrongDatabase or StoreUnavailable."""
        schema.migrate(self.engine, simulated=self.settings.simulated)

    def require_current(self) -> None:
        """Raise OutdatedDatabase unless the database has this program's schema, StoreUnavailable when it is away."""
        with reading(self.engine) as connection:
            schema.require_current(connection)

    @property
    def timeout_seconds(self) -> float:
        """Seconds that an exchange has to answer a tick."""
        return min(MAX_WAIT_SECONDS, self.settings.period_seconds / 2)

    @property
    def ingestion(self) -> "Ingestion":
        """Made on first use, once for all threads: a process that only serves pages opens no exchange."""
        with self._making:
            if self._ingestion is None:
                self._ingestion = Ingestion(self)
            return self._ingestion

    def lease_holder(self, name: str, seconds: float) -> LeaseHolder:
        """This process's holder of the lease `name` of `seconds`, the same at each call."""
        with self._making:
            if name not in self._lease_holders:
                self._lease_holders[name] = LeaseHolder(self.owner, seconds, self.clock, self.plan.timer, name)
            return self._lease_holders[name]

    def step_aside(self) -> None:
        """Wait while this process ticks, for at most MAX_ASIDE_SECONDS: long work would slow the tick down."""
        if self.ticking.acquire(timeout=MAX_ASIDE_SECONDS):
            self.ticking.release()

    def close(self) -> None:
        """Stop this process's background work; waits for the step of a backfill that is under way."""
        self.stopping.set()
        self.senders.close()
        with self._making:
            ingestion = self._ingestion
        if ingestion is not None:
            ingestion.close()


class Ingestion:
    """The exchanges that TRACK names, and the stages that fetch from them."""

    def __init__(self, services: Services) -> None:
        settings, plan = services.settings, services.plan
        exchanges: dict[str, Exchange] = {}
        unknown: dict[str, str] = {}
        for market in dict.fromkeys(pattern.market for pattern in settings.track):
            try:
                exchanges[market] = services.open_exchange(market)
            except UnknownExchange as error:
                unknown[market] = f"TRACK: {error}"
        outages = Outages(exchanges)
        self.fetcher = Fetcher(exchanges.values(), services.timeout_seconds, outages=outages)
        self.discovery = Discovery(
            services.engine, exchanges, unknown, settings.track, outages, settings.period_seconds
        )
        self.backfills = Backfills(plan, exchanges.values(), services.clock, outages)

    def close(self) -> None:
        """Stop the threads; waits for the step of a backfill that is under way."""
        self.fetcher.close()
        self.backfills.close()


def utc_now() -> datetime:
    """The system clock."""
    return datetime.now(UTC)


def open_services(settings: Settings, clock: Clock = utc_now, open_exchange: OpenExchange | None = None) -> Services:
    """Wire everything together, without connecting to anything yet. `open_exchange` replaces the settings' exchanges.

    Raises BadDatabaseUrl, BadRedisUrl, BadChannel or BadSettings.
    """
    install_resolver()
    engine = open_engine(settings.database)
    secret = settings.webhook_secret
    notifiers = open_notifiers(
        [entry.get_secret_value() for entry in settings.notify_urls],
        WebhookOptions(None if secret is None else secret.get_secret_value(), settings.webhook_allow_private),
        clock,
    )
    profile = profile_of(settings)
    plan = Plan(
        engine=engine,
        catalogues=CatalogueCache(),
        period_seconds=settings.period_seconds,
        windows=Windows(main=round(settings.window_hours * HOUR), rule=settings.alert_window_minutes * MINUTE),
        rule=built_in(profile),
        channels=tuple(notifier.channel for notifier in notifiers),
        retention_seconds=None if settings.retention_days is None else round(settings.retention_days * DAY),
    )
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
    return Services(
        settings=settings,
        engine=engine,
        clock=clock,
        reader=CachedReader(_open_reader(engine, settings, profile)),
        alert_service=StoreAlertService(engine, plan.channels),
        tokens=TokenStore(engine),
        notifiers=notifiers,
        plan=plan,
        owner=owner,
        deliveries=DeliveryService(engine, notifiers),
        senders=Senders(engine, notifiers, clock, Random(), owner, plan.timer),
        open_exchange=open_exchange or _exchange_factory(settings),
        heartbeat=_open_heartbeat(settings),
    )


def _exchange_factory(settings: Settings) -> OpenExchange:
    return lambda name: registry.open_exchange(
        name, settings.exchange_base_url, settings.demo_pairs, settings.period_seconds
    )


def _open_heartbeat(settings: Settings) -> Heartbeat | None:
    if settings.heartbeat_url is None:
        return None
    try:
        return Heartbeat(parse_target(settings.heartbeat_url.get_secret_value()))
    except BadUrl as error:
        raise BadSettings(f"HEARTBEAT_URL: {error}") from None


def _open_reader(engine: Engine, settings: Settings, profile: Profile) -> MarketReader:
    reader = StoreReader(engine, profile)
    if settings.redis_url is None:
        return reader
    # Another database or another version of the program has keys of its own.
    cache = open_redis_cache(
        settings.redis_url.get_secret_value(), lambda: f"data-tracker:{VERSION}:{schema.identity(engine)}"
    )
    return SharedReader(reader, cache)


def profile_of(settings: Settings) -> Profile:
    """The settings that pages and routes use."""
    return Profile(
        version=VERSION,
        simulated=settings.simulated,
        period_seconds=settings.period_seconds,
        window_hours=settings.window_hours,
        alert_factor=settings.alert_factor,
        alert_window_minutes=settings.alert_window_minutes,
        alert_cooldown_minutes=settings.alert_cooldown_minutes,
        alert_min_samples=settings.alert_min_samples,
        settings=shown_settings(settings),
        retention_days=settings.retention_days,
        exposed=settings.exposed,
    )
