"""Replay: runs the live evaluation on stored values, period by period.

It fires where live evaluation fires if the same prices arrive in their periods, evaluations happen in exactly the
periods that had a tick, and the rule exists from the first of them on. Prices from a later backfill count as if they
had arrived in time, which no tick could know: a replay may fire within a gap that was filled, live evaluation cannot.
From the tick after the gap was filled and the sums were recomputed, both compare with the same history.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
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
"""The quantities whose history is stored, or follows from stored history."""

STEP_PERIODS = 50
"""Evaluations between two progress reports: with 10,000 metrics, a twentieth of a second."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The stored history of some metrics, period by period.

    `times` are of shape (periods,); `prices`, their `widths` in seconds, and `volumes` are of shape (periods, metrics),
    NaN for none; `ids` are the metrics, ascending. `ticked` are the periods that had a tick. Where a period has several
    prices, because periods were once shorter, `prices` has the last one. The `further` ones, with columns as rows,
    count only in the standard deviation.
    """

    times: Ints
    ticked: Mask
    ids: Ints
    prices: Floats
    widths: Floats
    volumes: Floats
    further: Samples = NO_SAMPLES


class _RollingWindow:
    """The sums over the last `window_seconds` of a recording, moved from each period to the next."""

    def __init__(self, recording: Recording, window_seconds: int, period_seconds: int) -> None:
        self._recording, self._period_seconds = recording, period_seconds
        self._periods = -(-window_seconds // period_seconds)
        self._sums = no_sums(len(recording.ids))

    def advance(self, place: int, statistics: MetricStats) -> None:
        """Move on to the period at `place`, and set standard deviation and mean in `statistics`."""
        lost = self._between(place - self._periods, place - self._periods + 1)
        first = max(0, place + 1 - self._periods)
        self._sums.move(self._between(place, place + 1), lost, lambda rows: self._between(first, place + 1, rows))
        statistics["stdev"], statistics["mean"] = self._sums.read("stdev"), self._sums.mean()

    def _between(self, first: int, end: int, columns: Ints | None = None) -> Samples:
        """The samples of the periods from `first` to before `end`, of all metrics or at least those of `columns`. There
        are none before the recording."""
        if end <= 0:
            return NO_SAMPLES
        recording = self._recording
        known = ~np.isnan(recording.prices[first:end] if columns is None else recording.prices[first:end, columns])
        places, rows = np.nonzero(known)
        places, rows = places + first, rows if columns is None else columns[rows]
        widths = recording.widths[places, rows].astype(np.int64)
        last_ones = Samples(rows, recording.times[places], recording.prices[places, rows], widths)
        since, until = int(recording.times[first]) - self._period_seconds, int(recording.times[end - 1])
        return joined(last_ones, recording.further.within(since, until))


@dataclass
class _SumsInMemory:
    """A SumHistory in memory; live evaluation has one in the database."""

    thins: bool
    minutes: list[int] = field(default_factory=list)
    sums: list[RunningSums] = field(default_factory=list)
    _thinned_until: int = 0

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:  # noqa: ARG002 - it is of one quantity
        place = bisect_left(self.minutes, minute)
        return self.sums[place] if place < len(self.sums) else None

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:  # noqa: ARG002
        place = bisect_right(self.minutes, minute)
        return self.sums[place - 1] if place else None

    def unknown(self, quantity: str, since: int, ids: Ints) -> Mask:  # noqa: ARG002
        return np.zeros(len(ids), dtype=np.bool_)

    def add(self, newest: RunningSums, oldest: int, period_seconds: int) -> None:
        """Append `newest`, drop the sums before `oldest`, and thin out the same sums as the live engine does."""
        self.minutes.append(newest.minute)
        self.sums.append(newest)
        gone = bisect_left(self.minutes, oldest)
        del self.minutes[:gone], self.sums[:gone]
        if not self.thins:
            return
        first = bisect_left(self.minutes, self._thinned_until)
        for place in range(bisect_left(self.minutes, newest.minute - HOUR - period_seconds) - 1, first - 1, -1):
            if not outlasts_thinning(self.minutes[place], newest.minute, period_seconds):
                del self.minutes[place], self.sums[place]
        self._thinned_until = newest.minute - HOUR - period_seconds


def require_replayable(rule: AlertRule) -> None:
    """Raises BadRule for a quantity whose history is not stored."""
    if rule.quantity not in REPLAYED:
        raise BadRule(
            f"quantity: only {', '.join(REPLAYED)} can be replayed; the history of {rule.quantity} is not stored"
        )


def reach(rule: AlertRule, period_seconds: int, window_seconds: int) -> int:
    """How many seconds before the requested time a recording has to start.

    `window_seconds` is the window of the standard deviation. A value at the start of a window, or at the evaluation
    before, may be `carry_seconds` older, and the price that it derives from again `carry_seconds` older.
    """
    return (
        (rule.window_seconds or 0)
        + 2 * carry_seconds(period_seconds)
        + (window_seconds if rule.quantity in ROLLING else 0)
    )


def replay(
    rule: AlertRule,
    recording: Recording,
    since: int,
    period_seconds: int,
    window_seconds: int,
    report: Callable[[float], None] = lambda _: None,
) -> ReplayResult:
    """When `rule` would have fired after epoch second `since`.

    The part of `recording` before `since` fills the rule's window, and the `window_seconds` of the standard deviation.
    `report` is called with the finished share, 0 to 1, every STEP_PERIODS. Raises BadRule.
    """
    require_replayable(rule)
    places = np.arange(len(recording.ids), dtype=np.int64)  # as metric numbers: the smallest arrays of sums
    statistics, states = metric_stats.empty(places), new_states(places)
    history = _SumsInMemory(thins=rule.id != BUILT_IN)  # the built-in rule's average is exact
    carry = carry_seconds(period_seconds)
    longest = (rule.window_seconds or 0) + carry
    times, rows, prices_then = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)], [np.empty(0)]
    # The recording does not tell when an exchange had stalled, nor when it listed which metrics.
    active, stalled = np.ones(len(places), dtype=np.bool_), np.zeros(len(places), dtype=np.bool_)
    earlier = {quantity: np.full(len(places), np.nan) for quantity in crossed_quantities([rule])}
    latest, evaluated_at = np.full(len(places), np.nan), 0
    rolling = _RollingWindow(recording, window_seconds, period_seconds) if rule.quantity in ROLLING else None
    columns = zip(recording.times.tolist(), recording.prices, recording.volumes, strict=True)
    for place, (now, prices, volumes) in enumerate(columns):
        if place % STEP_PERIODS == 0:
            report(place / len(recording.times))
        if rolling is not None:
            rolling.advance(place, statistics)
        fresh = ~np.isnan(prices)
        if not recording.ticked[place] and not fresh.any():
            continue  # no tick, no evaluation
        if now > since >= evaluated_at:  # the rule's first evaluation, see evaluation.initial_values
            recent = statistics["priced_at"] > now - period_seconds - carry
            left: Mapping[str, Floats] = {rule.quantity: latest} if rolling is not None else earlier
            earlier = {quantity: np.where(recent, left[quantity], np.nan) for quantity in earlier}
        evaluated_at = now
        statistics["price"][fresh], statistics["priced_at"][fresh] = prices[fresh], now
        metric_stats.set_volumes(statistics, places[fresh], volumes[fresh])
        context = EvaluationContext(now, period_seconds, statistics, earlier, fresh, stalled, active, history)
        if now > since:
            found = transition(states, evaluate(rule, context)[0], rule, now, period_seconds)
            states = found.states
            fired = np.flatnonzero(found.fired).astype(np.int64)
            rows.append(fired)
            times.append(np.full(len(fired), now, dtype=np.int64))
            prices_then.append(statistics["price"][fired])
        np.copyto(latest, values_of(statistics, rule.quantity), where=fresh | recording.ticked[place])
        if rule.window_seconds is not None:
            carried = np.where(statistics["priced_at"] > now - carry, latest, np.nan)
            last = history.sums[-1] if history.sums else None
            newest = next_sums(last, now, places, context.value(rule.quantity), carried)
            history.add(newest, now - longest, period_seconds)
        earlier = {quantity: last_known_values(context, quantity) for quantity in earlier}
    return ReplayResult(recording.ids[np.concatenate(rows)], np.concatenate(times), np.concatenate(prices_then))
