"""Reads the history that a chart of one metric shows."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from services.market.candles import ChartHistory, ChartSpan, chart_history
from services.market.ports import MarketReader
from services.market.times import HOUR, MINUTE, from_epoch, period_of, to_epoch
from services.market.types import Hours, Series

EPOCH = from_epoch(0)


def read_chart(
    reader: MarketReader, metric_id: int, now: datetime, span: ChartSpan, windows: Iterable[int] = ()
) -> ChartHistory:
    """A metric's last `span` before `now`, by sample or by hour, and as much history before it as its averages need:
    those of an hour, of the built-in rule's window, and of `windows` (seconds).

    As in the JSON API it ends where the running period begins, so that all readers within one period read the same.
    Raises UnknownMetric.
    """
    until = period_of(now, reader.profile.period_seconds)
    since = until - timedelta(seconds=span.seconds)
    alert_window = reader.profile.alert_window_minutes * MINUTE
    lead = since - timedelta(seconds=max(span.window_seconds, HOUR, alert_window, *windows))
    history: Series | Hours
    if span.by_sample:
        history = reader.prices(metric_id, lead, until)
        volumes: Series | None = reader.volumes(metric_id, since, until)
    else:
        history = reader.hours(metric_id, lead, until)
        volumes = None
    chart = chart_history(history, volumes, span, to_epoch(until), reader.profile.period_seconds)
    return replace(chart, begins=_beginning(reader, metric_id, chart))


def _beginning(reader: MarketReader, metric_id: int, chart: ChartHistory) -> int | None:
    """The time of the metric's first stored price; None if its history reaches back to the beginning of the span."""
    hourly = isinstance(chart.known, Hours)
    times = chart.known.starts if isinstance(chart.known, Hours) else chart.known.times
    tolerance = max(chart.bars.seconds, 2 * reader.profile.period_seconds)
    if not len(times) or times[0] - chart.since <= tolerance:
        return None
    earlier = reader.hours(metric_id, EPOCH, from_epoch(chart.since))
    if (earlier.starts < chart.since - HOUR).any():  # a gap; of the hour before the span every price is known
        return None
    first = int(times[0])
    if hourly:
        begin = from_epoch(first)
        within = reader.prices(metric_id, begin, begin + timedelta(seconds=HOUR)).times
        return int(within[0]) if len(within) else first
    return first
