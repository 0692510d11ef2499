"""Evaluate rules: compare all metrics with the built-in rule and the stored ones, and save the rules' states."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.market.alerting.evaluation import (
    Comparison,
    EvaluationContext,
    crossed_quantities,
    evaluate,
    initial_values,
    last_known_values,
    values_of,
)
from services.market.alerting.rules import BUILT_IN, AlertRule, NoData, TimesAverage, longest_windows
from services.market.alerting.running_sums import carry_seconds, next_sums
from services.market.alerting.states import (
    FIRING,
    NO_DATA,
    PENDING,
    Evaluation,
    Mask,
    RuleStates,
    new_states,
    not_ok,
    transition,
)
from services.market.stats import metric_stats
from services.market.stats.metric_stats import MetricStats
from services.market.track import TrackPattern
from services.market.types import Catalogue, Floats, Ints
from services.pipeline.tick_context import TickContext
from services.store.alerting import alerts, last_evaluations, rules, running_sums
from services.store.alerting.alerts import NewAlert
from services.store.alerting.running_sums import StoredSumHistory
from services.store.database.engine import Connection


@dataclass
class Outcome:
    """The results of one evaluation of all rules.

    `changed` are the states to save, by rule. By (rule, metric): the alerts that `ended` (with the value then, None
    where there is none), those of them whose rule notifies about the end (`ended_aloud`), those that are without data
    from now on (`silenced`), and those that have data again and go on (`returned`).
    """

    changed: dict[int, RuleStates] = field(default_factory=dict)
    firings: list[NewAlert] = field(default_factory=list)
    ended: dict[tuple[int, int], float | None] = field(default_factory=dict)
    ended_aloud: set[tuple[int, int]] = field(default_factory=set)
    silenced: list[tuple[int, int]] = field(default_factory=list)
    returned: list[tuple[int, int]] = field(default_factory=list)


NO_STATES = new_states(np.empty(0, dtype=np.int64))


class Scopes:
    """Which metrics each scope names, remembered for as long as the catalogue stays the same."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._masks: dict[tuple[TrackPattern, ...], Mask] = {}

    def mask(self, scope: tuple[TrackPattern, ...], catalogue: Catalogue) -> Mask:
        """Which metrics of the catalogue `scope` names."""
        if self._number != catalogue.number:
            self._number, self._masks = catalogue.number, {}
        if scope not in self._masks:
            self._masks[scope] = _named(scope, catalogue)
        return self._masks[scope]


def evaluate_rules(
    context: TickContext, statistics: MetricStats, stalled: Ints, built_in: AlertRule, scopes: Scopes
) -> Outcome:
    """Evaluate the built-in rule and every enabled stored one, and save their states; return the alerts that begin and
    end, for the caller to write.

    `statistics` are those of this tick; `stalled` are the catalogue places of stalled exchanges' metrics.
    """
    connection, outcome = context.connection, Outcome()
    enabled = [rule for rule in rules.stored(connection) if rule.enabled]
    evaluated = _evaluation_context(context, statistics, stalled, enabled)
    states_of = dict(rules.states(connection))
    states_of[built_in.id] = _states_on_record(connection, built_in, statistics)
    for rule in (built_in, *enabled):
        states = states_of.get(rule.id, NO_STATES)
        _apply(connection, rule, evaluated, scopes.mask(rule.scope, context.catalogue), states, outcome)
    rules.save_states(connection, outcome.changed)
    # Without an enabled rule, this forgets earlier values and sums: after a gap they are of no use to a later rule.
    values = {quantity: last_known_values(evaluated, quantity) for quantity in evaluated.earlier}
    last_evaluations.record(connection, statistics["id"], values)
    _record_sums(connection, enabled, evaluated)
    return outcome


def _evaluation_context(
    context: TickContext, statistics: MetricStats, stalled: Ints, enabled: Sequence[AlertRule]
) -> EvaluationContext:
    has_stalled = np.zeros(len(statistics), dtype=np.bool_)
    has_stalled[stalled] = True
    return EvaluationContext(
        context.minute,
        context.period_seconds,
        statistics,
        _earlier(context, enabled, statistics),
        context.fresh,
        has_stalled,
        context.catalogue.active,
        StoredSumHistory(context.connection),
        exact_averages={BUILT_IN: (statistics["rule_average"], statistics["rule_count"])},
    )


def _states_on_record(connection: Connection, rule: AlertRule, statistics: MetricStats) -> RuleStates:
    """The states of a rule that repeats, as its open alerts have them: no other state of it outlasts an evaluation."""
    ids = alerts.open_alerts(connection, rule.id)
    if not ids:
        return NO_STATES
    states = new_states(np.array(sorted(ids), dtype=np.int64))
    is_silent = np.isin(states["id"], list(alerts.without_data(connection, rule.id)))
    states["state"], states["side"] = np.where(is_silent, NO_DATA, FIRING), 1
    rows, tracked = metric_stats.rows_of(statistics, states["id"])
    states["known_at"][tracked] = statistics["priced_at"][rows[tracked]]
    return states


def _earlier(context: TickContext, enabled: Sequence[AlertRule], statistics: MetricStats) -> Mapping[str, Floats]:
    """The values at the last evaluation of each quantity that a rule on crossings watches; at a quantity's first
    evaluation, those that the tick before left of metrics priced recently."""
    crossed = sorted(crossed_quantities(enabled))
    if not crossed:
        return {}
    since = context.minute - context.period_seconds - carry_seconds(context.period_seconds)
    found = last_evaluations.last_values(context.connection, crossed, statistics["id"])
    left, _ = metric_stats.align(context.before.statistics, statistics["id"])
    return {quantity: found.get(quantity, initial_values(left, quantity, since)) for quantity in crossed}


def _apply(
    connection: Connection,
    rule: AlertRule,
    context: EvaluationContext,
    scope: Mask,
    states: RuleStates,
    outcome: Outcome,
) -> None:
    """Evaluate one rule. Only metrics on which something begins or is under way cost more than a comparison."""
    ids = context.statistics["id"]
    evaluation, comparison = evaluate(rule, context)
    affected = evaluation.starts & scope
    removed: list[int] = []
    if len(states):
        rows, tracked = metric_stats.rows_of(context.statistics, states["id"])
        affected[rows[tracked]] = True
        removed = states["id"][~tracked].tolist()
    elif not affected.any():
        return
    places = np.flatnonzero(affected).astype(np.int64)
    # Whatever is under way on a metric outside the scope, or outside the catalogue, ends.
    evaluated = _outside(evaluation.at(places), ~scope[places])
    before = _aligned(states, ids[places])
    _load_cooldowns(connection, rule, before, evaluated, context.now)
    found = transition(before, evaluated, rule, context.now, context.period_seconds)
    ended: dict[tuple[int, int], float | None] = {(rule.id, number): None for number in removed}
    ended |= {
        (rule.id, int(ids[place])): _known(comparison.value[place]) if scope[place] else None
        for place in places[found.ended]
    }
    outcome.ended |= ended
    outcome.silenced += [(rule.id, number) for number in found.states["id"][found.silenced].tolist()]
    outcome.returned += [(rule.id, number) for number in found.states["id"][found.returned].tolist()]
    if rule.tell_resolved:
        outcome.ended_aloud.update(ended)
    after = found.states[not_ok(found.states)]
    if not rule.repeat and not np.array_equal(after, states):
        outcome.changed[rule.id] = after
    outcome.firings += [_firing(rule, context, comparison, evaluation, int(place)) for place in places[found.fired]]


def _aligned(states: RuleStates, ids: Ints) -> RuleStates:
    """The states of the metrics `ids`, new ones where there are none yet."""
    aligned = new_states(ids)
    rows, known = metric_stats.rows_of(aligned, states["id"])
    aligned[rows[known]] = states[known]
    return aligned


def _load_cooldowns(
    connection: Connection, rule: AlertRule, states: RuleStates, evaluation: Evaluation, now: int
) -> None:
    """Set when the rule last fired, of metrics that may fire now, from the alerts on record.

    So the cooldown holds after a change of the rule, in another process, and after a clock was set back.
    """
    can_begin = (states["state"] != FIRING) | rule.repeat
    may_fire = np.flatnonzero((evaluation.starts & can_begin) | (states["state"] == PENDING))
    if not rule.cooldown_seconds or not len(may_fire):
        return
    numbers = states["id"][may_fire].tolist()
    times = alerts.firing_times(connection, rule.id, now - rule.cooldown_seconds, numbers)
    on_record = np.array([times.get(number, 0) for number in numbers], dtype=np.int64)
    states["fired_at"][may_fire] = np.maximum(states["fired_at"][may_fire], on_record)


def _outside(evaluation: Evaluation, outside: Mask) -> Evaluation:
    """The evaluation with the metrics that are `outside` the scope: every alert on them ends, and none begins."""
    return Evaluation(
        np.where(outside, 0, evaluation.side).astype(np.int8),
        evaluation.starts & ~outside,
        evaluation.clears_above | outside,
        evaluation.clears_below | outside,
        evaluation.known | outside,
    )


def _firing(
    rule: AlertRule, context: EvaluationContext, comparison: Comparison, evaluation: Evaluation, place: int
) -> NewAlert:
    threshold = comparison.upper[place] if evaluation.side[place] > 0 else comparison.lower[place]
    average = comparison.reference[place] if isinstance(rule.condition, TimesAverage) else np.nan
    return NewAlert(
        metric_id=int(context.statistics["id"][place]),
        fired_at=context.now,
        price=float(context.statistics["price"][place]),
        average=_known(average),
        factor=rule.condition.factor if isinstance(rule.condition, TimesAverage) else None,
        samples=int(comparison.samples[place]),
        rule_id=rule.id,
        rule=None if rule.id == BUILT_IN else rules.encode_rule(rule),
        quantity=rule.quantity,
        value=None if isinstance(rule.condition, NoData) else _known(comparison.value[place]),
        reference=_known(comparison.reference[place]),
        threshold=None if isinstance(rule.condition, NoData) else _known(threshold),
        channels=rule.channels,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _record_sums(connection: Connection, enabled: Sequence[AlertRule], context: EvaluationContext) -> None:
    longest = longest_windows(enabled)
    recent = context.statistics["priced_at"] > context.now - carry_seconds(context.period_seconds)
    for quantity in longest:
        carried = np.where(recent, values_of(context.statistics, quantity), np.nan)
        last = context.sum_history.last_until(quantity, context.now - 1)
        sums = next_sums(last, context.now, context.statistics["id"], context.value(quantity), carried)
        running_sums.record(connection, quantity, sums)
    running_sums.thin(connection, longest, context.now, context.period_seconds)


def _named(scope: tuple[TrackPattern, ...], catalogue: Catalogue) -> Mask:
    named = np.zeros(len(catalogue.metrics), dtype=np.bool_)
    for pattern in scope:
        markets = catalogue.places if pattern.market == "*" else catalogue.places.keys() & {pattern.market}
        for market in markets:
            places = catalogue.places[market]
            if (pattern.base, pattern.quote) == ("*", "*"):
                named[places] = True
            else:
                pairs = catalogue.rows[market]
                named[places] |= np.fromiter((pattern.matches(pair) for pair in pairs), np.bool_, len(pairs))
    return named
