"""Retention: removes samples older than the retention, in whole chunks; rollups stay."""

from typing import Any

from sqlalchemy import Connection, Table, delete, func, select

from services.market.times import HOUR
from services.store.database.models import SpanRow
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME
from services.store.ranking import ticks


def remove(connection: Connection, before: int, limit: int) -> int:
    """Remove up to `limit` chunks of one quantity whose span ended at `before` (epoch seconds) or earlier. Returns how
    many, 0 if none is left."""
    for table in (PRICE.chunks, VOLUME.chunks):
        removed = _remove(connection, table, before, limit)
        if removed:
            return removed
    return 0


def overdue_since(connection: Connection, now: int, seconds: int) -> int | None:
    """The start of the oldest chunk that is older than `seconds` at the tick of `now` by the clock, but is retained
    because ticks have not covered as much time since; None if there is none."""
    oldest = _oldest(connection, PRICE.chunks)
    if (
        oldest is None
        or oldest.until > now - seconds - HOUR
        or oldest.until <= ticks.age_cutoff(connection, now, seconds)
    ):
        return None  # what became too old within the hour is being removed
    start: int = oldest.start
    return start


def _remove(connection: Connection, table: Table, before: int, limit: int) -> int:
    oldest = _oldest(connection, table)
    if oldest is None or oldest.until > before:
        return 0
    of_span = table.c.start == oldest.start
    some = select(table.c.metric_id).where(of_span).order_by(table.c.metric_id).limit(limit)
    return connection.execute(delete(table).where(of_span, table.c.metric_id.in_(some))).rowcount


def _oldest(connection: Connection, table: Table) -> Any:
    """The span of the oldest chunks; None while it is being sealed."""
    first = select(func.min(table.c.start)).scalar_subquery()
    return connection.execute(
        select(SpanRow.start, SpanRow.until).where(SpanRow.start == first, SpanRow.complete)
    ).first()
