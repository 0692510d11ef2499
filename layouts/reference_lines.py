"""The values that prices are compared with at each time: the hour's average, and the thresholds of rules."""

from collections.abc import Sequence

import numpy as np

from layouts.curves import Values, known, with_gaps
from services.market.alerting import averages
from services.market.alerting.alerts import Alert
from services.market.alerting.rules import BUILT_IN, AlertRule, TimesAverage
from services.market.candles import ChartHistory
from services.market.times import HOUR, to_epoch
from services.market.types import Floats, Hours, Ints, Series

DIGITS = 11
"""Significant digits of each value."""


def hour_average(chart: ChartHistory) -> tuple[Ints, Values]:
    """The average of the hour before each price; for hours, before the end of each bar."""
    moments, widths = _times_and_widths(chart)
    if isinstance(chart.known, Hours):
        means, _ = averages.hourly(chart.known, moments, HOUR)
    else:
        means, _ = averages.weighted(chart.known, moments, HOUR)
    return _drawn(moments, means, widths)


def threshold(
    chart: ChartHistory, rule: AlertRule, alerts: Sequence[Alert], period_seconds: int
) -> tuple[Ints, Values]:
    """The threshold of `rule`, which has a multiple of an average, at each price; for hours, at each bar.

    Where the rule fired, the threshold is the one on record in `alerts`.
    """
    condition = rule.condition
    assert isinstance(condition, TimesAverage)
    moments, widths = _times_and_widths(chart)
    if isinstance(chart.known, Hours):
        means, counts = averages.hourly(chart.known, moments, condition.window_seconds)
    elif rule.id == BUILT_IN:
        means, counts = averages.weighted(chart.known, moments, condition.window_seconds)
    else:
        means, counts = averages.plain(chart.known, moments, condition.window_seconds, period_seconds)
    limits = np.where(counts >= condition.min_samples, condition.factor * means, np.nan)
    if not len(moments):
        return moments, []
    on_record = {
        to_epoch(alert.fired_at): limit
        for alert in alerts
        if alert.rule_id == rule.id and (limit := _compared_with(alert)) is not None
    }
    fired = np.array([at for at in on_record if chart.since < at <= chart.until], dtype=np.int64)
    times = np.union1d(moments, fired)
    values, reach = np.full(len(times), np.nan), np.full(len(times), chart.bars.seconds)
    drawn = np.searchsorted(times, moments)
    values[drawn], reach[drawn] = limits, widths
    values[np.searchsorted(times, fired)] = [on_record[at] for at in fired.tolist()]
    return _drawn(times, values, reach)


def _compared_with(alert: Alert) -> float | None:
    if alert.quantity != "price":
        return None
    if alert.threshold is None and alert.factor is not None and alert.average is not None:
        return alert.factor * alert.average
    return alert.threshold


def _times_and_widths(chart: ChartHistory) -> tuple[Ints, Ints]:
    """The times of the values, and the seconds that each stands for."""
    if isinstance(chart.history, Hours):
        ends: Ints = np.minimum(chart.bars.starts + chart.bars.seconds, chart.until)
        return ends, np.full(len(ends), chart.bars.seconds, dtype=np.int64)
    return chart.history.times, chart.history.widths


def _drawn(times: Ints, values: Floats, widths: Ints) -> tuple[Ints, Values]:
    """The line through the values, with gaps where prices are missing, and None for unknown values."""
    times, filled = with_gaps(Series(times, _rounded(values), widths), 0)
    return times, known(filled)


def _rounded(values: Floats) -> Floats:
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(values)))
    rounded: Floats = np.round(values * scale) / scale
    return rounded
