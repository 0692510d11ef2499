"""The spans of time that charts can show."""

from dataclasses import dataclass

from services.market.candles import ChartSpan
from services.market.times import DAY, HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Span(ChartSpan):
    """A span of the pages' charts, with its key in addresses and its label."""

    key: str
    label: str


SPANS = {
    span.key: span
    for span in (
        Span(HOUR, MINUTE, 15 * MINUTE, "1", "1 h"),
        Span(6 * HOUR, 5 * MINUTE, HOUR, "6", "6 h"),
        Span(DAY, 15 * MINUTE, HOUR, "24", "24 h"),
        Span(7 * DAY, HOUR, DAY, "168", "7 d"),
        Span(30 * DAY, 4 * HOUR, DAY, "720", "30 d"),
        Span(365 * DAY, DAY, 7 * DAY, "8760", "1 y"),
    )
}
"""By their number of hours."""

FIRST_SPAN = SPANS["24"]


def span_of(key: object) -> Span:
    """The span that a browser asks for; FIRST_SPAN if there is no such span."""
    return SPANS.get(key, FIRST_SPAN) if isinstance(key, str) else FIRST_SPAN
