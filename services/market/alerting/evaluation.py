"""A rule's look at all metrics at once: the values of one moment against what the rule compares them with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from services.market.alerting.rules import AlertRule, Change, Level, NoData, TimesAverage, Top
from services.market.alerting.running_sums import RunningSums, SumHistory, average_between, tolerance
from services.market.alerting.states import Evaluation, Mask
from services.market.stats.metric_stats import MetricStats
from services.market.types import Floats, Ints
from services.market.window_sums import volatility


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a rule compared, all of shape (metrics,), NaN for what is not known: the `value`, the `reference` (the
    average, or the value when the window began), the thresholds, and the number of values behind the reference."""

    value: Floats
    reference: Floats
    upper: Floats
    lower: Floats
    samples: Ints


@dataclass
class EvaluationContext:
    """All metrics at one moment, and what many rules ask about them, each computed once.

    `statistics` are the statistics of this tick; `earlier` has, of each quantity that a rule on crossings watches, what
    `seen` made of it at the looks before, row by row of the same metrics. `fresh` says which have a price of this very
    tick, `stalled` whose exchange repeats the same prices, so that no rule on what is made of prices may go by it, and
    `active` which trade. `exact_averages` has, by rule number, the average and its number of values where the
    statistics hold these exactly; those of other rules are found from `past`.
    """

    now: int
    period_seconds: int
    statistics: MetricStats
    earlier: Mapping[str, Floats]
    fresh: Mask
    stalled: Mask
    active: Mask
    sum_history: SumHistory
    exact_averages: Mapping[int, tuple[Floats, Ints]] = field(default_factory=dict)
    _values: dict[str, Floats] = field(default_factory=dict)
    _averages: dict[tuple[str, int], tuple[Floats, Ints]] = field(default_factory=dict)
    _begins: dict[tuple[str, int], Floats] = field(default_factory=dict)
    _sums: dict[tuple[str, int], RunningSums] = field(default_factory=dict)

    def value(self, quantity: str) -> Floats:
        """The values that came with this tick."""
        if quantity not in self._values:
            self._values[quantity] = np.where(self.fresh, values_of(self.statistics, quantity), np.nan)
        return self._values[quantity]

    def average(self, quantity: str, window: int) -> tuple[Floats, Ints]:
        """The mean of the values of the last `window` seconds before this tick, and how many they are."""
        key = quantity, window
        if key not in self._averages:
            ids, start = self.statistics["id"], self.now - window
            last = self.sum_history.last_until(quantity, self.now - 1)
            edge = self.sum_history.first_from(quantity, start)
            if last is None or edge is None or edge.minute > last.minute:
                self._averages[key] = np.full(len(ids), np.nan), np.zeros(len(ids), dtype=np.int64)
            else:
                average, count = average_between(self._of_all(quantity, edge), self._of_all(quantity, last))
                unknown = self.sum_history.unknown(quantity, start, ids)
                self._averages[key] = np.where(unknown, np.nan, average), np.where(unknown, 0, count)
        return self._averages[key]

    def begin(self, quantity: str, window: int) -> Floats:
        """The values as they were `window` seconds ago, NaN where none came within the tolerance before that."""
        key = quantity, window
        if key not in self._begins:
            start = self.now - window
            first = start - tolerance(window, self.period_seconds) + 1
            last, edge = self.sum_history.last_until(quantity, start), self.sum_history.first_from(quantity, first)
            if last is None or edge is None or edge.minute > last.minute:
                self._begins[key] = np.full(len(self.statistics), np.nan)
            else:
                begin = self._of_all(quantity, last)
                _, came = average_between(self._of_all(quantity, edge), begin)
                known = (came > 0) & ~self.sum_history.unknown(quantity, first, self.statistics["id"])
                self._begins[key] = np.where(known, begin.value, np.nan)
        return self._begins[key]

    def _of_all(self, quantity: str, mark: RunningSums) -> RunningSums:
        key = quantity, mark.minute
        if key not in self._sums:
            self._sums[key] = mark.of(self.statistics["id"])
        return self._sums[key]


def crossed_quantities(rules: Iterable[AlertRule]) -> set[str]:
    """The quantities of which it matters to these rules what they saw before."""
    return {rule.quantity for rule in rules if isinstance(rule.condition, Level | Top)}


def last_known_values(context: EvaluationContext, quantity: str) -> Floats:
    """What the next look is compared with, whatever is made of the statistics until then: the value of this look, or
    of the last one that had any; infinite where a metric that is known had no rank, for it was behind all others."""
    value = context.value(quantity)
    if quantity == "rank":
        value = np.where(context.fresh & np.isnan(value), np.inf, value)
    told = ~np.isnan(value)
    if quantity != "volume":
        told &= ~context.stalled
    return np.where(told, value, context.earlier[quantity])


def initial_values(statistics: MetricStats, quantity: str, since: int) -> Floats:
    """What a first look is compared with: what the statistics say of metrics priced after epoch second `since`."""
    values = statistics["told_volume"] if quantity == "volume" else values_of(statistics, quantity)
    if quantity == "rank":
        values = np.where(np.isnan(values), np.inf, values)
    return np.where(statistics["priced_at"] > since, values, np.nan)


def values_of(statistics: MetricStats, quantity: str) -> Floats:
    """A quantity of all metrics, NaN for what is not known."""
    if quantity == "volatility":
        return volatility(statistics["stdev"], statistics["mean"])
    if quantity == "rank":
        return np.where(statistics["rank"] > 0, statistics["rank"].astype(np.float64), np.nan)
    values: Floats = statistics[quantity]
    return values


def evaluate(rule: AlertRule, context: EvaluationContext) -> tuple[Evaluation, Comparison]:
    """What `rule` makes of all metrics, whether they are in its scope or not."""
    condition, count = rule.condition, len(context.statistics)
    endless, unknown, none = np.full(count, np.inf), np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    match condition:
        case TimesAverage(direction, factor, window, min_samples):
            value = context.value(rule.quantity)
            average, samples = context.exact_averages.get(rule.id) or context.average(rule.quantity, window)
            threshold = np.where(samples >= min_samples, factor * average, np.nan)
            upper, lower = (threshold, -endless) if direction == "above" else (endless, threshold)
            known, reference = ~np.isnan(value) & ~np.isnan(threshold), average
        case Change(direction, percent, window):
            value = context.value(rule.quantity)
            reference, samples = context.begin(rule.quantity, window), none
            # A value of nothing has no percentage; one that falls cannot fall by more than all of it.
            reference = np.where(reference > 0, reference, np.nan)
            upper = reference * (1 + percent / 100) if direction != "down" else endless
            lower = reference * (1 - percent / 100) if direction != "up" else -endless
            known = ~np.isnan(value) & ~np.isnan(reference)
        case Level(direction, level):
            value, reference, samples = context.value(rule.quantity), unknown, none
            upper = np.full(count, level) if direction != "down" else endless
            lower = np.full(count, level) if direction != "up" else -endless
            known = ~np.isnan(value)
        case Top(places):
            value, reference, samples = context.value("rank"), unknown, none
            upper, lower = endless, np.full(count, places + 0.5)
            value = np.where(context.fresh & np.isnan(value), np.inf, value)
            known = ~np.isnan(value)
        case NoData(periods):
            age = np.maximum(context.now - context.statistics["priced_at"], 0) / context.period_seconds
            # What does not trade is not missed.
            value, reference, samples = np.where(context.active, age, 0.0), unknown, none
            upper, lower = np.full(count, periods - 0.5), -endless
            known = context.statistics["priced_at"] > 0
    figures = Comparison(value, reference, upper, lower, samples)
    return _evaluation(rule, context, figures, known), figures


def _evaluation(rule: AlertRule, context: EvaluationContext, figures: Comparison, known: Mask) -> Evaluation:
    value, upper, lower = figures.value, figures.upper, figures.lower
    slack = rule.hysteresis_percent / 100
    with np.errstate(invalid="ignore"):
        side = (value > upper).astype(np.int8) - (value < lower).astype(np.int8)
        # Endless is a side that the rule does not look at. What fired there before the rule was changed is over.
        above, below = (np.where(np.isfinite(part), part, 0.0) for part in _distances(rule, figures))
        clears_above, clears_below = value <= upper - slack * above, value >= lower + slack * below
        starts = side != 0
        if isinstance(rule.condition, Level | Top):
            earlier = context.earlier[rule.quantity]
            came_from = (earlier > upper).astype(np.int8) - (earlier < lower).astype(np.int8)
            starts &= (came_from != side) & ~np.isnan(earlier)
    if rule.quantity != "volume" and not isinstance(rule.condition, NoData):
        known &= ~context.stalled
    return Evaluation(side, starts & known, clears_above, clears_below, known)


def _distances(rule: AlertRule, figures: Comparison) -> tuple[Floats, Floats]:
    """What the hysteresis is a part of: the change that is asked for, or the threshold itself."""
    if isinstance(rule.condition, Change):
        return np.abs(figures.upper - figures.reference), np.abs(figures.lower - figures.reference)
    return np.abs(figures.upper), np.abs(figures.lower)
