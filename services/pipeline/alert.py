"""Alert: find the metrics that break a rule, and write what they owe."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.market import stats
from services.market.alerting.rules import BUILT_IN, Rule
from services.market.alerting.states import Mask
from services.market.present import is_stale
from services.market.stats import MetricStats
from services.market.types import Ints
from services.pipeline.evaluate_rules import Scopes, evaluate_rules
from services.pipeline.tick_context import TickContext
from services.store.alerting import alerts, mutes, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.database.engine import Connection
from services.store.ranking import ticks


def alert(
    context: TickContext,
    statistics: MetricStats,
    stalled: Ints,
    rule: Rule,
    scopes: Scopes,
    channels: Sequence[str],
) -> tuple[NewAlert, ...]:
    """Evaluate the built-in `rule` and the stored ones; write the alerts that begin and end, and queue their messages.

    Messages go to the rule's channels, or else to all `channels`; muted alerts send none. `stalled` are the catalogue
    places of stalled exchanges' metrics. Sets `alerted_at` in `statistics`; returns the alerts that begin.
    """
    connection, minute = context.connection, context.minute
    has_stalled = np.zeros(len(statistics), dtype=np.bool_)
    has_stalled[stalled] = True
    firings = _built_in(context, statistics, has_stalled, rule)
    outcome = evaluate_rules(context, statistics, has_stalled, scopes)
    firings += tuple(outcome.firings)
    mutes.end_timed(connection, ticks.last_minute(connection, minute - 1) or 0, minute)
    over = alerts.unmuted(connection, outcome.ended_aloud)
    alerts.set_no_data_since(connection, outcome.silenced, minute)
    alerts.set_no_data_since(connection, outcome.returned, None)
    alerts.resolve(connection, outcome.ended, minute)
    mutes.end_resolved(connection, minute)
    if not firings and not over:
        return ()
    silent = mutes.current(connection, minute)
    firings = tuple(
        replace(firing, muted=mutes.is_muted(silent, firing.rule_id, firing.metric_id)) for firing in firings
    )
    # A message names the first few: those that stand out most.
    firings = tuple(sorted(firings, key=_prominence, reverse=True))
    statistics["alerted_at"][
        np.isin(statistics["id"], [firing.metric_id for firing in firings if not firing.muted])
    ] = minute
    numbers = alerts.insert_alerts(connection, firings)
    news = [
        AlertNotice(number, "fired", channels if firing.channels is None else firing.channels)
        for number, firing in zip(numbers, firings, strict=True)
        if not firing.muted
    ]
    told = outbox.notified_channels(connection, over)
    news += [AlertNotice(number, "resolved", told.get(number, ())) for number in over]
    outbox.enqueue(connection, minute, news)
    return firings


def _prominence(firing: NewAlert) -> float:
    """How many times the threshold the value is, or the threshold the value; 1 where there is no saying."""
    if not firing.value or not firing.threshold:
        return 1.0
    return max(firing.value / firing.threshold, firing.threshold / firing.value)


def _built_in(context: TickContext, statistics: MetricStats, stalled: Mask, rule: Rule) -> tuple[NewAlert, ...]:
    """What a price of this very period, and of no exchange that repeats itself, makes the built-in rule fire, unless it
    did so within the cooldown, as the stored alerts tell. Those that are over resolve; of those whose price is stale
    there is no data until it is known again."""
    connection, minute = context.connection, context.minute
    fresh = context.fresh & ~stalled
    exceeded = rule.exceeded(fresh, statistics["price"], statistics["rule_average"], statistics["rule_count"])
    # With fewer prices than it takes to say what is usual, nothing is known of how it goes on.
    known = fresh & (statistics["rule_count"] >= rule.min_samples)
    lost = is_stale(statistics["priced_at"], minute, context.period_seconds)
    _carry_on_open(connection, minute, statistics, exceeded, known, lost)
    broken = np.flatnonzero(exceeded)
    if not len(broken):
        return ()
    cooling = alerts.last_fired(connection, statistics["id"][broken].tolist(), minute - rule.cooldown_seconds)
    return tuple(
        NewAlert(
            metric_id=int(statistics["id"][row]),
            fired_at=minute,
            price=float(statistics["price"][row]),
            average=float(statistics["rule_average"][row]),
            factor=rule.factor,
            samples=int(statistics["rule_count"][row]),
            value=float(statistics["price"][row]),
            reference=float(statistics["rule_average"][row]),
            threshold=float(rule.factor * statistics["rule_average"][row]),
        )
        for row in broken
        if int(statistics["id"][row]) not in cooling
    )


def _carry_on_open(
    connection: Connection, minute: int, statistics: MetricStats, exceeded: Mask, known: Mask, lost: Mask
) -> None:
    """What becomes of the built-in rule's open alerts: each ends, goes on, or is without data."""
    open_ones = np.array(sorted(alerts.open_alerts(connection, BUILT_IN)), dtype=np.int64)
    if not len(open_ones):
        return
    rows, tracked = stats.rows_of(statistics, open_ones)
    ended: dict[tuple[int, int], float | None] = dict.fromkeys(_built_in_keys(open_ones[~tracked]))
    rows = rows[tracked]
    over = rows[known[rows] & ~exceeded[rows]]
    ended.update(zip(_built_in_keys(statistics["id"][over]), statistics["price"][over].tolist(), strict=True))
    alerts.resolve(connection, ended, minute)
    silent = alerts.without_data(connection, BUILT_IN)
    silenced = [key for key in _built_in_keys(statistics["id"][rows[lost[rows]]]) if key[1] not in silent]
    alerts.set_no_data_since(connection, silenced, minute)
    returned = [key for key in _built_in_keys(statistics["id"][rows[exceeded[rows]]]) if key[1] in silent]
    alerts.set_no_data_since(connection, returned, None)


def _built_in_keys(metric_ids: Ints) -> list[tuple[int, int]]:
    return [(BUILT_IN, metric_id) for metric_id in metric_ids.tolist()]
