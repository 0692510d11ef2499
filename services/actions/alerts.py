"""Actions on alerts: users' rules, acknowledgements, mutes and replays. Each change is one commit that readers see."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import numpy as np

from services.concurrency.long_work import LongWork
from services.market.alerting.alerts import Alert, AlertQuery, Mute, ReplayResult
from services.market.alerting.replay import require_replayable
from services.market.alerting.rules import BUILT_IN, MAX_RULES, AlertRule, TooManyRules, require_channels
from services.market.alerting.states import STATE_NAMES
from services.market.errors import UnknownRecord
from services.market.ports import Steps
from services.market.times import to_epoch
from services.store.alerting import alerts, mutes, outbox, replay_process, rules
from services.store.alerting.outbox import AlertNotice
from services.store.alerting.replay_data import plan_replay
from services.store.alerting.replay_process import ReplayTask
from services.store.database.engine import MAX_INTEGER, Connection, Engine, reading, writing
from services.store.ranking import metrics, snapshots
from services.store.ranking.metrics import CatalogueCache

REPLAY_SECONDS = 60.0
"""The time limit of a replay. The largest takes a fifth of this on an idle machine, and most proxies wait no longer."""

REPLAY_RETRY_SECONDS = 10

MAX_VALUES_IN_THREAD = 200_000
"""Periods x metrics of a replay that runs in the requesting thread, in a tenth of a second. A process of its own takes
half a second to start."""


class StoreAlertService:
    """An AlertService over the database; `channels` are those in the settings."""

    def __init__(self, engine: Engine, channels: Collection[str], replays: LongWork | None = None) -> None:
        self._engine = engine
        self._channels = channels
        self._catalogues = CatalogueCache()
        self._replays = replays or LongWork("replay", REPLAY_SECONDS, REPLAY_RETRY_SECONDS)

    def rules(self) -> tuple[AlertRule, ...]:
        with reading(self._engine) as connection:
            return rules.stored(connection)

    def rule(self, number: int) -> AlertRule:
        with reading(self._engine) as connection:
            return _rule(connection, number)

    def state_counts(self) -> Mapping[int, Mapping[str, int]]:
        with reading(self._engine) as connection:
            states_by_rule = rules.states(connection)
        found = {}
        for number, states in states_by_rule.items():
            values, counts = np.unique(states["state"], return_counts=True)
            found[number] = dict(zip((STATE_NAMES[value] for value in values), counts.tolist(), strict=True))
        return found

    def add_rule(self, rule: AlertRule) -> AlertRule:
        require_channels(rule, self._channels)
        with self._changing() as connection:
            if len(rules.stored(connection)) >= MAX_RULES:
                raise TooManyRules(f"there are {MAX_RULES} rules already, which is the limit")
            return rules.add(connection, rule)

    def change_rule(self, rule: AlertRule, now: datetime) -> None:
        with self._changing() as connection:
            require_channels(rule, self._channels, _rule(connection, rule.id))
            if not rule.enabled:
                _notify_ends(connection, rule, to_epoch(now))
            rules.replace(connection, rule, to_epoch(now))

    def remove_rule(self, number: int, now: datetime) -> None:
        with self._changing() as connection:
            _notify_ends(connection, _rule(connection, number), to_epoch(now))
            rules.remove(connection, number, to_epoch(now))

    def acknowledge_all(self, query: AlertQuery, note: str | None, now: datetime, by: str | None = None) -> int:
        with self._changing() as connection:
            return alerts.acknowledge_all(connection, query, note, to_epoch(now), by)

    def acknowledge(self, number: int, note: str | None, now: datetime, by: str | None = None) -> Alert:
        _require_storable("alert", number)
        with self._changing() as connection:
            found = alerts.acknowledge(connection, number, note, to_epoch(now), by)
            if found is None:
                raise UnknownRecord(f"no alert {number}")
            return found

    def mutes(self, now: datetime) -> tuple[Mute, ...]:
        with reading(self._engine) as connection:
            return mutes.current(connection, to_epoch(now))

    def mute(
        self, rule_id: int | None, metric_id: int | None, until: datetime | None, note: str | None, now: datetime
    ) -> Mute:
        with self._changing() as connection:
            if rule_id is not None and rule_id != BUILT_IN:
                _rule(connection, rule_id)
            if metric_id is not None:
                _require_storable("metric", metric_id)
                if metrics.find(connection, metric_id) is None:
                    raise UnknownRecord(f"no metric {metric_id}")
            end = to_epoch(until)
            return mutes.add(connection, rule_id, metric_id, end, note, to_epoch(now))

    def replay(self, rule: AlertRule, since: datetime, until: datetime, period_seconds: int) -> Steps[ReplayResult]:
        require_replayable(rule)
        first, last = to_epoch(since), to_epoch(until)
        with self._replays.place() as place:
            while not place.await_turn():
                yield None
            with reading(self._engine) as connection:
                window = snapshots.window_seconds(connection)
                catalogue = self._catalogues.current(connection)
            plan = plan_replay(rule, catalogue, first, last, period_seconds, window)
            yield 0.0
            task = ReplayTask(plan, first, window)
            if plan.values <= MAX_VALUES_IN_THREAD:
                return replay_process.run_replay(self._engine, task, lambda _: place.check())
            return (yield from replay_process.run_in_process(self._engine, task, place))

    def unmute(self, number: int, now: datetime) -> None:
        _require_storable("mute", number)
        with self._changing() as connection:
            if not mutes.remove(connection, number, to_epoch(now)):
                raise UnknownRecord(f"no mute {number}")

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A commit that other writers wait for, and after which readers read again."""
        with writing(self._engine) as connection:
            snapshots.raise_revision(connection)
            yield connection


def _rule(connection: Connection, number: int) -> AlertRule:
    _require_storable("rule", number)
    found = rules.find(connection, number)
    if found is None:
        raise UnknownRecord(f"no rule {number}")
    return found


def _notify_ends(connection: Connection, rule: AlertRule, now: int) -> None:
    """Queue the messages about the end of the rule's open alerts, if the rule notifies of that."""
    if not rule.tell_resolved:
        return
    ending = {(rule.id, metric_id) for metric_id in alerts.open_alerts(connection, rule.id)}
    over = alerts.unmuted(connection, ending)
    notified = outbox.notified_channels(connection, over)
    outbox.enqueue(connection, now, [AlertNotice(number, "resolved", notified.get(number, ())) for number in over])


def _require_storable(kind: str, number: int) -> None:
    """Raises UnknownRecord for a number that no row can have: some databases refuse to compare it with one."""
    if not 0 <= number <= MAX_INTEGER:
        raise UnknownRecord(f"no {kind} {number}")
