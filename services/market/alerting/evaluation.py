"""Evaluation: compares the values of all metrics at one moment with what a rule compares them with."""

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
    """The values that a rule compared, all of shape (metrics,), NaN for unknown.

    `reference` is the average, or the value at the start of the window; `upper` and `lower` are the thresholds;
    `samples` is the number of values in the average.
    """

    value: Floats
    reference: Floats
    upper: Floats
    lower: Floats
    samples: Ints


@dataclass
class EvaluationContext:
    """All metrics at one moment, and the values that several rules share, each computed once.

    `statistics` are those of this tick. `earlier` has the `last_known_values` of the previous evaluation, for each
    quantity of a rule on crossings and for the same metrics. `fresh` are the metrics with a price in this tick.
    `stalled` are those whose exchange repeats its prices: no rule on prices, or on what derives from them, may use
    them. `active` are those that trade. `exact_averages` has the averages and their numbers of values, by rule number,
    of rules whose averages the statistics hold exactly; the others are computed from `sum_history`.
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
        """The values of this tick, NaN for metrics without a price in it."""
        if quantity not in self._values:
            self._values[quantity] = np.where(self.fresh, values_of(self.statistics, quantity), np.nan)
        return self._values[quantity]

    def average(self, quantity: str, window: int) -> tuple[Floats, Ints]:
        """The mean of the values in the `window` seconds before this tick, and their number."""
        key = quantity, window
        if key not in self._averages:
            ids, start = self.statistics["id"], self.now - window
            last = self.sum_history.last_until(quantity, self.now - 1)
            edge = self.sum_history.first_from(quantity, start)
            if last is None or edge is None or edge.minute > last.minute:
                self._averages[key] = np.full(len(ids), np.nan), np.zeros(len(ids), dtype=np.int64)
            else:
                average, count = average_between(self._of_metrics(quantity, edge), self._of_metrics(quantity, last))
                unknown = self.sum_history.unknown(quantity, start, ids)
                self._averages[key] = np.where(unknown, np.nan, average), np.where(unknown, 0, count)
        return self._averages[key]

    def begin(self, quantity: str, window: int) -> Floats:
        """The values `window` seconds ago, NaN where there is none within the tolerance before that."""
        key = quantity, window
        if key not in self._begins:
            start = self.now - window
            first = start - tolerance(window, self.period_seconds) + 1
            last, edge = self.sum_history.last_until(quantity, start), self.sum_history.first_from(quantity, first)
            if last is None or edge is None or edge.minute > last.minute:
                self._begins[key] = np.full(len(self.statistics), np.nan)
            else:
                begin = self._of_metrics(quantity, last)
                _, came = average_between(self._of_metrics(quantity, edge), begin)
                known = (came > 0) & ~self.sum_history.unknown(quantity, first, self.statistics["id"])
                self._begins[key] = np.where(known, begin.value, np.nan)
        return self._begins[key]

    def _of_metrics(self, quantity: str, sums: RunningSums) -> RunningSums:
        key = quantity, sums.minute
        if key not in self._sums:
            self._sums[key] = sums.of(self.statistics["id"])
        return self._sums[key]


def crossed_quantities(rules: Iterable[AlertRule]) -> set[str]:
    """The quantities whose previous values these rules need."""
    return {rule.quantity for rule in rules if isinstance(rule.condition, Level | Top)}


def last_known_values(context: EvaluationContext, quantity: str) -> Floats:
    """The values that the next evaluation compares with: those of this evaluation, else the last known ones.

    A metric with a price but without a rank has rank infinity: it is behind all others.
    """
    value = context.value(quantity)
    if quantity == "rank":
        value = np.where(context.fresh & np.isnan(value), np.inf, value)
    known = ~np.isnan(value)
    if quantity != "volume":
        known &= ~context.stalled
    return np.where(known, value, context.earlier[quantity])


def initial_values(statistics: MetricStats, quantity: str, since: int) -> Floats:
    """The values that a first evaluation compares with: the statistics of metrics priced after epoch second `since`."""
    values = statistics["told_volume"] if quantity == "volume" else values_of(statistics, quantity)
    if quantity == "rank":
        values = np.where(np.isnan(values), np.inf, values)
    return np.where(statistics["priced_at"] > since, values, np.nan)


def values_of(statistics: MetricStats, quantity: str) -> Floats:
    """A quantity of all metrics, NaN for unknown."""
    if quantity == "volatility":
        return volatility(statistics["stdev"], statistics["mean"])
    if quantity == "rank":
        return np.where(statistics["rank"] > 0, statistics["rank"].astype(np.float64), np.nan)
    values: Floats = statistics[quantity]
    return values


def evaluate(rule: AlertRule, context: EvaluationContext) -> tuple[Evaluation, Comparison]:
    """Evaluate `rule` on all metrics, whatever its scope."""
    condition, count = rule.condition, len(context.statistics)
    infinite, unknown, none = np.full(count, np.inf), np.full(count, np.nan), np.zeros(count, dtype=np.int64)
    match condition:
        case TimesAverage(direction, factor, window, min_samples):
            value = context.value(rule.quantity)
            average, samples = context.exact_averages.get(rule.id) or context.average(rule.quantity, window)
            threshold = np.where(samples >= min_samples, factor * average, np.nan)
            upper, lower = (threshold, -infinite) if direction == "above" else (infinite, threshold)
            known, reference = ~np.isnan(value) & ~np.isnan(threshold), average
        case Change(direction, percent, window):
            value = context.value(rule.quantity)
            reference, samples = context.begin(rule.quantity, window), none
            # A change from 0 has no percentage, and no value falls by more than 100 %.
            reference = np.where(reference > 0, reference, np.nan)
            upper = reference * (1 + percent / 100) if direction != "down" else infinite
            lower = reference * (1 - percent / 100) if direction != "up" else -infinite
            known = ~np.isnan(value) & ~np.isnan(reference)
        case Level(direction, level):
            value, reference, samples = context.value(rule.quantity), unknown, none
            upper = np.full(count, level) if direction != "down" else infinite
            lower = np.full(count, level) if direction != "up" else -infinite
            known = ~np.isnan(value)
        case Top(places):
            value, reference, samples = context.value("rank"), unknown, none
            upper, lower = infinite, np.full(count, places + 0.5)
            value = np.where(context.fresh & np.isnan(value), np.inf, value)
            known = ~np.isnan(value)
        case NoData(periods):
            age = np.maximum(context.now - context.statistics["priced_at"], 0) / context.period_seconds
            # A metric that does not trade has no missing data.
            value, reference, samples = np.where(context.active, age, 0.0), unknown, none
            upper, lower = np.full(count, periods - 0.5), -infinite
            known = context.statistics["priced_at"] > 0
    comparison = Comparison(value, reference, upper, lower, samples)
    return _evaluation(rule, context, comparison, known), comparison


def _evaluation(rule: AlertRule, context: EvaluationContext, comparison: Comparison, known: Mask) -> Evaluation:
    value, upper, lower = comparison.value, comparison.upper, comparison.lower
    slack = rule.hysteresis_percent / 100
    with np.errstate(invalid="ignore"):
        side = (value > upper).astype(np.int8) - (value < lower).astype(np.int8)
        # An infinite threshold is on a side that the rule does not watch: alerts from before the rule was changed
        # resolve there.
        above, below = (np.where(np.isfinite(part), part, 0.0) for part in _distances(rule, comparison))
        clears_above, clears_below = value <= upper - slack * above, value >= lower + slack * below
        starts = side != 0
        if isinstance(rule.condition, Level | Top):
            earlier = context.earlier[rule.quantity]
            came_from = (earlier > upper).astype(np.int8) - (earlier < lower).astype(np.int8)
            starts &= (came_from != side) & ~np.isnan(earlier)
    if rule.quantity != "volume" and not isinstance(rule.condition, NoData):
        known &= ~context.stalled
    return Evaluation(side, starts & known, clears_above, clears_below, known)


def _distances(rule: AlertRule, comparison: Comparison) -> tuple[Floats, Floats]:
    """The values that the hysteresis is a percentage of: the change in the condition, or the threshold itself."""
    if isinstance(rule.condition, Change):
        return np.abs(comparison.upper - comparison.reference), np.abs(comparison.lower - comparison.reference)
    return np.abs(comparison.upper), np.abs(comparison.lower)
