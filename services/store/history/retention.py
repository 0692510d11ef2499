"""Retention: what is older than the operator wants to keep goes, whole chunks at a time; the hours stay."""

from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from services.market.times import HOUR
from services.store.database.models import SpanRow
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME
from services.store.ranking import ticks


def remove(connection: Connection, before: int, most: int) -> int:
    """Take away up to `most` chunks of one quantity whose span ended at `before` (epoch seconds) or earlier; answers
    how many went, 0 when there is nothing left to remove."""
    for table in (PRICE.chunks, VOLUME.chunks):
        removed = _remove(connection, table, before, most)
        if removed:
            return removed
    return 0


def overdue_since(connection: Connection, now: int, seconds: int) -> int | None:
    """Since when there are chunks that are older than `seconds` at the tick of `now` by the clock alone, and kept
    because ticks have not covered as much since; None where there are none."""
    oldest = _oldest(connection, PRICE.chunks)
    if (
        oldest is None
        or oldest.until > now - seconds - HOUR
        or oldest.until <= ticks.age_cutoff(connection, now, seconds)
    ):
        return None  # what has grown too old within the hour is being removed
    start: int = oldest.start
    return start


def _remove(connection: Connection, table: Table, before: int, most: int) -> int:
    oldest = _oldest(connection, table)
    if oldest is None or oldest.until > before:
        return 0
    mine = table.c.start == oldest.start
    some = select(table.c.metric_id).where(mine).order_by(table.c.metric_id).limit(most)
    return connection.execute(delete(table).where(mine, table.c.metric_id.in_(some))).rowcount


def _oldest(connection: Connection, table: Table) -> Any:
    """The span of the oldest chunks; None while it is being sealed."""
    first = select(func.min(table.c.start)).scalar_subquery()
    return connection.execute(
        select(SpanRow.start, SpanRow.until).where(SpanRow.start == first, SpanRow.complete)
    ).first()
