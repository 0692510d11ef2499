"""The outbox: messages to channels, written in the commit that caused them and pending until they are settled."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, exists, func, insert, literal, select, true, update
from sqlalchemy.orm import aliased

from services.market.alerting.messages import LISTED, Entry, Kind, Message, compose
from services.market.present import is_unexpired
from services.market.times import DAY, from_epoch
from services.store.alerting import alerts
from services.store.database.models import AlertRow, InstallationRow, MessageAlertRow, MessageRow

KEY_CHARACTERS = 12
"""Characters of the database's identity in the keys of its messages."""

GIVE_UP_SECONDS = DAY
"""A message that is pending for longer has failed, until somebody retries it."""

MAX_WAIT_SECONDS = 21_600
"""The longest pause between two attempts, and the longest that a receiver may ask for: a message lives for a day."""

TOO_OLD, CHANNEL_REMOVED = "too old", "channel removed"
"""Why messages are given up that were not refused permanently."""

MAX_NAMED_ALERTS = 500
"""The most alerts that one statement names."""

PENDING = MessageRow.sent_at.is_(None) & MessageRow.failed_at.is_(None)


@dataclass(frozen=True, slots=True)
class AlertNotice:
    """A notice to `channels` that the alert `fired`, or that it is `resolved`."""

    alert_id: int
    kind: Kind
    channels: Sequence[str]


@dataclass(frozen=True, slots=True)
class PendingMessage:
    """One message that the sender `owner` has claimed.

    `attempts` were made before. After epoch second `expires_at` it is given up.
    """

    id: int
    channel: str
    owner: str
    attempts: int
    expires_at: int
    message: Message


def enqueue(connection: Connection, at: int, notices: Sequence[AlertNotice]) -> None:
    """Write one message to each channel of the notices, due at epoch second `at`.

    Called once a commit, with all of its notices, the most important first: a message lists the first of them.
    """
    by_channel: dict[str, list[AlertNotice]] = {}
    for notice in notices:
        for channel in dict.fromkeys(notice.channels):
            by_channel.setdefault(channel, []).append(notice)
    for channel, listed in by_channel.items():
        fired = sum(notice.kind == "fired" for notice in listed)
        counts = {"fired": fired, "resolved": len(listed) - fired}
        values = {"channel": channel, "created_at": at, "due_at": at, "expires_at": at + GIVE_UP_SECONDS, **counts}
        number = connection.execute(insert(MessageRow).values(values).returning(MessageRow.id)).scalar_one()
        connection.execute(
            insert(MessageAlertRow),
            [
                {"message_id": number, "place": place, "alert_id": notice.alert_id, "kind": notice.kind}
                for place, notice in enumerate(listed)
            ],
        )


def notified_channels(connection: Connection, alert_ids: Sequence[int]) -> Mapping[int, Sequence[str]]:
    """For each of these alerts, the channels with a message that it fired, sent or pending."""
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
    """Mark the channel's expired messages as failed: sent now, they would look new. Returns their number."""
    reason = case(
        (MessageRow.error.is_(None), TOO_OLD), else_=TOO_OLD + "; the last attempt failed: " + MessageRow.error
    )
    expired = (MessageRow.channel == channel) & (MessageRow.expires_at < now)
    return _give_up(connection, expired, now, reason)


def other_pending_channels(connection: Connection, channels: Collection[str]) -> Sequence[str]:
    """The channels with pending messages that are not among these."""
    others = select(MessageRow.channel).where(PENDING, MessageRow.channel.not_in(channels)).distinct()
    return connection.execute(others.order_by(MessageRow.channel)).scalars().all()


def give_up_removed(connection: Connection, channel: str, now: int) -> int:
    """Mark all pending messages of a removed channel as failed. Returns their number."""
    return _give_up(connection, MessageRow.channel == channel, now, literal(CHANNEL_REMOVED))


def has_work(connection: Connection, channel: str, now: int) -> bool:
    """Whether the channel has a message to send or to give up now."""
    can_be_sent = _is_due(channel, now) & ~_is_paused(channel, now)
    is_expired = MessageRow.expires_at < now
    has_work = exists().where(PENDING, MessageRow.channel == channel, can_be_sent | is_expired)
    return connection.execute(select(has_work)).scalar_one()


def claim(connection: Connection, channel: str, now: int, owner: str) -> PendingMessage | None:
    """Claim the channel's oldest pending message for `owner`, which must be the only sender on this channel.

    None if no message is due, or the receiver has asked for a pause. A new message is due at once: the channel is then
    tried again, with the oldest.
    """
    can_be_sent = _is_due(channel, now) & ~_is_paused(channel, now)
    return _claim(connection, MessageRow.channel == channel, can_be_sent, owner)


def claim_next(connection: Connection, pending: PendingMessage) -> PendingMessage | None:
    """Claim the message behind the `pending` one for the same sender, due or not; None if there is none."""
    behind = (MessageRow.channel == pending.channel) & (MessageRow.id > pending.id)
    return _claim(connection, behind, true(), pending.owner)


def _claim(
    connection: Connection, among: ColumnElement[bool], condition: ColumnElement[bool], owner: str
) -> PendingMessage | None:
    """Claim the oldest pending message `among` these, if it meets the `condition`."""
    oldest = select(func.min(MessageRow.id)).where(PENDING, among).scalar_subquery()
    claimed = update(MessageRow).where(MessageRow.id == oldest, condition).values(claimed_by=owner)
    row = connection.execute(claimed.returning(MessageRow)).first()
    if row is None:
        return None
    identity = connection.execute(select(InstallationRow.identity)).scalar_one()
    # After a backup was restored, numbers are given a second time, but not in the same second.
    key = f"{identity[:KEY_CHARACTERS]}-{row.id}-{row.created_at}"
    message = compose(key, from_epoch(row.created_at), _entries(connection, row.id), row.fired, row.resolved)
    return PendingMessage(row.id, row.channel, owner, row.attempts, row.expires_at, message)


def mark_sent(connection: Connection, pending: PendingMessage, now: int) -> None:
    """The message was accepted. Those behind it are due at once: the channel works."""
    # Also if another sender has claimed it since: a message that was accepted need not be sent again.
    _settle(connection, MessageRow.id == pending.id, sent_at=now, paused_until=0, error=None)
    waiting = PENDING & (MessageRow.channel == pending.channel) & (MessageRow.due_at > now)
    connection.execute(update(MessageRow).where(waiting).values(due_at=now))


def mark_failed(connection: Connection, pending: PendingMessage, now: int, error: str) -> None:
    """The message is given up."""
    _settle(connection, _is_claimed(pending), failed_at=now, paused_until=0, error=error)


def postpone(connection: Connection, pending: PendingMessage, due: int, error: str, paused_until: int = 0) -> None:
    """The message was not accepted: try again from `due` on, and send nothing on its channel before `paused_until`.

    The messages behind it wait until `due` too.
    """
    if _settle(connection, _is_claimed(pending), due_at=due, paused_until=paused_until, error=error):
        earlier = (MessageRow.due_at < due) | _is_new(MessageRow)
        waiting = PENDING & (MessageRow.channel == pending.channel) & earlier
        connection.execute(update(MessageRow).where(waiting).values(due_at=due))


def shift_back(connection: Connection, now: int, seconds: int) -> None:
    """Move times of messages at or after epoch second `now` back by `seconds`: a clock that was ahead wrote them.

    Messages that it found too old are pending again.
    """
    ahead = MessageRow.created_at >= now
    for column in (MessageRow.due_at, MessageRow.expires_at, MessageRow.paused_until):
        connection.execute(update(MessageRow).where(ahead, column >= now).values({column.key: column - seconds}))
    is_expired = (MessageRow.failed_at >= now) & MessageRow.error.startswith(TOO_OLD)
    restored = {"failed_at": None, "error": None, "due_at": now}
    connection.execute(update(MessageRow).where(is_expired, MessageRow.expires_at >= now).values(restored))
    for settled in (MessageRow.sent_at, MessageRow.failed_at):
        connection.execute(update(MessageRow).where(settled >= now).values({settled.key: settled - seconds}))
    # A message that was tried may have arrived: its key, which contains this time, must not change.
    untried = (MessageRow.attempts == 0) & MessageRow.claimed_by.is_(None)
    is_free = MessageRow.sent_at.is_not(None) | untried
    connection.execute(update(MessageRow).where(ahead, is_free).values(created_at=MessageRow.created_at - seconds))


def retry(connection: Connection, number: int, now: int) -> bool:
    """Queue a failed message for another day; False if no failed message has this number."""
    renewed = {"failed_at": None, "due_at": now, "expires_at": now + GIVE_UP_SECONDS, "attempts": 0}
    failed = update(MessageRow).where(MessageRow.id == number, MessageRow.failed_at.is_not(None)).values(renewed)
    return bool(connection.execute(failed).rowcount)


def _is_due(channel: str, now: int) -> ColumnElement[bool]:
    queued = aliased(MessageRow)
    is_postponed = is_unexpired(queued.due_at, now, MAX_WAIT_SECONDS) & ~_is_new(queued)
    return exists().where(_queue(queued, channel), ~is_postponed)


def _is_paused(channel: str, now: int) -> ColumnElement[bool]:
    queued = aliased(MessageRow)
    return exists().where(_queue(queued, channel), is_unexpired(queued.paused_until, now, MAX_WAIT_SECONDS))


def _is_new(message: Any) -> Any:
    """Whether it was never postponed: it is due at once, even by a clock that is behind that of the tick."""
    return message.due_at == message.created_at


def _queue(queued: Any, channel: str) -> Any:
    return (queued.channel == channel) & queued.sent_at.is_(None) & queued.failed_at.is_(None)


def _is_claimed(pending: PendingMessage) -> ColumnElement[bool]:
    # A sender that was presumed dead must not postpone a message that another one is sending.
    return (MessageRow.id == pending.id) & (MessageRow.claimed_by == pending.owner)


def _settle(connection: Connection, which: ColumnElement[bool], **values: object) -> bool:
    """Count the attempt and set `values`; False if the message was settled before."""
    settled = update(MessageRow).where(PENDING, which).values(attempts=MessageRow.attempts + 1, **values)
    return bool(connection.execute(settled).rowcount)


def _give_up(connection: Connection, which: ColumnElement[bool], now: int, reason: ColumnElement[str]) -> int:
    failed = update(MessageRow).where(PENDING, which).values(failed_at=now, paused_until=0, error=reason)
    return connection.execute(failed).rowcount


def _entries(connection: Connection, number: int) -> tuple[Entry, ...]:
    rows = connection.execute(
        alerts.select_alerts(MessageAlertRow.kind)
        .join(MessageAlertRow, MessageAlertRow.alert_id == AlertRow.id)
        .where(MessageAlertRow.message_id == number, MessageAlertRow.place < LISTED)
        .order_by(MessageAlertRow.place)
    )
    return tuple(Entry(row.kind, alerts.alert_of(row)) for row in rows)
