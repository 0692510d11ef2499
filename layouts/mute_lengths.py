"""The lengths of mutes, and when a mute ends."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from services.market.errors import TrackerError

UNTIL_RESOLVED = "resolved"
MUTE_LENGTHS: Mapping[str, tuple[str, timedelta | None]] = {
    UNTIL_RESOLVED: ("Until it resolves", None),
    "1h": ("For 1 h", timedelta(hours=1)),
    "8h": ("For 8 h", timedelta(hours=8)),
    "24h": ("For 24 h", timedelta(days=1)),
    "7d": ("For 7 d", timedelta(days=7)),
}
UNTIL_CHOSEN = "chosen"
"""The choice that comes with a date and time."""

MAX_MUTE = timedelta(days=366)


class BadMuteEnd(TrackerError):
    """A mute cannot end at this time; the text says what to choose."""


def mute_end(length: str, chosen: str | None, zone: tzinfo, now: datetime) -> datetime | None:
    """The end of a mute of this length; None for one that lasts until its alerts resolve.

    For UNTIL_CHOSEN it is `chosen`, a date and time of `zone` in the form that browsers use. Raises BadMuteEnd.
    """
    if length != UNTIL_CHOSEN:
        span = MUTE_LENGTHS[length][1]
        return None if span is None else now + span
    try:
        end = datetime.fromisoformat(chosen or "").replace(tzinfo=zone)
    except ValueError:
        raise BadMuteEnd("Choose a date and a time.") from None
    if not now < end <= now + MAX_MUTE:
        raise BadMuteEnd("Choose a time in the future, within a year.")
    return end.astimezone(UTC)
