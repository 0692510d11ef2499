"""Times: aware UTC moments, epoch seconds, and the texts that people and programs write for them."""

import re
from datetime import UTC, datetime, timedelta
from typing import overload

MINUTE = 60
HOUR = 3_600
DAY = 86_400

_LEAP_SECOND = re.compile(r"(.+[0-9]{2}:[0-9]{2}:)60(?![0-9])(.*)", re.DOTALL)


def parse_moment(text: str) -> datetime:
    """Parse ISO-8601, RFC 3339 or epoch seconds. A text without a zone is UTC.

    A leap second, `:60`, is read as the second after it, as in epoch seconds. Raises ValueError with the text.
    """
    try:
        if text.isascii() and text.isdigit():
            return from_epoch(int(text))
        leap = _LEAP_SECOND.fullmatch(text)
        written = text if leap is None else f"{leap[1]}59{leap[2]}"
        moment = datetime.fromisoformat(written.upper()) + timedelta(seconds=leap is not None)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text[:40]!r} is neither an ISO-8601 time nor epoch seconds") from None


def period_of(moment: datetime, period_seconds: int) -> datetime:
    """The start of the period that contains `moment`."""
    second = to_epoch(moment)
    return from_epoch(second - second % period_seconds)


def span_text(seconds: int) -> str:
    """A span of time in its largest whole unit, a day in hours: 90 s, 15 min, 24 h, 7 d."""
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds and seconds % size == 0 and (size != DAY or seconds > DAY):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


@overload
def from_epoch(second: float) -> datetime: ...
@overload
def from_epoch(second: float | None) -> datetime | None: ...
def from_epoch(second: float | None) -> datetime | None:
    """Epoch seconds as an aware UTC moment; None stays None."""
    return None if second is None else datetime.fromtimestamp(second, UTC)


@overload
def to_epoch(moment: datetime) -> int: ...
@overload
def to_epoch(moment: datetime | None) -> int | None: ...
def to_epoch(moment: datetime | None) -> int | None:
    """Whole epoch seconds, the fraction cut off; None stays None."""
    return None if moment is None else int(moment.timestamp())
