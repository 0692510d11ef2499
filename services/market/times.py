"""Moments, as people and programs write them."""

import re
from datetime import UTC, datetime, timedelta

_LEAP_SECOND = re.compile(r"(.+[0-9]{2}:[0-9]{2}:)60(?![0-9])(.*)", re.DOTALL)


def parse_moment(text: str) -> datetime:
    """The moment that an ISO-8601 or RFC 3339 text (UTC where it names no zone) or a number of epoch seconds tells.

    A leap second, `:60`, is the second after it, as in epoch seconds. Raises ValueError naming what cannot be read.
    """
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        leap = _LEAP_SECOND.fullmatch(text)
        written = text if leap is None else f"{leap[1]}59{leap[2]}"
        moment = datetime.fromisoformat(written.upper()) + timedelta(seconds=leap is not None)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text[:40]!r} is neither an ISO-8601 time nor epoch seconds") from None


def period_of(moment: datetime, period_seconds: int) -> datetime:
    """The period that `moment` lies in, named by its start."""
    second = int(moment.timestamp())
    return datetime.fromtimestamp(second - second % period_seconds, UTC)
