"""Fakes of the ports, in memory."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event
from typing import TypeVar

import numpy as np

from services.market.alerting.alerts import (
    NEWEST_ALERTS,
    Alert,
    AlertCounts,
    AlertQuery,
    Mute,
    OpenAlerts,
    ReplayedFiring,
    ReplayResult,
)
from services.market.alerting.messages import Delivery, DeliveryState
from services.market.alerting.rules import MAX_RULES, AlertRule, TooManyRules, require_channels
from services.market.candles import hourly
from services.market.dependencies import Dependencies
from services.market.errors import (
    DeliveryFailed,
    NotFailed,
    StoreUnavailable,
    TrackerError,
    UnknownChannel,
    UnknownDelivery,
    UnknownMetric,
    UnknownRecord,
)
from services.market.ports import AlertService, Clock, Deliveries, MarketReader, Steps
from services.market.ranking import RankedMetric, Ranking, Sparklines
from services.market.status import Day, Profile, Status
from services.market.times import HOUR
from services.market.types import Hours, Series
from tests import builders

T = TypeVar("T")


@dataclass
class Timer:
    """A clock of seconds that stands still until a test moves it."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


class Passing(Event):
    """An event whose `wait` returns at once: it moves `timer` on and calls `meanwhile`."""

    def __init__(self, timer: Timer, meanwhile: Callable[[], object] = lambda: None) -> None:
        super().__init__()
        self._timer, self._meanwhile = timer, meanwhile

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self._timer.now += timeout
        self._meanwhile()
        return self.is_set()


@dataclass
class FakeAlertService:
    """An AlertService in memory; `query` is the last one."""

    stored: dict[int, AlertRule] = field(default_factory=dict)
    fired: dict[int, Alert] = field(default_factory=dict)
    muted: dict[int, Mute] = field(default_factory=dict)
    states: dict[int, dict[str, int]] = field(default_factory=dict)
    query: AlertQuery | None = None
    tried: AlertRule | None = None
    steps: Iterable[float | None] = (0.0,)
    trouble: TrackerError | None = None
    ended: int = 0
    """The number of ended replays."""
    channels: tuple[str, ...] = ()

    def rules(self) -> tuple[AlertRule, ...]:
        return tuple(self.stored.values())

    def rule(self, number: int) -> AlertRule:
        return self._found(self.stored, number, "rule")

    def state_counts(self) -> dict[int, dict[str, int]]:
        return self.states

    def add_rule(self, rule: AlertRule) -> AlertRule:
        require_channels(rule, self.channels)
        if len(self.stored) >= MAX_RULES:
            raise TooManyRules("there are too many")
        number = max(self.stored, default=0) + 1
        self.stored[number] = replace(rule, id=number)
        return self.stored[number]

    def change_rule(self, rule: AlertRule, now: datetime) -> None:
        require_channels(rule, self.channels, self.rule(rule.id))
        self.stored[rule.id] = rule

    def remove_rule(self, number: int, now: datetime) -> None:
        self.rule(number)
        del self.stored[number]

    def acknowledge(self, number: int, note: str | None, now: datetime, by: str | None = None) -> Alert:
        alert = self._found(self.fired, number, "alert")
        self.fired[number] = replace(alert, acknowledged_at=now, note=note, acknowledged_by=by)
        return self.fired[number]

    def acknowledge_all(self, query: AlertQuery, note: str | None, now: datetime, by: str | None = None) -> int:
        self.query = query
        meant = [
            number
            for number, alert in self.fired.items()
            if alert.acknowledged_at is None and (query.up_to is None or number <= query.up_to)
        ]
        for number in meant:
            self.acknowledge(number, note, now, by)
        return len(meant)

    def mutes(self, now: datetime) -> tuple[Mute, ...]:
        return tuple(self.muted.values())

    def mute(
        self, rule_id: int | None, metric_id: int | None, until: datetime | None, note: str | None, now: datetime
    ) -> Mute:
        number = len(self.muted) + 1
        self.muted[number] = Mute(number, rule_id, metric_id, until, note, now)
        return self.muted[number]

    def replay(self, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Steps[ReplayResult]:
        """Reports the shares of `steps`, then returns the stored firings; raises `trouble` instead, if set."""
        self.tried = rule
        try:
            if self.trouble is not None and not self.steps:
                raise self.trouble
            yield from self.steps
            if self.trouble is not None:
                raise self.trouble
            fired = sorted(self.fired.values(), key=lambda alert: alert.fired_at)
            return builders.firings(*(ReplayedFiring(alert.metric_id, alert.fired_at, alert.price) for alert in fired))
        finally:
            self.ended += 1

    def unmute(self, number: int, now: datetime) -> None:
        self._found(self.muted, number, "mute")
        del self.muted[number]

    def _found(self, stored: dict[int, T], number: int, what: str) -> T:
        if number not in stored:
            raise UnknownRecord(f"no {what} {number}")
        return stored[number]


@dataclass
class FakeReader:
    """A MarketReader over what the test puts into its fields; `put` makes a new revision."""

    profile: Profile = field(default_factory=builders.profile)
    metrics: tuple[RankedMetric, ...] = ()
    price_series: dict[int, Series] = field(default_factory=dict)
    volume_series: dict[int, Series] = field(default_factory=dict)
    fired: Collection[Alert] = ()
    alert_query: AlertQuery | None = None
    """The last query."""
    state: Status = field(default_factory=builders.status)
    today: Day = field(default_factory=builders.day)
    down: bool = False
    calls: list[str] = field(default_factory=list)
    as_of: list[int | None] = field(default_factory=list)
    """The revisions that callers passed when they read series."""
    lines_asked: list[tuple[int, ...]] = field(default_factory=list)
    no_history: int = 0

    def put(self, *metrics: RankedMetric) -> None:
        """Replace the ranking, as a tick does."""
        self.metrics = metrics
        self.state = replace(self.state, revision=self.state.revision + 1)

    def revision(self) -> int:
        self._answer("revision")
        return self.state.revision

    def ranking(self) -> Ranking:
        self._answer("ranking")
        return Ranking(self.state.revision, self.state.minute, self.metrics)

    def metric(self, wanted: int | str) -> RankedMetric:
        self._answer("metric")
        for row in self.metrics:
            if wanted == row.id or (isinstance(wanted, str) and wanted.lower() == row.key.lower()):
                return row
        raise UnknownMetric(wanted)

    def prices(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        self._answer("prices")
        self.as_of.append(revision)
        return self._series(self.price_series, metric_id, since, until)

    def hours(self, metric_id: int, since: datetime, until: datetime) -> Hours:
        self._answer("hours")
        first, last = (datetime.fromtimestamp(-(-edge.timestamp() // HOUR) * HOUR, UTC) for edge in (since, until))
        return hourly(
            self._series(self.price_series, metric_id, first, last),
            self._series(self.volume_series, metric_id, first, last),
        )

    def volumes(self, metric_id: int, since: datetime, until: datetime, revision: int | None = None) -> Series:
        self._answer("volumes")
        self.as_of.append(revision)
        return self._series(self.volume_series, metric_id, since, until)

    def alerts(self, query: AlertQuery = NEWEST_ALERTS) -> tuple[Alert, ...]:
        self._answer("alerts")
        self.alert_query = query
        found = [
            alert
            for alert in self.fired
            if (query.since is None or alert.fired_at >= query.since) and query.metric_id in (None, alert.metric_id)
        ]
        found.sort(key=lambda alert: alert.fired_at, reverse=True)
        return tuple(found[query.offset : query.offset + query.limit])

    def count_alerts(self, query: AlertQuery) -> AlertCounts:
        self._answer("count_alerts")
        unacknowledged = [alert for alert in self.fired if alert.acknowledged_at is None]
        return AlertCounts(len(self.fired), len(unacknowledged))

    def rules_that_fired(self) -> dict[int, str | None]:
        self._answer("rules_that_fired")
        return {alert.rule_id: alert.rule for alert in self.fired}

    def open_alerts(self) -> OpenAlerts:
        self._answer("open_alerts")
        found = [
            alert
            for alert in self.alerts()
            if alert.resolved_at is None and alert.acknowledged_at is None and not alert.muted
        ]
        return OpenAlerts(len(found), tuple(found[:20]))

    def sparklines(self, metric_ids: tuple[int, ...]) -> Sparklines:
        """Lines that rise by half in a day, with the first `no_history` hours unknown."""
        self._answer("sparklines")
        self.lines_asked.append(metric_ids)
        rows = [row for row in self.metrics if row.id in metric_ids]
        prices = np.array([row.price or np.nan for row in rows], dtype=np.float64)
        shape = np.arange(24) * 100 // 23
        shape[: self.no_history] = 255
        points = np.tile(shape.astype(np.uint8), (len(rows), 1))
        ids = np.array([row.id for row in rows], dtype=np.int64)
        return Sparklines(self.state.minute, ids, points, prices / 1.5, prices)

    def status(self, now: datetime) -> Status:
        self._answer("status")
        return self.state

    def day(self, now: datetime) -> Day:
        self._answer("day")
        return self.today

    def _series(self, stored: dict[int, Series], metric_id: int, since: datetime, until: datetime) -> Series:
        self.metric(metric_id)
        whole = stored.get(metric_id, builders.series([]))
        inside = (whole.times > since.timestamp()) & (whole.times <= until.timestamp())
        return Series(whole.times[inside], whole.values[inside], whole.widths[inside])

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        if self.down:
            raise StoreUnavailable("the test took the database away")


@dataclass
class FakeDeliveries:
    """Deliveries over what the test puts into its fields; `tried` are the channels that were tested."""

    channels: tuple[str, ...] = ()
    messages: tuple[Delivery, ...] = ()
    tried: list[str] = field(default_factory=list)
    refuses: DeliveryFailed | None = None

    def newest(self, limit: int, state: DeliveryState | None = None, offset: int = 0) -> tuple[Delivery, ...]:
        return tuple(one for one in self.messages if state in (None, one.state))[offset : offset + limit]

    def count(self, state: DeliveryState | None = None) -> int:
        return sum(state in (None, one.state) for one in self.messages)

    def retry(self, number: int, now: datetime) -> Delivery:
        for one in self.messages:
            if one.id == number and one.state != "failed":
                raise NotFailed(f"message {number} is {one.state}: only one that has failed can be tried again")
            if one.id == number:
                again = replace(one, state="queued", due_at=now, attempts=0)
                self.messages = tuple(again if other is one else other for other in self.messages)
                return again
        raise UnknownDelivery(f"no message {number}")

    def try_out(self, channel: str, now: datetime) -> None:
        if channel not in self.channels:
            raise UnknownChannel(f"no channel {channel!r}")
        if self.refuses is not None:
            raise self.refuses
        self.tried.append(channel)


def fake_dependencies(
    reader: MarketReader | None = None,
    clock: Clock = lambda: builders.NOON,
    deliveries: Deliveries | None = None,
    alert_service: AlertService | None = None,
) -> Dependencies:
    """Dependencies at NOON with fakes for parts that are not given; fake reader and service share alerts."""
    reader, alert_service = reader or FakeReader(), alert_service or FakeAlertService()
    if isinstance(reader, FakeReader) and isinstance(alert_service, FakeAlertService) and not reader.fired:
        reader.fired = alert_service.fired.values()
    return Dependencies(reader, clock, deliveries or FakeDeliveries(), alert_service)
