"""A rule on the past: the live engine's own look and step, fed with stored values period by period.

What comes of it equals what the live engine does with the same arrivals: prices that came in at their periods, looks in
exactly the periods that had a tick, and the rule as it stands from the first of them on. Prices that a backfill brought
later count as if they had come in time, which no tick could know: a replay may fire within a gap that was filled, and
live cannot. From the tick after the gap was filled and the marks were renewed, live compares with the same past as the
replay does.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from services.market.alerting.alerts import ReplayResult
from services.market.alerting.evaluation import (
    EvaluationContext,
    crossed_quantities,
    evaluate,
    last_known_values,
    values_of,
)
from services.market.alerting.rules import BUILT_IN, AlertRule, BadRule
from services.market.alerting.running_sums import RunningSums, carry_seconds, next_sums, outlasts_thinning
from services.market.alerting.states import Mask, new_states, transition
from services.market.stats import metric_stats
from services.market.stats.metric_stats import MetricStats
from services.market.stats.samples import NO_SAMPLES, Samples, joined
from services.market.times import HOUR
from services.market.types import Floats, Ints
from services.market.window_sums import ROLLING, no_sums

REPLAYED = ("price", "volume", "stdev", "volatility")
"""The quantities of which history is stored, or follows from it."""

STEP_PERIODS = 50
"""Looks between two words of how far a replay is: of 10,000 metrics, a twentieth of a second."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What came in each period: `times` of shape (periods,), `prices`, their `widths` in seconds and `volumes` of shape
    (periods, metrics), NaN where none did; `ids` of the metrics, ascending. `ticked` says in which periods there was a
    tick. Of what came more than once in a period, as it did when periods were shorter, the last one is there; the
    `further` prices, by column, count in the standard deviation alone."""

    times: Ints
    ticked: Mask
    ids: Ints
    prices: Floats
    widths: Floats
    volumes: Floats
    further: Samples = NO_SAMPLES


class _Rolling:
    """The sums of the window of the last `window_seconds` of a recording, moved from each period to the next."""

    def __init__(self, past: Recording, window_seconds: int, period_seconds: int) -> None:
        self._past, self._period_seconds = past, period_seconds
        self._periods = -(-window_seconds // period_seconds)
        self._sums = no_sums(len(past.ids))

    def advance(self, place: int, statistics: MetricStats) -> None:
        """Tell `statistics` what holds as of the period at `place`, the one after the last."""
        lost = self._between(place - self._periods, place - self._periods + 1)
        first = max(0, place + 1 - self._periods)
        self._sums.move(self._between(place, place + 1), lost, lambda rows: self._between(first, place + 1, rows))
        statistics["stdev"], statistics["mean"] = self._sums.read("stdev"), self._sums.mean()

    def _between(self, first: int, end: int, columns: Ints | None = None) -> Samples:
        """What came in the periods from `first` to before `end`, of all metrics or those of `columns` at least; of
        periods before the recording nothing."""
        if end <= 0:
            return NO_SAMPLES
        past = self._past
        known = ~np.isnan(past.prices[first:end] if columns is None else past.prices[first:end, columns])
        places, rows = np.nonzero(known)
        places, rows = places + first, rows if columns is None else columns[rows]
        own = Samples(rows, past.times[places], past.prices[places, rows], past.widths[places, rows].astype(np.int64))
        since, until = int(past.times[first]) - self._period_seconds, int(past.times[end - 1])
        return joined(own, past.further.within(since, until))


@dataclass
class _Remembered:
    """Marks in memory: a Past as the live engine keeps one in the database."""

    thins: bool
    minutes: list[int] = field(default_factory=list)
    marks: list[RunningSums] = field(default_factory=list)
    _thinned_until: int = 0

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:  # noqa: ARG002 - it is of one quantity
        place = bisect_left(self.minutes, minute)
        return self.marks[place] if place < len(self.marks) else None

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:  # noqa: ARG002
        place = bisect_right(self.minutes, minute)
        return self.marks[place - 1] if place else None

    def unknown(self, quantity: str, since: int, ids: Ints) -> Mask:  # noqa: ARG002
        return np.zeros(len(ids), dtype=np.bool_)

    def add(self, mark: RunningSums, oldest: int, period_seconds: int) -> None:
        """One more; those before `oldest` go, and those that the live engine thins out where this one does."""
        self.minutes.append(mark.minute)
        self.marks.append(mark)
        gone = bisect_left(self.minutes, oldest)
        del self.minutes[:gone], self.marks[:gone]
        if not self.thins:
            return
        first = bisect_left(self.minutes, self._thinned_until)
        for place in range(bisect_left(self.minutes, mark.minute - HOUR - period_seconds) - 1, first - 1, -1):
            if not outlasts_thinning(self.minutes[place], mark.minute, period_seconds):
                del self.minutes[place], self.marks[place]
        self._thinned_until = mark.minute - HOUR - period_seconds


def require_replayable(rule: AlertRule) -> None:
    """Raises BadRule for what no history is stored of."""
    if rule.quantity not in REPLAYED:
        raise BadRule(f"quantity: only {', '.join(REPLAYED)} can be tried on the past; {rule.quantity} is not stored")


def reach(rule: AlertRule, period_seconds: int, window_seconds: int) -> int:
    """How many seconds before the time that is asked for a recording has to begin; `window_seconds` are those of the
    standard deviation. A value at a window's begin, or at the last look before, may be of carry_seconds before, and
    the price that it goes by of carry_seconds before that."""
    return (
        (rule.window_seconds or 0)
        + 2 * carry_seconds(period_seconds)
        + (window_seconds if rule.quantity in ROLLING else 0)
    )


def replay(
    rule: AlertRule,
    past: Recording,
    since: int,
    period_seconds: int,
    window_seconds: int,
    tell: Callable[[float], None] = lambda _: None,
) -> ReplayResult:
    """When `rule` would have fired after epoch second `since`; what `past` has before that fills its windows, and that
    of the standard deviation. `tell` is called each STEP_PERIODS with the share of `past` that is gone through. Raises
    BadRule."""
    require_replayable(rule)
    places = np.arange(len(past.ids), dtype=np.int64)  # as numbers, so that marks are no larger than they have to be
    statistics, held = metric_stats.empty(places), new_states(places)
    marks = _Remembered(thins=rule.id != BUILT_IN)  # whose sums are exact
    carry = carry_seconds(period_seconds)
    longest = (rule.window_seconds or 0) + carry
    times, rows, prices_then = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], [np.empty(0)]
    # What an exchange's other metrics did is not gone through, nor when it listed which.
    active, stalled = np.ones(len(places), dtype=np.bool_), np.zeros(len(places), dtype=np.bool_)
    earlier = {quantity: np.full(len(places), np.nan) for quantity in crossed_quantities([rule])}
    latest, looked_at = np.full(len(places), np.nan), 0
    rolling = _Rolling(past, window_seconds, period_seconds) if rule.quantity in ROLLING else None
    for place, (now, prices, volumes) in enumerate(zip(past.times.tolist(), past.prices, past.volumes, strict=True)):
        if place % STEP_PERIODS == 0:
            tell(place / len(past.times))
        if rolling is not None:
            rolling.advance(place, statistics)
        fresh = ~np.isnan(prices)
        if not past.ticked[place] and not fresh.any():
            continue  # nobody looked: rules stand still
        if now > since >= looked_at:  # the rule's first look, see evaluation.initial_values
            recent = statistics["priced_at"] > now - period_seconds - carry
            left = {rule.quantity: latest} if rolling is not None else earlier
            earlier = {quantity: np.where(recent, left[quantity], np.nan) for quantity in earlier}
        looked_at = now
        statistics["price"][fresh], statistics["priced_at"][fresh] = prices[fresh], now
        metric_stats.set_volumes(statistics, places[fresh], volumes[fresh])
        context = EvaluationContext(now, period_seconds, statistics, earlier, fresh, stalled, active, marks)
        if now > since:
            found = transition(held, evaluate(rule, context)[0], rule, now, period_seconds)
            held = found.states
            begun = np.flatnonzero(found.fired).astype(np.int64)
            rows.append(begun)
            times.append(np.full(len(begun), now, dtype=np.int64))
            prices_then.append(statistics["price"][begun])
        np.copyto(latest, values_of(statistics, rule.quantity), where=fresh | past.ticked[place])
        if rule.window_seconds is not None:
            carried = np.where(statistics["priced_at"] > now - carry, latest, np.nan)
            last = marks.marks[-1] if marks.marks else None
            mark = next_sums(last, now, places, context.value(rule.quantity), carried)
            marks.add(mark, now - longest, period_seconds)
        earlier = {quantity: last_known_values(context, quantity) for quantity in earlier}
    return ReplayResult(past.ids[np.concatenate(rows)], np.concatenate(times), np.concatenate(prices_then))
