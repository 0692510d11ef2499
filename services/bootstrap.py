"""Settings in, a working program out: the only place where implementations are chosen."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from random import Random
from threading import Event, Lock, RLock
from uuid import uuid4

from services.actions.alerts import StoreAlertService
from services.actions.deliveries import DeliveryService
from services.caching.process_reader import CachedReader
from services.caching.redis_cache import open_memory
from services.caching.redis_reader import SharedReader
from services.disclosure import shown_settings
from services.exchanges.registry import open_exchange
from services.market.alerting.rules import built_in_rule
from services.market.errors import UnknownExchange
from services.market.ports import AlertService, Clock, Deliveries, Exchange, MarketReader, Notifier, TokenBook
from services.market.stats.metric_stats import Windows
from services.market.status import Profile
from services.market.times import DAY, HOUR, MINUTE
from services.name_resolution import bound_look_ups
from services.notifiers.channels import open_notifiers
from services.notifiers.heartbeat import Heartbeat
from services.notifiers.safe_http import BadUrl, parse_target
from services.notifiers.webhook import Terms
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
"""The only place of the program's version: pyproject.toml reads it here."""

MAX_ASIDE_SECONDS = 5.0
"""Longer no tick takes, unless the database or an exchange keeps it: then it does not mind."""

MAX_WAIT_SECONDS = 10.0
"""Seconds that an exchange gets to answer a tick, where the period leaves so many."""


@dataclass
class Services:
    """The program without its doors: what jobs, routes and callbacks work with.

    What only a ticking process needs (exchanges above all) is made when first asked for, once however many threads do.
    """

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
    heartbeat: Heartbeat | None = None
    chance: Random = field(default_factory=Random)
    ticking: Lock = field(default_factory=Lock)
    stopping: Event = field(default_factory=Event)
    _making: RLock = field(default_factory=RLock)
    _candidates: dict[str, LeaseHolder] = field(default_factory=dict)

    def migrate(self) -> None:
        """Bring the database up to date. Raises WrongDatabase or StoreUnavailable."""
        schema.migrate(self.engine, simulated=self.settings.simulated)

    def require_current(self) -> None:
        """Raise OutdatedDatabase unless the database is at this program's schema; StoreUnavailable where it is away."""
        with reading(self.engine) as connection:
            schema.require_current(connection)

    @property
    def patience_seconds(self) -> float:
        """How long an exchange gets to answer a tick."""
        return min(MAX_WAIT_SECONDS, self.settings.period_seconds / 2)

    @property
    def fetcher(self) -> Fetcher:
        with self._making:
            return self._fetcher

    @property
    def discovery(self) -> Discovery:
        with self._making:
            return self._discovery

    @property
    def backfills(self) -> Backfills:
        with self._making:
            return self._backfills

    @property
    def senders(self) -> Senders:
        with self._making:
            return self._senders

    def lease_holder(self, name: str, seconds: float) -> LeaseHolder:
        """This process's part in the lease `name` of `seconds`: one that watches it from one call to the next."""
        with self._making:
            known = self._candidates.get(name)
            if known is None:
                known = LeaseHolder(self.owner, seconds, self.clock, self.plan.timer, name)
                self._candidates[name] = known
            return known

    @cached_property
    def _senders(self) -> Senders:
        return Senders(self.engine, self.notifiers, self.clock, self.chance, self.owner, self.plan.timer)

    @cached_property
    def _fetcher(self) -> Fetcher:
        return Fetcher(self._exchanges[0].values(), self.patience_seconds, outages=self._outages)

    @cached_property
    def _discovery(self) -> Discovery:
        known, unknown = self._exchanges
        return Discovery(self.engine, known, unknown, self.settings.track, self._outages, self.settings.period_seconds)

    @cached_property
    def _outages(self) -> Outages:
        return Outages(self._exchanges[0])

    @cached_property
    def _backfills(self) -> Backfills:
        return Backfills(self.plan, self._exchanges[0].values(), self.clock, self._outages)

    @cached_property
    def _exchanges(self) -> tuple[Mapping[str, Exchange], Mapping[str, str]]:
        """The exchanges that TRACK names, and why some of them cannot be had."""
        known: dict[str, Exchange] = {}
        unknown: dict[str, str] = {}
        for market in dict.fromkeys(pattern.market for pattern in self.settings.track):
            try:
                known[market] = self._open_exchange(market)
            except UnknownExchange as error:
                unknown[market] = f"TRACK: {error}"
        return known, unknown

    def _open_exchange(self, market: str) -> Exchange:
        settings = self.settings
        return open_exchange(market, settings.exchange_base_url, settings.demo_pairs, settings.period_seconds)

    def step_aside(self) -> None:
        """Wait while this process ticks, for at most MAX_ASIDE_SECONDS: a tick shares the interpreter with whoever
        computes meanwhile."""
        if self.ticking.acquire(timeout=MAX_ASIDE_SECONDS):
            self.ticking.release()

    def close(self) -> None:
        """End what this process has under way."""
        self.stopping.set()
        for name in ("_senders", "_fetcher", "_backfills"):  # the last waits for what it is at
            if name in self.__dict__:
                getattr(self, name).close()


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


def open_services(settings: Settings, clock: Clock = utc_now) -> Services:
    """Everything wired together; nothing is connected to yet. Raises BadDatabaseUrl, BadRedisUrl, BadChannel,
    BadSettings."""
    bound_look_ups()
    engine = open_engine(settings.database)
    secret = settings.webhook_secret
    notifiers = open_notifiers(
        [entry.get_secret_value() for entry in settings.notify_urls],
        Terms(None if secret is None else secret.get_secret_value(), settings.webhook_allow_private),
        clock,
    )
    plan = Plan(
        engine=engine,
        catalogues=CatalogueCache(),
        period_seconds=settings.period_seconds,
        windows=Windows(main=round(settings.window_hours * HOUR), rule=settings.alert_window_minutes * MINUTE),
        rule=built_in_rule(
            factor=settings.alert_factor,
            window_seconds=settings.alert_window_minutes * MINUTE,
            cooldown_seconds=settings.alert_cooldown_minutes * 60,
            min_samples=settings.alert_min_samples,
        ),
        channels=tuple(notifier.channel for notifier in notifiers),
        retention_seconds=None if settings.retention_days is None else round(settings.retention_days * DAY),
    )
    return Services(
        settings=settings,
        engine=engine,
        clock=clock,
        reader=CachedReader(_open_reader(engine, settings)),
        alert_service=StoreAlertService(engine, plan.channels),
        tokens=TokenStore(engine),
        notifiers=notifiers,
        plan=plan,
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        deliveries=DeliveryService(engine, notifiers),
        heartbeat=_open_heartbeat(settings),
    )


def _open_heartbeat(settings: Settings) -> Heartbeat | None:
    if settings.heartbeat_url is None:
        return None
    try:
        return Heartbeat(parse_target(settings.heartbeat_url.get_secret_value()))
    except BadUrl as error:
        raise BadSettings(f"HEARTBEAT_URL: {error}") from None


def _open_reader(engine: Engine, settings: Settings) -> MarketReader:
    reader = StoreReader(engine, profile_of(settings))
    if settings.redis_url is None:
        return reader
    # Another database or another version of the program has keys of its own.
    memory = open_memory(
        settings.redis_url.get_secret_value(), lambda: f"data-tracker:{VERSION}:{schema.identity(engine)}"
    )
    return SharedReader(reader, memory)


def profile_of(settings: Settings) -> Profile:
    """What pages and routes may know of the settings."""
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
