"""Alert: find the metrics that break a rule, and write what they owe."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from services.market.alert_rules import BUILT_IN
from services.market.rules import Rule
from services.market.states import Mask
from services.market.stats import Kept
from services.market.types import STALE_PERIODS, Catalogue
from services.pipeline.rules import Scopes, apply_rules
from services.pipeline.store import Arrivals, frozen_places
from services.store import alerts, mutes, outbox
from services.store.alerts import Firing
from services.store.engine import Connection
from services.store.outbox import News


def alert(
    connection: Connection,
    minute: int,
    before: Kept,
    kept: Kept,
    arrivals: Arrivals,
    catalogue: Catalogue,
    period_seconds: int,
    rule: Rule,
    scopes: Scopes,
    channels: Sequence[str],
) -> tuple[Firing, ...]:
    """Fire for each metric that breaks the built-in `rule` or one that somebody wrote, and owe the messages: of what is
    not muted, to the rule's channels or else to all `channels`. Marks the firing rows of `kept`; answers what was
    fired."""
    frozen = np.zeros(len(kept), dtype=np.bool_)
    frozen[frozen_places(connection, arrivals, catalogue)] = True
    firings = _built_in(connection, minute, kept, arrivals, frozen, rule, period_seconds)
    outcome = apply_rules(connection, minute, before, kept, arrivals, catalogue, period_seconds, scopes, frozen)
    firings += tuple(outcome.firings)
    mutes.end_timed(connection, minute)
    over = alerts.unmuted(connection, outcome.ended_aloud)
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
    kept["alerted_at"][np.isin(kept["id"], [firing.metric_id for firing in firings if not firing.muted])] = minute
    numbers = alerts.fire(connection, firings)
    news = [
        News(number, "fired", channels if firing.channels is None else firing.channels)
        for number, firing in zip(numbers, firings, strict=True)
        if not firing.muted
    ]
    told = outbox.told_of(connection, over)
    news += [News(number, "resolved", told.get(number, ())) for number in over]
    outbox.owe(connection, minute, news)
    return firings


def _prominence(firing: Firing) -> float:
    """How many times the threshold the value is, or the threshold the value; 1 where there is no saying."""
    if not firing.value or not firing.threshold:
        return 1.0
    return max(firing.value / firing.threshold, firing.threshold / firing.value)


def _built_in(
    connection: Connection,
    minute: int,
    kept: Kept,
    arrivals: Arrivals,
    frozen: Mask,
    rule: Rule,
    period_seconds: int,
) -> tuple[Firing, ...]:
    """What a price of this very period, and of no exchange that repeats itself, makes the built-in rule fire, unless it
    did so within the cooldown, as the stored alerts tell. Those that are over resolve."""
    fresh = np.zeros(len(kept), dtype=np.bool_)
    fresh[arrivals.places] = True
    fresh &= ~frozen
    exceeded = rule.exceeded(fresh, kept["price"], kept["rule_average"], kept["rule_count"])
    lost = kept["priced_at"] <= minute - STALE_PERIODS * period_seconds
    goes_on = kept["id"][exceeded | ~(fresh | lost)]
    over = alerts.open_alerts(connection, BUILT_IN).difference(goes_on.tolist())
    alerts.resolve(connection, [(BUILT_IN, metric_id) for metric_id in sorted(over)], minute)
    broken = np.flatnonzero(exceeded)
    if not len(broken):
        return ()
    cooling = alerts.last_fired(connection, kept["id"][broken].tolist(), minute - rule.cooldown_seconds)
    return tuple(
        Firing(
            metric_id=int(kept["id"][row]),
            fired_at=minute,
            price=float(kept["price"][row]),
            average=float(kept["rule_average"][row]),
            factor=rule.factor,
            samples=int(kept["rule_count"][row]),
            value=float(kept["price"][row]),
            reference=float(kept["rule_average"][row]),
            threshold=float(rule.factor * kept["rule_average"][row]),
        )
        for row in broken
        if int(kept["id"][row]) not in cooling
    )
