"""Moments, as people and programs write them."""

from datetime import UTC, datetime


def parse_moment(text: str) -> datetime:
    """The moment that an ISO-8601 text (UTC where it names no zone) or a number of epoch seconds tells.

    Raises ValueError naming what cannot be read.
    """
    try:
        if text.isascii() and text.isdigit():
            return datetime.fromtimestamp(int(text), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ValueError(f"{text[:40]!r} is neither an ISO-8601 time nor epoch seconds") from None


def period_of(moment: datetime, period_seconds: int) -> datetime:
    """The period that `moment` lies in, named by its start."""
    second = int(moment.timestamp())
    return datetime.fromtimestamp(second - second % period_seconds, UTC)
