"""A rule on the past: the live engine's own look and step, fed with stored values period by period."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from services.market import stats
from services.market.alert_rules import BUILT_IN, AlertRule, BadRule, TimesAverage
from services.market.marks import Mark, follow
from services.market.rules import Rule
from services.market.states import Held, fresh_states, step
from services.market.stats import LOOKBACK, Kept
from services.market.types import Firing, Floats, Ints
from services.market.verdicts import Sight, judge, read

REPLAYED = ("price", "volume")
"""The quantities of which history is stored."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What came in each period: `times` of shape (periods,), `prices` and `volumes` of shape (periods, metrics), NaN
    where none did; `ids` of the metrics, ascending."""

    times: Ints
    ids: Ints
    prices: Floats
    volumes: Floats


@dataclass
class _Remembered:
    """Marks in memory: a Past as the live engine keeps one in the database."""

    minutes: list[int] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def first_from(self, quantity: str, minute: int) -> Mark | None:  # noqa: ARG002 - it is of one quantity
        place = bisect_left(self.minutes, minute)
        return self.marks[place] if place < len(self.marks) else None

    def last_until(self, quantity: str, minute: int) -> Mark | None:  # noqa: ARG002
        place = bisect_right(self.minutes, minute)
        return self.marks[place - 1] if place else None

    def add(self, mark: Mark, oldest: int) -> None:
        self.minutes.append(mark.minute)
        self.marks.append(mark)
        gone = bisect_left(self.minutes, oldest)
        del self.minutes[:gone], self.marks[:gone]


def require_replayable(rule: AlertRule) -> None:
    """Raises BadRule for what no history is stored of."""
    if rule.quantity not in REPLAYED:
        raise BadRule(
            f"quantity: only {' and '.join(REPLAYED)} can be tried on the past; {rule.quantity} is not stored"
        )


def replay(rule: AlertRule, past: Recording, since: int, period_seconds: int) -> tuple[Firing, ...]:
    """When `rule` would have fired after epoch second `since`, oldest first; what `past` has before that fills its
    windows. Raises BadRule."""
    require_replayable(rule)
    places = np.arange(len(past.ids), dtype=np.int64)  # as numbers, so that marks are no larger than they have to be
    kept, held, marks = stats.empty(places), fresh_states(places), _Remembered()
    longest = (rule.window_seconds or 0) + LOOKBACK
    fired: list[Firing] = []
    for now, prices, volumes in zip(past.times.tolist(), past.prices, past.volumes, strict=True):
        before = kept.copy()
        fresh = ~np.isnan(prices)
        kept["price"][fresh], kept["priced_at"][fresh] = prices[fresh], now
        kept["volume"][fresh] = volumes[fresh]
        active = np.ones(len(places), dtype=np.bool_)
        sight = Sight(now, period_seconds, kept, before, fresh, active, marks)
        if now > since:
            begun = _built_in(rule, sight, held) if rule.id == BUILT_IN else _written(rule, sight, held)
            fired += [_firing(past.ids, kept, int(place), now) for place in begun]
        if rule.window_seconds is not None:
            carried = np.where(kept["priced_at"] > now - LOOKBACK, read(kept, rule.quantity), np.nan)
            last = marks.marks[-1] if marks.marks else None
            marks.add(follow(last, now, places, sight.value(rule.quantity), carried), now - longest)
    return tuple(fired)


def _written(rule: AlertRule, sight: Sight, held: Held) -> Ints:
    found = step(held, judge(rule, sight)[0], rule, sight.now)
    held[:] = found.held
    return np.flatnonzero(found.fired).astype(np.int64)


def _built_in(rule: AlertRule, sight: Sight, held: Held) -> Ints:
    """The built-in rule has no states: it fires whenever its cooldown is over and the price still exceeds."""
    condition = rule.condition
    assert isinstance(condition, TimesAverage)
    judging = Rule(condition.factor, condition.window_seconds, rule.cooldown_seconds, condition.min_samples)
    average, count = sight.average("price", condition.window_seconds)
    exceeded = judging.exceeded(sight.fresh, sight.kept["price"], average, count)
    cooling = (held["fired_at"] > 0) & (held["fired_at"] > sight.now - rule.cooldown_seconds)
    held["fired_at"][exceeded & ~cooling] = sight.now
    return np.flatnonzero(exceeded & ~cooling).astype(np.int64)


def _firing(ids: Ints, kept: Kept, place: int, now: int) -> Firing:
    return Firing(int(ids[place]), datetime.fromtimestamp(now, UTC), float(kept["price"][place]))
