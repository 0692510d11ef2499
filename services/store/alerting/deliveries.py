"""Delivery status: the messages of the outbox as pages and the API show them."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from services.market.alerting.messages import Delivery, DeliveryState, Entry
from services.market.times import from_epoch
from services.store.alerting import alerts
from services.store.alerting.outbox import PENDING
from services.store.database.models import AlertRow, MessageAlertRow, MessageRow

_STATES: dict[DeliveryState, ColumnElement[bool]] = {
    "queued": PENDING,
    "sent": MessageRow.sent_at.is_not(None),
    "failed": MessageRow.failed_at.is_not(None),
}
_SHOWN = (
    MessageRow.id,
    MessageRow.channel,
    MessageRow.created_at,
    MessageRow.due_at,
    MessageRow.sent_at,
    MessageRow.failed_at,
    MessageRow.attempts,
    MessageRow.error,
    MessageRow.fired,
    MessageRow.resolved,
)


def newest(
    connection: Connection, limit: int, state: DeliveryState | None = None, offset: int = 0
) -> tuple[Delivery, ...]:
    """At most `limit` messages after the newest `offset`, newest first; only those in `state` if it is given."""
    statement = _select_deliveries().order_by(MessageRow.id.desc()).limit(limit).offset(offset)
    if state is not None:
        statement = statement.where(_STATES[state])
    return tuple(_delivery(row) for row in connection.execute(statement))


def count(connection: Connection, state: DeliveryState | None = None) -> int:
    """The number of messages; only those in `state` if it is given."""
    statement = select(func.count()).select_from(MessageRow)
    if state is not None:
        statement = statement.where(_STATES[state])
    return connection.execute(statement).scalar_one()


def find(connection: Connection, number: int) -> Delivery | None:
    """The message of this number."""
    row = connection.execute(_select_deliveries().where(MessageRow.id == number)).first()
    return None if row is None else _delivery(row)


def _select_deliveries() -> Select[Any]:
    """Messages, each with its first alert."""
    shown = [column.label(f"message_{column.key}") for column in _SHOWN]
    first = and_(MessageAlertRow.alert_id == AlertRow.id, MessageAlertRow.place == 0)
    return (
        alerts.select_alerts(MessageAlertRow.kind, *shown)
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
