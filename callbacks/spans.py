"""The stretches of time a chart can be asked for."""

from datetime import datetime, timedelta

from layouts.metric import FIRST_SPAN, LONGEST_BY_SAMPLE, SPANS
from services.market.moments import period_of
from services.market.ports import MarketReader
from services.market.types import Hours, Series


def history_of(reader: MarketReader, metric_id: int, now: datetime, span: str) -> Series | Hours:
    """A metric's last `span` before `now` (a key of SPANS; anything else, as the browser may send, is the first shown).

    By sample up to LONGEST_BY_SAMPLE, by the hour beyond. As in the JSON interface it ends where the running period
    begins, so that all who look at the metric within one period ask the same. Raises UnknownMetric.
    """
    until = period_of(now, reader.profile.period_seconds)
    hours = int(span if span in SPANS else FIRST_SPAN)
    read = reader.prices if hours <= LONGEST_BY_SAMPLE else reader.hours
    return read(metric_id, until - timedelta(hours=hours), until)
