"""What is on record of the ticks themselves, and of how the exchanges did in them."""

from collections.abc import Collection
from datetime import UTC, datetime

import numpy as np
from sqlalchemy import Connection, delete, func, insert, select, update

from services.market.types import ExchangeState, Ints, TickState
from services.store.models import ExchangeRow, MetricRow, TickRow


def happened(connection: Connection, minute: int) -> bool:
    """Whether this period's tick is stored."""
    return connection.execute(select(TickRow.minute).where(TickRow.minute == minute)).first() is not None


def record(connection: Connection, tick: TickState) -> None:
    """Write one tick's row."""
    connection.execute(
        insert(TickRow).values(
            minute=int(tick.minute.timestamp()),
            late_ms=tick.late_ms,
            fetch_ms=tick.fetch_ms,
            commit_ms=tick.commit_ms,
            stored=tick.stored,
            rejected=tick.rejected,
            missed=tick.missed,
            failed=",".join(tick.failed),
        )
    )


def newest(connection: Connection, limit: int) -> tuple[TickState, ...]:
    """The last ticks, newest first."""
    rows = connection.execute(select(TickRow.__table__).order_by(TickRow.minute.desc()).limit(limit))
    return tuple(
        TickState(
            minute=datetime.fromtimestamp(row.minute, UTC),
            late_ms=row.late_ms,
            fetch_ms=row.fetch_ms,
            commit_ms=row.commit_ms,
            stored=row.stored,
            rejected=row.rejected,
            missed=row.missed,
            failed=tuple(filter(None, row.failed.split(","))),
        )
        for row in rows
    )


def late(connection: Connection, since: int, seconds: float) -> Ints:
    """The periods after `since`, epoch seconds ascending, whose ticks began more than `seconds` into them."""
    statement = select(TickRow.minute).where(TickRow.minute > since, TickRow.late_ms > seconds * 1e3)
    return np.array(connection.execute(statement.order_by(TickRow.minute)).scalars().all(), dtype=np.int64)


def exchange_answered(
    connection: Connection, market: str, at: int, latency_ms: float, rejected: int, still: int, note: str | None
) -> None:
    """The exchange gave its prices; none has moved for `still` periods."""
    _note_exchange(
        connection,
        market,
        last_success=at,
        failing_since=None,
        error=None,
        latency_ms=latency_ms,
        rejected=rejected,
        still=still,
        note=note,
    )


def exchange_failed(connection: Connection, market: str, at: int, error: str) -> None:
    """The exchange gave none; since when that is so, is kept from its first failure."""
    _note_exchange(connection, market, failing_since=func.coalesce(ExchangeRow.failing_since, at), error=error)


def _note_exchange(connection: Connection, market: str, **values: object) -> None:
    note = update(ExchangeRow).where(ExchangeRow.market == market).values(**values)
    if not connection.execute(note).rowcount:
        connection.execute(insert(ExchangeRow).values(market=market))
        connection.execute(note)


def patterns(connection: Connection, market: str) -> str | None:
    """What TRACK asked of this exchange when its list was last accepted; None before the first."""
    return connection.execute(select(ExchangeRow.patterns).where(ExchangeRow.market == market)).scalar()


def note_patterns(connection: Connection, market: str, text: str) -> None:
    """Its list was accepted, with this asked of it."""
    _note_exchange(connection, market, patterns=text)


def keep_exchanges(connection: Connection, markets: Collection[str]) -> None:
    """Drop the state of exchanges that TRACK no longer names."""
    connection.execute(delete(ExchangeRow).where(ExchangeRow.market.not_in(markets)))


def exchanges(connection: Connection) -> tuple[ExchangeState, ...]:
    """Every exchange on record, by name, with the number of its tracked metrics."""
    count = (
        select(func.count())
        .where(MetricRow.market == ExchangeRow.market, MetricRow.tracked)
        .correlate(ExchangeRow)
        .scalar_subquery()
    )
    rows = connection.execute(select(ExchangeRow.__table__, count.label("metrics")).order_by(ExchangeRow.market))
    return tuple(
        ExchangeState(
            market=row.market,
            metrics=row.metrics,
            last_success=_moment(row.last_success),
            failing_since=_moment(row.failing_since),
            error=row.error,
            latency_ms=row.latency_ms,
            rejected=row.rejected,
            note=row.note,
        )
        for row in rows
    )


def still_periods(connection: Connection) -> dict[str, int]:
    """For how many periods none of each exchange's prices has moved."""
    return {row.market: row.still for row in connection.execute(select(ExchangeRow.market, ExchangeRow.still))}


def _moment(second: int | None) -> datetime | None:
    return None if second is None else datetime.fromtimestamp(second, UTC)
