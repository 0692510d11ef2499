"""What is read of a metric for a stretch of time."""

from datetime import datetime, timedelta

from layouts.spans import Span
from services.market.moments import period_of
from services.market.past import Past, look_back
from services.market.ports import MarketReader
from services.market.types import Hours, Series


def past_of(reader: MarketReader, metric_id: int, now: datetime, span: Span) -> Past:
    """A metric's last `span` before `now`, by sample or by the hour as the span has it.

    As in the JSON interface it ends where the running period begins, so that all who look at the metric within one
    period ask the same. Raises UnknownMetric.
    """
    until = period_of(now, reader.profile.period_seconds)
    since = until - timedelta(seconds=span.seconds)
    lead = since - timedelta(seconds=span.window_seconds)
    history: Series | Hours
    if span.by_sample:
        history = reader.prices(metric_id, lead, until)
        volumes: Series | None = reader.volumes(metric_id, since, until)
    else:
        history = reader.hours(metric_id, lead, until)
        volumes = None
    return look_back(
        history,
        volumes,
        int(since.timestamp()),
        int(until.timestamp()),
        span.bar_seconds,
        span.window_seconds,
        reader.profile.period_seconds,
    )
