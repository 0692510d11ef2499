"""Rules: look at all metrics by the rules that people wrote, and write what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from services.market import stats
from services.market.alert_rules import AlertRule, NoData, TimesAverage, longest_windows
from services.market.marks import follow
from services.market.states import (
    FIRING,
    PENDING,
    Held,
    Mask,
    Verdict,
    fresh_states,
    step,
    worth_keeping,
)
from services.market.stats import LOOKBACK, Kept
from services.market.track import TrackPattern
from services.market.types import STALE_PERIODS, Catalogue, Ints
from services.market.verdicts import Figures, Sight, judge, read
from services.pipeline.store import Arrivals
from services.store import alerts, marks, rules, volumes
from services.store.alerts import Firing
from services.store.engine import Connection
from services.store.marks import StoredPast


@dataclass
class Outcome:
    """What came of all rules: states to be kept, alerts that have begun, and (rule, metric) of those that ended, and of
    those among them whose rule tells of it."""

    changed: dict[int, Held] = field(default_factory=dict)
    firings: list[Firing] = field(default_factory=list)
    ended: list[tuple[int, int]] = field(default_factory=list)
    ended_aloud: set[tuple[int, int]] = field(default_factory=set)


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


def apply_rules(
    connection: Connection,
    minute: int,
    before: Kept,
    kept: Kept,
    arrivals: Arrivals,
    catalogue: Catalogue,
    period_seconds: int,
    scopes: Scopes,
    frozen: Mask,
) -> Outcome:
    """Bring every enabled rule's states to `minute`; answers which alerts begin and which end, neither of them written.

    `before` are the statistics of the tick before, `kept` those of this one; `frozen` says whose exchange repeats
    itself.
    """
    outcome = Outcome()
    enabled = [rule for rule in rules.stored(connection) if rule.enabled]
    if not enabled:
        return outcome
    fresh = np.zeros(len(kept), dtype=np.bool_)
    fresh[arrivals.places] = True
    past = StoredPast(connection)
    earlier, _ = stats.align(before, catalogue.ids)
    held_of = rules.states(connection)
    untold = _untold(connection, enabled, held_of, kept, minute - STALE_PERIODS * period_seconds)
    sight = Sight(minute, period_seconds, kept, earlier, fresh, frozen, catalogue.active, untold, past)
    for rule in enabled:
        _apply(connection, rule, sight, scopes.mask(rule.scope, catalogue), held_of.get(rule.id), outcome)
    rules.save_states(connection, outcome.changed)
    _keep_marks(connection, enabled, sight)
    return outcome


def _untold(
    connection: Connection, enabled: Sequence[AlertRule], held_of: Mapping[int, Held], kept: Kept, since: int
) -> Mask:
    """Of which no volume was told after epoch second `since`, among those that a rule on volumes has in hand: of no
    others does it matter."""
    untold = np.zeros(len(kept), dtype=np.bool_)
    held = [held_of[rule.id]["id"] for rule in enabled if rule.quantity == "volume" and rule.id in held_of]
    if held:
        ids = np.unique(np.concatenate(held))
        silent = ids[~np.isin(ids, volumes.told_since(connection, ids, since))]
        rows, known = stats.rows_of(kept, silent)
        untold[rows[known]] = True
    return untold


def _apply(
    connection: Connection, rule: AlertRule, sight: Sight, scope: Mask, held: Held | None, outcome: Outcome
) -> None:
    """One rule: only metrics that begin something, or are in the midst of it, cost more than a comparison."""
    ids = sight.kept["id"]
    verdict, figures = judge(rule, sight)
    concerned = verdict.starts & scope
    gone: list[int] = []
    if held is not None:
        rows, known = stats.rows_of(sight.kept, held["id"])
        concerned[rows[known]] = True
        gone = held["id"][~known].tolist()
    elif not concerned.any():
        return
    places = np.flatnonzero(concerned).astype(np.int64)
    looked = verdict.at(places)
    states = _states_of(ids[places], held)
    _hold_cooldown(connection, rule, states, looked, sight.now)
    if held is not None:  # what has left the scope, or the catalogue, ends
        looked = _out_of(looked, ~scope[places])
    found = step(states, looked, rule, sight.now)
    ended = [(rule.id, number) for number in (*found.held["id"][found.ended].tolist(), *gone)]
    outcome.ended += ended
    if rule.tell_resolved:
        outcome.ended_aloud.update(ended)
    keeps = found.held[worth_keeping(found.held)]
    if held is None or not np.array_equal(keeps, held):
        outcome.changed[rule.id] = keeps
    outcome.firings += [_firing(rule, sight, figures, verdict, int(place)) for place in places[found.fired]]


def _states_of(ids: Ints, held: Held | None) -> Held:
    states = fresh_states(ids)
    if held is not None:
        rows, known = stats.rows_of(states, held["id"])
        states[rows[known]] = held[known]
    return states


def _hold_cooldown(connection: Connection, rule: AlertRule, states: Held, looked: Verdict, now: int) -> None:
    """Those that may fire at this look learn of the last alert on record, which holds the cooldown whatever became of
    the states: of what the rule was before it was changed, of another process, of a clock that was set back."""
    may_fire = np.flatnonzero((looked.starts & (states["state"] != FIRING)) | (states["state"] == PENDING))
    if not rule.cooldown_seconds or not len(may_fire):
        return
    numbers = states["id"][may_fire].tolist()
    times = alerts.firing_times(connection, rule.id, now - rule.cooldown_seconds, numbers)
    on_record = np.array([times.get(number, 0) for number in numbers], dtype=np.int64)
    states["fired_at"][may_fire] = np.maximum(states["fired_at"][may_fire], on_record)


def _out_of(verdict: Verdict, outside: Mask) -> Verdict:
    """What a rule no longer looks at: nothing is known of it any more, and nothing begins."""
    return Verdict(
        verdict.side,
        verdict.starts & ~outside,
        verdict.clears_above,
        verdict.clears_below,
        verdict.known & ~outside,
        verdict.lost | outside,
    )


def _firing(rule: AlertRule, sight: Sight, figures: Figures, verdict: Verdict, place: int) -> Firing:
    threshold = figures.upper[place] if verdict.side[place] > 0 else figures.lower[place]
    average = figures.reference[place] if isinstance(rule.condition, TimesAverage) else np.nan
    return Firing(
        metric_id=int(sight.kept["id"][place]),
        fired_at=sight.now,
        price=float(sight.kept["price"][place]),
        average=_known(average),
        factor=rule.condition.factor if isinstance(rule.condition, TimesAverage) else None,
        samples=int(figures.samples[place]),
        rule_id=rule.id,
        rule=rules.as_text(rule),
        quantity=rule.quantity,
        value=None if isinstance(rule.condition, NoData) else _known(figures.value[place]),
        reference=_known(figures.reference[place]),
        threshold=None if isinstance(rule.condition, NoData) else _known(threshold),
        channels=rule.channels,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _keep_marks(connection: Connection, enabled: Sequence[AlertRule], sight: Sight) -> None:
    longest = longest_windows(enabled)
    recent = sight.kept["priced_at"] > sight.now - LOOKBACK
    for quantity in longest:
        carried = np.where(recent, read(sight.kept, quantity), np.nan)
        last = sight.past.last_until(quantity, sight.now - 1)
        mark = follow(last, sight.now, sight.kept["id"], sight.value(quantity), carried)
        marks.record(connection, quantity, mark)
    marks.thin(connection, longest, sight.now, sight.period_seconds)


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
