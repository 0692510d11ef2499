"""Retention: what is older than the operator wants to keep goes, whole chunks at a time; the hours stay."""

from sqlalchemy import Connection, Table, delete, func, select

from services.store.models import SpanRow
from services.store.prices import PRICE
from services.store.volumes import VOLUME


def remove(connection: Connection, before: int, most: int) -> int:
    """Take away up to `most` chunks of one quantity whose span ended at `before` (epoch seconds) or earlier; answers
    how many went, 0 when there is nothing left to remove."""
    for table in (PRICE.chunks, VOLUME.chunks):
        removed = _remove(connection, table, before, most)
        if removed:
            return removed
    return 0


def _remove(connection: Connection, table: Table, before: int, most: int) -> int:
    oldest = connection.execute(select(func.min(table.c.start))).scalar()
    ends = select(SpanRow.until).where(SpanRow.start == oldest, SpanRow.complete)
    until = None if oldest is None else connection.execute(ends).scalar()
    if until is None or until > before:
        return 0
    some = select(table.c.metric_id).where(table.c.start == oldest).order_by(table.c.metric_id).limit(most)
    return connection.execute(delete(table).where(table.c.start == oldest, table.c.metric_id.in_(some))).rowcount
