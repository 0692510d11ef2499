"""Alerts that were fired, and the messages owed for them."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from services.market.types import Alert
from services.store.models import AlertRow, MetricRow, NotificationRow


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert about to be written; `fired_at` is the tick's epoch second."""

    metric_id: int
    fired_at: int
    price: float
    average: float
    factor: float
    samples: int


@dataclass(frozen=True, slots=True)
class Owed:
    """One message that this sender has claimed: `attempts` were made before."""

    id: int
    channel: str
    attempts: int
    created_at: int
    alert: Alert


def last_fired(connection: Connection, metric_ids: Collection[int], since: int) -> set[int]:
    """Those of the metrics that fired after epoch second `since`."""
    # All of that time are asked for: a statement does not hold as many numbers as may have broken the rule at once.
    statement = select(AlertRow.metric_id).where(AlertRow.fired_at > since).distinct()
    return set(metric_ids).intersection(connection.execute(statement).scalars())


def fire(connection: Connection, firings: Sequence[Firing], channels: Sequence[str]) -> None:
    """Write alerts, and one owed message for each of them and each channel."""
    if not firings:
        return
    ids = connection.execute(
        insert(AlertRow).returning(AlertRow.id, sort_by_parameter_order=True), [asdict(firing) for firing in firings]
    ).scalars()
    owed = [
        {"alert_id": alert_id, "channel": channel, "created_at": firing.fired_at, "due_at": firing.fired_at}
        for alert_id, firing in zip(ids, firings, strict=True)
        for channel in channels
    ]
    if owed:
        connection.execute(insert(NotificationRow), owed)


def fired(connection: Connection, since: datetime | None, metric_id: int | None, limit: int) -> tuple[Alert, ...]:
    """Alerts fired at or after `since`, newest first, at most `limit`."""
    statement = _alerts().order_by(AlertRow.fired_at.desc(), AlertRow.id.desc()).limit(limit)
    if since is not None:
        statement = statement.where(AlertRow.fired_at >= since.timestamp())
    if metric_id is not None:
        statement = statement.where(AlertRow.metric_id == metric_id)
    return tuple(_alert(row) for row in connection.execute(statement))


def claim(connection: Connection, channels: Collection[str], now: int, seconds: int, limit: int) -> list[Owed]:
    """Take up to `limit` due messages of these channels, for `seconds`: nobody else gets them meanwhile."""
    free = (
        NotificationRow.sent_at.is_(None)
        & NotificationRow.failed_at.is_(None)
        & (NotificationRow.due_at <= now)
        & (NotificationRow.claimed_until <= now)
        & NotificationRow.channel.in_(channels)
    )
    candidates = select(NotificationRow.id).where(free).order_by(NotificationRow.due_at, NotificationRow.id)
    claimed = []
    for number in connection.execute(candidates.limit(limit)).scalars().all():
        taken = update(NotificationRow).where(NotificationRow.id == number, free).values(claimed_until=now + seconds)
        if connection.execute(taken).rowcount:
            claimed.append(number)
    rows = connection.execute(
        _alerts(
            NotificationRow.id.label("notification_id"),
            NotificationRow.channel,
            NotificationRow.attempts,
            NotificationRow.created_at,
        )
        .join(NotificationRow, NotificationRow.alert_id == AlertRow.id)
        .where(NotificationRow.id.in_(claimed))
        .order_by(NotificationRow.id)
    )
    return [Owed(row.notification_id, row.channel, row.attempts, row.created_at, _alert(row)) for row in rows]


def mark_sent(connection: Connection, number: int, now: int) -> None:
    """The message has been accepted."""
    _settle(connection, number, sent_at=now, error=None)


def mark_failed(connection: Connection, number: int, now: int, error: str) -> None:
    """The message is given up."""
    _settle(connection, number, failed_at=now, error=error)


def postpone(connection: Connection, number: int, due: int, error: str) -> None:
    """The message was not accepted; try again from `due` on."""
    _settle(connection, number, due_at=due, claimed_until=0, error=error)


def _settle(connection: Connection, number: int, **values: object) -> None:
    connection.execute(
        update(NotificationRow)
        .where(NotificationRow.id == number)
        .values(attempts=NotificationRow.attempts + 1, **values)
    )


def _alerts(*more: Any) -> Select[Any]:
    return select(AlertRow.__table__, MetricRow.market, MetricRow.base, MetricRow.quote, *more).join(
        MetricRow, MetricRow.id == AlertRow.metric_id
    )


def _alert(row: Any) -> Alert:
    return Alert(
        id=row.id,
        metric_id=row.metric_id,
        market=row.market,
        base=row.base,
        quote=row.quote,
        price=row.price,
        average=row.average,
        factor=row.factor,
        samples=row.samples,
        fired_at=datetime.fromtimestamp(row.fired_at, UTC),
    )
