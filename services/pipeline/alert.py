"""Alert: evaluate the rules, write the alerts that begin and end, and queue their messages."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.market.alerting.rules import AlertRule
from services.market.stats.metric_stats import MetricStats
from services.market.types import Ints
from services.pipeline.evaluate_rules import Scopes, evaluate_rules
from services.pipeline.tick_context import TickContext
from services.store.alerting import alerts, mutes, outbox
from services.store.alerting.alerts import NewAlert
from services.store.alerting.outbox import AlertNotice
from services.store.ranking import ticks


def alert(
    context: TickContext,
    statistics: MetricStats,
    stalled: Ints,
    built_in: AlertRule,
    scopes: Scopes,
    channels: Sequence[str],
) -> tuple[NewAlert, ...]:
    """Evaluate the built-in rule and the stored ones; write the alerts that begin and end, and queue their messages.

    Messages go to the rule's channels, or else to all `channels`; muted alerts send none. `stalled` are the catalogue
    places of stalled exchanges' metrics. Sets `alerted_at` in `statistics`; returns the alerts that begin.
    """
    connection, minute = context.connection, context.minute
    outcome = evaluate_rules(context, statistics, stalled, built_in, scopes)
    mutes.end_timed(connection, ticks.last_minute(connection, minute - 1) or 0, minute)
    over = alerts.unmuted(connection, outcome.ended_aloud)
    alerts.set_no_data_since(connection, outcome.silenced, minute)
    alerts.set_no_data_since(connection, outcome.returned, None)
    alerts.resolve(connection, outcome.ended, minute)
    mutes.end_resolved(connection, minute)
    if not outcome.firings and not over:
        return ()
    active_mutes = mutes.current(connection, minute)
    firings = [
        replace(firing, muted=mutes.is_muted(active_mutes, firing.rule_id, firing.metric_id))
        for firing in outcome.firings
    ]
    firings.sort(key=_prominence, reverse=True)  # a message lists only the first few
    statistics["alerted_at"][
        np.isin(statistics["id"], [firing.metric_id for firing in firings if not firing.muted])
    ] = minute
    numbers = alerts.insert_alerts(connection, firings)
    notices = [
        AlertNotice(number, "fired", channels if firing.channels is None else firing.channels)
        for number, firing in zip(numbers, firings, strict=True)
        if not firing.muted
    ]
    notified = outbox.notified_channels(connection, over)
    notices += [AlertNotice(number, "resolved", notified.get(number, ())) for number in over]
    outbox.enqueue(connection, minute, notices)
    return tuple(firings)


def _prominence(firing: NewAlert) -> float:
    """The ratio of value and threshold, at least 1; 1 where it is unknown."""
    if not firing.value or not firing.threshold:
        return 1.0
    return max(firing.value / firing.threshold, firing.threshold / firing.value)
