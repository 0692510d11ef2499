"""The outbox: the messages that channels are owed, written in the commit that caused them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, and_, exists, insert, select, update
from sqlalchemy.orm import aliased

from services.market.messages import LISTED, Delivery, DeliveryState, Entry, Kind, Message, compose
from services.store import alerts
from services.store.models import AlertRow, Installation, MessageAlertRow, MessageRow

KEY_CHARACTERS = 12
"""Of the database's identity, in the keys of its messages."""

GIVE_UP_SECONDS = 86_400
"""For so long a message is owed; then it has failed, until someone wants it tried again."""

MOST_NAMED = 500
"""Alerts that one statement names."""

_OWED = MessageRow.sent_at.is_(None) & MessageRow.failed_at.is_(None)


@dataclass(frozen=True, slots=True)
class News:
    """What `channels` are to be told: that the alert `fired`, or that it is `resolved`."""

    alert_id: int
    kind: Kind
    channels: Sequence[str]


@dataclass(frozen=True, slots=True)
class Owed:
    """One message that this sender has claimed: `attempts` were made before; after epoch second `expires_at` it is
    given up."""

    id: int
    channel: str
    attempts: int
    expires_at: int
    message: Message


def owe(connection: Connection, at: int, news: Sequence[News]) -> None:
    """Owe one message to each channel that any of the news is for, to be sent from epoch second `at` on.

    Called once a commit, with all of its news, the most important first: a message names the first of them.
    """
    by_channel: dict[str, list[News]] = {}
    for item in news:
        for channel in dict.fromkeys(item.channels):
            by_channel.setdefault(channel, []).append(item)
    for channel, items in by_channel.items():
        fired = sum(item.kind == "fired" for item in items)
        counts = {"fired": fired, "resolved": len(items) - fired}
        values = {"channel": channel, "created_at": at, "due_at": at, "expires_at": at + GIVE_UP_SECONDS, **counts}
        number = connection.execute(insert(MessageRow).values(values).returning(MessageRow.id)).scalar_one()
        connection.execute(
            insert(MessageAlertRow),
            [
                {"message_id": number, "place": place, "alert_id": item.alert_id, "kind": item.kind}
                for place, item in enumerate(items)
            ],
        )


def told_of(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """The channels that are owed, or have had, word of the firing of each of these alerts."""
    found: dict[int, list[str]] = {}
    columns = select(MessageAlertRow.alert_id, MessageRow.channel).join(
        MessageRow, MessageRow.id == MessageAlertRow.message_id
    )
    for start in range(0, len(alert_ids), MOST_NAMED):
        of_them = MessageAlertRow.alert_id.in_(alert_ids[start : start + MOST_NAMED]) & (
            MessageAlertRow.kind == "fired"
        )
        for alert_id, channel in connection.execute(columns.where(of_them).order_by(MessageRow.id)):
            found.setdefault(alert_id, []).append(channel)
    return found


def claim(connection: Connection, channel: str, now: int, seconds: int) -> Owed | None:
    """Take the message of this channel that is due the longest, for `seconds`: nobody else gets it meanwhile.

    None where nothing is due, and while the receiver has asked for silence.
    """
    free = _OWED & (MessageRow.channel == channel) & (MessageRow.due_at <= now) & (MessageRow.claimed_until <= now)
    other = aliased(MessageRow)
    is_silent = exists().where(
        other.channel == channel, other.sent_at.is_(None), other.failed_at.is_(None), other.silent_until > now
    )
    first = select(MessageRow.id).where(free, ~is_silent).order_by(MessageRow.due_at, MessageRow.id).limit(1)
    taken = (
        update(MessageRow)
        .where(MessageRow.id == first.scalar_subquery(), free)
        .values(claimed_until=now + seconds)
        .returning(MessageRow)
    )
    row = connection.execute(taken).first()
    if row is None:
        return None
    identity = connection.execute(select(Installation.identity)).scalar_one()
    # Where a backup was brought back, numbers are given a second time, but not at the same time.
    key = f"{identity[:KEY_CHARACTERS]}-{row.id}-{row.created_at}"
    message = compose(key, _moment(row.created_at), _entries(connection, row.id), row.fired, row.resolved)
    return Owed(row.id, channel, row.attempts, row.expires_at, message)


def mark_sent(connection: Connection, owed: Owed, now: int) -> None:
    """The message has been accepted. What else the channel did not accept before is due at once: it is back."""
    _settle(connection, owed, sent_at=now, silent_until=0, error=None)
    waiting = _OWED & (MessageRow.channel == owed.channel) & (MessageRow.attempts > 0) & (MessageRow.due_at > now)
    connection.execute(update(MessageRow).where(waiting).values(due_at=now))


def mark_failed(connection: Connection, owed: Owed, now: int, error: str) -> None:
    """The message is given up."""
    _settle(connection, owed, failed_at=now, silent_until=0, error=error)


def postpone(connection: Connection, owed: Owed, due: int, error: str, silent_until: int = 0) -> None:
    """The message was not accepted; try again from `due` on, and send nothing on its channel before `silent_until`."""
    _settle(connection, owed, due_at=due, claimed_until=0, silent_until=silent_until, error=error)


def retry(connection: Connection, number: int, now: int) -> bool:
    """Owe a message that was given up for another day, from now on; whether there is such a one."""
    afresh = {
        "failed_at": None,
        "due_at": now,
        "expires_at": now + GIVE_UP_SECONDS,
        "claimed_until": 0,
        "attempts": 0,
    }
    failed = update(MessageRow).where(MessageRow.id == number, MessageRow.failed_at.is_not(None)).values(afresh)
    return bool(connection.execute(failed).rowcount)


def deliveries(
    connection: Connection, limit: int, state: DeliveryState | None = None, offset: int = 0
) -> tuple[Delivery, ...]:
    """The newest messages after the first `offset`, at most `limit`, of one state where it is given."""
    states = {
        "queued": _OWED,
        "sent": MessageRow.sent_at.is_not(None),
        "failed": MessageRow.failed_at.is_not(None),
    }
    statement = _deliveries().order_by(MessageRow.id.desc()).limit(limit).offset(offset)
    if state is not None:
        statement = statement.where(states[state])
    return tuple(_delivery(row) for row in connection.execute(statement))


def delivery(connection: Connection, number: int) -> Delivery | None:
    """The message of this number."""
    row = connection.execute(_deliveries().where(MessageRow.id == number)).first()
    return None if row is None else _delivery(row)


def _settle(connection: Connection, owed: Owed, **values: object) -> None:
    # One who claimed it long ago, and was thought dead, must not undo what another has done since.
    mine = _OWED & (MessageRow.id == owed.id)
    connection.execute(update(MessageRow).where(mine).values(attempts=MessageRow.attempts + 1, **values))


def _entries(connection: Connection, number: int) -> tuple[Entry, ...]:
    rows = connection.execute(
        alerts.select_alerts(MessageAlertRow.kind)
        .join(MessageAlertRow, MessageAlertRow.alert_id == AlertRow.id)
        .where(MessageAlertRow.message_id == number, MessageAlertRow.place < LISTED)
        .order_by(MessageAlertRow.place)
    )
    return tuple(Entry(row.kind, alerts.alert_of(row)) for row in rows)


def _deliveries() -> Any:
    told = [
        column.label(f"message_{column.key}")
        for column in MessageRow.__table__.columns
        if column.key not in ("expires_at", "claimed_until", "silent_until")
    ]
    first = and_(MessageAlertRow.alert_id == AlertRow.id, MessageAlertRow.place == 0)
    return (
        alerts.select_alerts(MessageAlertRow.kind, *told)
        .join(MessageAlertRow, first)
        .join(MessageRow, MessageRow.id == MessageAlertRow.message_id)
    )


def _delivery(row: Any) -> Delivery:
    state: DeliveryState = "sent" if row.message_sent_at else "failed" if row.message_failed_at else "queued"
    return Delivery(
        id=row.message_id,
        channel=row.message_channel,
        state=state,
        created_at=_moment(row.message_created_at),
        due_at=_moment(row.message_due_at),
        sent_at=None if row.message_sent_at is None else _moment(row.message_sent_at),
        attempts=row.message_attempts,
        error=row.message_error,
        fired=row.message_fired,
        resolved=row.message_resolved,
        first=Entry(row.kind, alerts.alert_of(row)),
    )


def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
