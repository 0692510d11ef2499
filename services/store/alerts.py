"""Alerts that were fired."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, insert, select

from services.market.types import Alert
from services.store.models import AlertRow, MetricRow


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert about to be written; `fired_at` is the tick's epoch second."""

    metric_id: int
    fired_at: int
    price: float
    average: float
    factor: float
    samples: int


def last_fired(connection: Connection, metric_ids: Collection[int], since: int) -> set[int]:
    """Those of the metrics that fired after epoch second `since`."""
    # All of that time are asked for: a statement does not hold as many numbers as may have broken the rule at once.
    statement = select(AlertRow.metric_id).where(AlertRow.fired_at > since).distinct()
    return set(metric_ids).intersection(connection.execute(statement).scalars())


def fire(connection: Connection, firings: Sequence[Firing]) -> Sequence[int]:
    """Write alerts; answers their numbers, in the order given."""
    if not firings:
        return ()
    statement = insert(AlertRow).returning(AlertRow.id, sort_by_parameter_order=True)
    return connection.execute(statement, [asdict(firing) for firing in firings]).scalars().all()


def fired(connection: Connection, since: datetime | None, metric_id: int | None, limit: int) -> tuple[Alert, ...]:
    """Alerts fired at or after `since`, newest first, at most `limit`."""
    statement = select_alerts().order_by(AlertRow.fired_at.desc(), AlertRow.id.desc()).limit(limit)
    if since is not None:
        statement = statement.where(AlertRow.fired_at >= since.timestamp())
    if metric_id is not None:
        statement = statement.where(AlertRow.metric_id == metric_id)
    return tuple(alert_of(row) for row in connection.execute(statement))


def select_alerts(*more: Any) -> Select[Any]:
    """All that `alert_of` needs of alerts, and `more` columns."""
    return select(AlertRow.__table__, MetricRow.market, MetricRow.base, MetricRow.quote, *more).join(
        MetricRow, MetricRow.id == AlertRow.metric_id
    )


def alert_of(row: Any) -> Alert:
    """The alert in a row of `select_alerts`."""
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
