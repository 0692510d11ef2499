"""The outbox: the messages that channels are owed, written in the commit that caused them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, insert, literal, select, update
from sqlalchemy.orm import aliased

from services.market.alerting.messages import LISTED, Delivery, DeliveryState, Entry, Kind, Message, compose
from services.market.present import lasts
from services.market.times import DAY, from_epoch
from services.store.alerting import alerts
from services.store.database.models import AlertRow, InstallationRow, MessageAlertRow, MessageRow

KEY_CHARACTERS = 12
"""Of the database's identity, in the keys of its messages."""

GIVE_UP_SECONDS = DAY
"""For so long a message is owed; then it has failed, until someone wants it tried again."""

MAX_WAIT_SECONDS = 21_600
"""For so long at the most a message is put off, and a receiver may ask for silence; longer would take the day that a
message lives."""

TOO_OLD, CHANNEL_REMOVED = "too old", "channel removed"
"""Why messages are given up that were not refused for good."""

MAX_NAMED_ALERTS = 500
"""Alerts that one statement names."""

_OWED = MessageRow.sent_at.is_(None) & MessageRow.failed_at.is_(None)

_STATES: Mapping[DeliveryState, ColumnElement[bool]] = {
    "queued": _OWED,
    "sent": MessageRow.sent_at.is_not(None),
    "failed": MessageRow.failed_at.is_not(None),
}


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """What `channels` are to be told: that the alert `fired`, or that it is `resolved`."""

    alert_id: int
    kind: Kind
    channels: Sequence[str]


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """One message that the sender `owner` has claimed: `attempts` were made before; after epoch second `expires_at` it
    is given up."""

    id: int
    channel: str
    owner: str
    attempts: int
    expires_at: int
    message: Message


def enqueue(connection: Connection, at: int, news: Sequence[AlertNotice]) -> None:
    """Owe one message to each channel that any of the news is for, to be sent from epoch second `at` on.

    Called once a commit, with all of its news, the most important first: a message names the first of them.
    """
    by_channel: dict[str, list[AlertNotice]] = {}
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


def notified_channels(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """The channels that are owed, or have had, word of the firing of each of these alerts."""
    found: dict[int, list[str]] = {}
    columns = select(MessageAlertRow.alert_id, MessageRow.channel).join(
        MessageRow, MessageRow.id == MessageAlertRow.message_id
    )
    for start in range(0, len(alert_ids), MAX_NAMED_ALERTS):
        of_them = MessageAlertRow.alert_id.in_(alert_ids[start : start + MAX_NAMED_ALERTS]) & (
            MessageAlertRow.kind == "fired"
        )
        for alert_id, channel in connection.execute(columns.where(of_them).order_by(MessageRow.id)):
            found.setdefault(alert_id, []).append(channel)
    return found


def give_up_old(connection: Connection, channel: str, now: int) -> int:
    """The channel's messages that have expired have failed, also those that were never tried: sent now, they would pass
    for news. Answers how many they are."""
    reason = case(
        (MessageRow.error.is_(None), TOO_OLD), else_=TOO_OLD + "; the last attempt failed: " + MessageRow.error
    )
    expired = (MessageRow.channel == channel) & (MessageRow.expires_at < now)
    return _give_up(connection, expired, now, reason)


def other_pending_channels(connection: Connection, channels: Collection[str]) -> Sequence[str]:
    """The channels, other than these, that are owed messages."""
    others = select(MessageRow.channel).where(_OWED, MessageRow.channel.not_in(channels)).distinct()
    return connection.execute(others.order_by(MessageRow.channel)).scalars().all()


def give_up_removed(connection: Connection, channel: str, now: int) -> int:
    """All that the channel is owed has failed; answers how many messages."""
    return _give_up(connection, MessageRow.channel == channel, now, literal(CHANNEL_REMOVED))


def has_work(connection: Connection, channel: str, now: int) -> bool:
    """Whether there is something to do for who sends on the channel: a message to be sent, or to be given up."""
    can_be_sent = _is_due(channel, now) & ~_is_silent(channel, now)
    is_owed = exists().where(_OWED, MessageRow.channel == channel, can_be_sent | (MessageRow.expires_at < now))
    return connection.execute(select(is_owed)).scalar_one()


def claim(connection: Connection, channel: str, now: int, owner: str) -> PendingMessage | None:
    """The channel's oldest message, claimed for `owner`, which has to be the only one that sends on this channel.

    None where none of them is due, and while the receiver has asked for silence. A new message is due at once: it is a
    reason to try the channel again, with the oldest.
    """
    oldest = select(func.min(MessageRow.id)).where(_OWED, MessageRow.channel == channel).scalar_subquery()
    taken = (
        update(MessageRow)
        .where(MessageRow.id == oldest, _is_due(channel, now), ~_is_silent(channel, now))
        .values(claimed_by=owner)
        .returning(MessageRow)
    )
    row = connection.execute(taken).first()
    if row is None:
        return None
    identity = connection.execute(select(InstallationRow.identity)).scalar_one()
    # Where a backup was brought back, numbers are given a second time, but not at the same time.
    key = f"{identity[:KEY_CHARACTERS]}-{row.id}-{row.created_at}"
    message = compose(key, from_epoch(row.created_at), _entries(connection, row.id), row.fired, row.resolved)
    return PendingMessage(row.id, channel, owner, row.attempts, row.expires_at, message)


def mark_sent(connection: Connection, owed: PendingMessage, now: int) -> None:
    """The message has been accepted. What waits behind it is due at once: the channel works."""
    # Whoever has claimed it since: what one of them knows to be accepted, the other need not send.
    _settle(connection, MessageRow.id == owed.id, sent_at=now, silent_until=0, error=None)
    waiting = _OWED & (MessageRow.channel == owed.channel) & (MessageRow.due_at > now)
    connection.execute(update(MessageRow).where(waiting).values(due_at=now))


def mark_failed(connection: Connection, owed: PendingMessage, now: int, error: str) -> None:
    """The message is given up."""
    _settle(connection, _is_its(owed), failed_at=now, silent_until=0, error=error)


def postpone(connection: Connection, owed: PendingMessage, due: int, error: str, silent_until: int = 0) -> None:
    """The message was not accepted; try again from `due` on, until when what waits behind it waits too, and send
    nothing on its channel before `silent_until`."""
    if _settle(connection, _is_its(owed), due_at=due, silent_until=silent_until, error=error):
        earlier = (MessageRow.due_at < due) | _is_new(MessageRow)
        waiting = _OWED & (MessageRow.channel == owed.channel) & earlier
        connection.execute(update(MessageRow).where(waiting).values(due_at=due))


def shift_back(connection: Connection, now: int, seconds: int) -> None:
    """What a clock that was ahead wrote of messages at epoch second `now` and later happened so many seconds earlier.
    Messages that it found too old are owed again."""
    ahead = MessageRow.created_at >= now
    for column in (MessageRow.due_at, MessageRow.expires_at, MessageRow.silent_until):
        connection.execute(update(MessageRow).where(ahead, column >= now).values({column.key: column - seconds}))
    owed_again = (MessageRow.failed_at >= now) & MessageRow.error.startswith(TOO_OLD)
    afresh = {"failed_at": None, "error": None, "due_at": now}
    connection.execute(update(MessageRow).where(owed_again, MessageRow.expires_at >= now).values(afresh))
    for settled in (MessageRow.sent_at, MessageRow.failed_at):
        connection.execute(update(MessageRow).where(settled >= now).values({settled.key: settled - seconds}))
    # The key of a message that was tried and may have arrived has to stay, and it names this time.
    untried = (MessageRow.attempts == 0) & MessageRow.claimed_by.is_(None)
    is_free = MessageRow.sent_at.is_not(None) | untried
    connection.execute(update(MessageRow).where(ahead, is_free).values(created_at=MessageRow.created_at - seconds))


def retry(connection: Connection, number: int, now: int) -> bool:
    """Owe a message that was given up for another day, from now on; whether there is such a one."""
    afresh = {
        "failed_at": None,
        "due_at": now,
        "expires_at": now + GIVE_UP_SECONDS,
        "attempts": 0,
    }
    failed = update(MessageRow).where(MessageRow.id == number, MessageRow.failed_at.is_not(None)).values(afresh)
    return bool(connection.execute(failed).rowcount)


def deliveries(
    connection: Connection, limit: int, state: DeliveryState | None = None, offset: int = 0
) -> tuple[Delivery, ...]:
    """The newest messages after the first `offset`, at most `limit`, of one state where it is given."""
    statement = _deliveries().order_by(MessageRow.id.desc()).limit(limit).offset(offset)
    if state is not None:
        statement = statement.where(_STATES[state])
    return tuple(_delivery(row) for row in connection.execute(statement))


def count(connection: Connection, state: DeliveryState | None = None) -> int:
    """How many messages there are, of one state where it is given."""
    statement = select(func.count()).select_from(MessageRow)
    if state is not None:
        statement = statement.where(_STATES[state])
    return connection.execute(statement).scalar_one()


def delivery(connection: Connection, number: int) -> Delivery | None:
    """The message of this number."""
    row = connection.execute(_deliveries().where(MessageRow.id == number)).first()
    return None if row is None else _delivery(row)


def _is_due(channel: str, now: int) -> ColumnElement[bool]:
    queued = aliased(MessageRow)
    is_put_off = lasts(queued.due_at, now, MAX_WAIT_SECONDS) & ~_is_new(queued)
    return exists().where(_queue(queued, channel), ~is_put_off)


def _is_silent(channel: str, now: int) -> ColumnElement[bool]:
    queued = aliased(MessageRow)
    return exists().where(_queue(queued, channel), lasts(queued.silent_until, now, MAX_WAIT_SECONDS))


def _is_new(message: Any) -> Any:
    """Whether it was never put off: due at once, also by a clock that is behind that of the tick which wrote it."""
    return message.due_at == message.created_at


def _queue(queued: Any, channel: str) -> Any:
    return (queued.channel == channel) & queued.sent_at.is_(None) & queued.failed_at.is_(None)


def _is_its(owed: PendingMessage) -> ColumnElement[bool]:
    # One who claimed it long ago, and was thought dead, must not put off what another is sending.
    return (MessageRow.id == owed.id) & (MessageRow.claimed_by == owed.owner)


def _settle(connection: Connection, which: ColumnElement[bool], **values: object) -> bool:
    """Whether the message was still owed."""
    settled = update(MessageRow).where(_OWED, which).values(attempts=MessageRow.attempts + 1, **values)
    return bool(connection.execute(settled).rowcount)


def _give_up(connection: Connection, which: ColumnElement[bool], now: int, reason: ColumnElement[str]) -> int:
    failed = update(MessageRow).where(_OWED, which).values(failed_at=now, silent_until=0, error=reason)
    return connection.execute(failed).rowcount


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
        if column.key not in ("expires_at", "claimed_by", "silent_until")
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
        created_at=from_epoch(row.message_created_at),
        due_at=from_epoch(row.message_due_at),
        sent_at=from_epoch(row.message_sent_at),
        attempts=row.message_attempts,
        error=row.message_error,
        fired=row.message_fired,
        resolved=row.message_resolved,
        first=Entry(row.kind, alerts.alert_of(row)),
    )
