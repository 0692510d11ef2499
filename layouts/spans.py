"""The spans of time that charts can show."""

from dataclasses import dataclass

from services.market.times import DAY, HOUR, MINUTE


@dataclass(frozen=True, slots=True)
class Span:
    """A span with the width of its candles, and the window of its rolling volatility."""

    key: str
    label: str
    seconds: int
    bar_seconds: int
    window_seconds: int

    @property
    def by_sample(self) -> bool:
        """True if every sample is drawn; spans longer than a day have one point an hour."""
        return self.seconds <= DAY


SPANS = {
    span.key: span
    for span in (
        Span("1", "1 h", HOUR, MINUTE, 15 * MINUTE),
        Span("6", "6 h", 6 * HOUR, 5 * MINUTE, HOUR),
        Span("24", "24 h", DAY, 15 * MINUTE, HOUR),
        Span("168", "7 d", 7 * DAY, HOUR, DAY),
        Span("720", "30 d", 30 * DAY, 4 * HOUR, DAY),
        Span("8760", "1 y", 365 * DAY, DAY, 7 * DAY),
    )
}
"""By their number of hours."""

FIRST_SPAN = SPANS["24"]


def span_of(key: object) -> Span:
    """The span that a browser asks for; FIRST_SPAN if there is no such span."""
    return SPANS.get(key, FIRST_SPAN) if isinstance(key, str) else FIRST_SPAN


def duration(seconds: int) -> str:
    """A whole number of days, hours or minutes: 15 min, 4 h, 7 d."""
    for size, unit in ((DAY, "d"), (HOUR, "h")):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds // MINUTE} min"
