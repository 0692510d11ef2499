"""Rules: look at all metrics by the rules that people wrote, and write what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.market import stats
from services.market.alerting.evaluation import (
    Comparison,
    EvaluationContext,
    as_left,
    crossed_quantities,
    evaluate,
    read,
    seen,
)
from services.market.alerting.rules import AlertRule, NoData, TimesAverage, longest_windows
from services.market.alerting.running_sums import carry_seconds, follow
from services.market.alerting.states import (
    FIRING,
    PENDING,
    Evaluation,
    Mask,
    RuleStates,
    fresh_states,
    transition,
    worth_keeping,
)
from services.market.stats import MetricStats
from services.market.track import TrackPattern
from services.market.types import Catalogue, Floats, Ints
from services.pipeline.tick_context import TickContext
from services.store.alerting import alerts, last_evaluations, rules, running_sums
from services.store.alerting.alerts import NewAlert
from services.store.alerting.running_sums import StoredSumHistory
from services.store.database.engine import Connection


@dataclass
class Outcome:
    """What came of all rules: states to be kept, alerts that have begun, and by (rule, metric) those that ended (with
    the value then, None where there is none), those among them whose rule tells of it, those without data from now on,
    and those that go on after they were without."""

    changed: dict[int, RuleStates] = field(default_factory=dict)
    firings: list[NewAlert] = field(default_factory=list)
    ended: dict[tuple[int, int], float | None] = field(default_factory=dict)
    ended_aloud: set[tuple[int, int]] = field(default_factory=set)
    silenced: list[tuple[int, int]] = field(default_factory=list)
    returned: list[tuple[int, int]] = field(default_factory=list)


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


def evaluate_rules(context: TickContext, statistics: MetricStats, stalled: Mask, scopes: Scopes) -> Outcome:
    """Evaluate every enabled rule and save its states; return the alerts that begin and end, for the caller to write.

    `statistics` are those of this tick; `stalled` marks the metrics of stalled exchanges.
    """
    connection, minute, period_seconds = context.connection, context.minute, context.period_seconds
    outcome = Outcome()
    enabled = [rule for rule in rules.stored(connection) if rule.enabled]
    if not enabled:
        # Earlier values and sums, with a gap after them, are of no use to a rule that is enabled later.
        last_evaluations.record(connection, statistics["id"], {})
        running_sums.thin(connection, {}, minute, period_seconds)
        return outcome
    earlier = _earlier(context, enabled, statistics)
    held_of = rules.states(connection)
    evaluation_context = EvaluationContext(
        minute,
        period_seconds,
        statistics,
        earlier,
        context.fresh,
        stalled,
        context.catalogue.active,
        StoredSumHistory(connection),
    )
    for rule in enabled:
        scope = scopes.mask(rule.scope, context.catalogue)
        _apply(connection, rule, evaluation_context, scope, held_of.get(rule.id), outcome)
    rules.save_states(connection, outcome.changed)
    last_evaluations.record(
        connection, statistics["id"], {quantity: seen(evaluation_context, quantity) for quantity in earlier}
    )
    _keep_marks(connection, enabled, evaluation_context)
    return outcome


def _earlier(context: TickContext, enabled: Sequence[AlertRule], statistics: MetricStats) -> Mapping[str, Floats]:
    """The values at the last evaluation of each quantity that a rule on crossings watches; at a quantity's first
    evaluation, those that the tick before left of metrics priced recently."""
    crossed = sorted(crossed_quantities(enabled))
    if not crossed:
        return {}
    since = context.minute - context.period_seconds - carry_seconds(context.period_seconds)
    found = last_evaluations.last_values(context.connection, crossed, statistics["id"])
    left, _ = stats.align(context.before.statistics, statistics["id"])
    return {quantity: found.get(quantity, as_left(left, quantity, since)) for quantity in crossed}


def _apply(
    connection: Connection,
    rule: AlertRule,
    context: EvaluationContext,
    scope: Mask,
    held: RuleStates | None,
    outcome: Outcome,
) -> None:
    """One rule: only metrics that begin something, or are in the midst of it, cost more than a comparison."""
    ids = context.statistics["id"]
    evaluation, figures = evaluate(rule, context)
    concerned = evaluation.starts & scope
    gone: list[int] = []
    if held is not None:
        rows, known = stats.rows_of(context.statistics, held["id"])
        concerned[rows[known]] = True
        gone = held["id"][~known].tolist()
    elif not concerned.any():
        return
    places = np.flatnonzero(concerned).astype(np.int64)
    looked = evaluation.at(places)
    states = _states_of(ids[places], held)
    _hold_cooldown(connection, rule, states, looked, context.now)
    if held is not None:  # what has left the scope, or the catalogue, ends
        looked = _out_of(looked, ~scope[places])
    found = transition(states, looked, rule, context.now, context.period_seconds)
    ended: dict[tuple[int, int], float | None] = {(rule.id, number): None for number in gone}
    ended |= {
        (rule.id, int(context.statistics["id"][place])): _known(figures.value[place]) if scope[place] else None
        for place in places[found.ended]
    }
    outcome.ended |= ended
    outcome.silenced += [(rule.id, number) for number in found.held["id"][found.silenced].tolist()]
    outcome.returned += [(rule.id, number) for number in found.held["id"][found.returned].tolist()]
    if rule.tell_resolved:
        outcome.ended_aloud.update(ended)
    keeps = found.held[worth_keeping(found.held)]
    if held is None or not np.array_equal(keeps, held):
        outcome.changed[rule.id] = keeps
    outcome.firings += [_firing(rule, context, figures, evaluation, int(place)) for place in places[found.fired]]


def _states_of(ids: Ints, held: RuleStates | None) -> RuleStates:
    states = fresh_states(ids)
    if held is not None:
        rows, known = stats.rows_of(states, held["id"])
        states[rows[known]] = held[known]
    return states


def _hold_cooldown(connection: Connection, rule: AlertRule, states: RuleStates, looked: Evaluation, now: int) -> None:
    """Those that may fire at this look learn of the last alert on record, which holds the cooldown whatever became of
    the states: of what the rule was before it was changed, of another process, of a clock that was set back."""
    may_fire = np.flatnonzero((looked.starts & (states["state"] != FIRING)) | (states["state"] == PENDING))
    if not rule.cooldown_seconds or not len(may_fire):
        return
    numbers = states["id"][may_fire].tolist()
    times = alerts.firing_times(connection, rule.id, now - rule.cooldown_seconds, numbers)
    on_record = np.array([times.get(number, 0) for number in numbers], dtype=np.int64)
    states["fired_at"][may_fire] = np.maximum(states["fired_at"][may_fire], on_record)


def _out_of(evaluation: Evaluation, outside: Mask) -> Evaluation:
    """What a rule no longer looks at is over, whatever it has come to, and nothing begins."""
    return Evaluation(
        np.where(outside, 0, evaluation.side).astype(np.int8),
        evaluation.starts & ~outside,
        evaluation.clears_above | outside,
        evaluation.clears_below | outside,
        evaluation.known | outside,
    )


def _firing(
    rule: AlertRule, context: EvaluationContext, figures: Comparison, evaluation: Evaluation, place: int
) -> NewAlert:
    threshold = figures.upper[place] if evaluation.side[place] > 0 else figures.lower[place]
    average = figures.reference[place] if isinstance(rule.condition, TimesAverage) else np.nan
    return NewAlert(
        metric_id=int(context.statistics["id"][place]),
        fired_at=context.now,
        price=float(context.statistics["price"][place]),
        average=_known(average),
        factor=rule.condition.factor if isinstance(rule.condition, TimesAverage) else None,
        samples=int(figures.samples[place]),
        rule_id=rule.id,
        rule=rules.encode_rule(rule),
        quantity=rule.quantity,
        value=None if isinstance(rule.condition, NoData) else _known(figures.value[place]),
        reference=_known(figures.reference[place]),
        threshold=None if isinstance(rule.condition, NoData) else _known(threshold),
        channels=rule.channels,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _keep_marks(connection: Connection, enabled: Sequence[AlertRule], context: EvaluationContext) -> None:
    longest = longest_windows(enabled)
    recent = context.statistics["priced_at"] > context.now - carry_seconds(context.period_seconds)
    for quantity in longest:
        carried = np.where(recent, read(context.statistics, quantity), np.nan)
        last = context.past.last_until(quantity, context.now - 1)
        mark = follow(last, context.now, context.statistics["id"], context.value(quantity), carried)
        running_sums.record(connection, quantity, mark)
    running_sums.thin(connection, longest, context.now, context.period_seconds)


def _named(scope: tuple[TrackPattern, ...], catalogue: Catalogue) -> Mask:
    named = np.zeros(len(catalogue.metrics), dtype=np.bool_)
    for pattern in scope:
        places = catalogue.places.get(pattern.market)
        if places is None:
            continue
        if (pattern.base, pattern.quote) == ("*", "*"):
            named[places] = True
        else:
            pairs = catalogue.rows[pattern.market]
            named[places] |= np.fromiter((pattern.matches(pair) for pair in pairs), np.bool_, len(pairs))
    return named
