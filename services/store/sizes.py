"""The size of the database and its growth."""

import numpy as np
from sqlalchemy import Connection, delete, insert, select, text

from services.market.status import Sizes
from services.market.times import DAY, HOUR
from services.store.database.models import SizeRow
from services.store.ranking import ticks

RETENTION_SECONDS = 40 * DAY
HISTORY_SECONDS = 30 * DAY


def current(connection: Connection) -> int:
    """The present size in bytes, free pages included."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    return int(pages) * int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())


def record(connection: Connection, second: int) -> None:
    """Record the size, at most once an hour."""
    at = second // HOUR * HOUR
    if connection.execute(select(SizeRow.at).where(SizeRow.at == at)).first() is None:
        connection.execute(insert(SizeRow).values(at=at, bytes=current(connection)))
        connection.execute(delete(SizeRow).where(SizeRow.at <= ticks.age_cutoff(connection, second, RETENTION_SECONDS)))


def history(connection: Connection, second: int) -> Sizes:
    """The sizes recorded in the 30 days before `second`."""
    query = select(SizeRow.at, SizeRow.bytes).where(SizeRow.at > second - HISTORY_SECONDS).order_by(SizeRow.at)
    found = np.array(connection.execute(query).all(), dtype=np.int64).reshape(-1, 2)
    return Sizes(found[:, 0].copy(), found[:, 1].copy())


def growth(connection: Connection, second: int, size: int) -> int | None:
    """The growth in bytes to `size` in the 24 h before `second`; None if no size of a day ago is recorded."""
    a_day_ago = select(SizeRow.bytes).where(SizeRow.at <= second - DAY, SizeRow.at > second - DAY - 6 * HOUR)
    before = connection.execute(a_day_ago.order_by(SizeRow.at.desc()).limit(1)).scalar()
    return None if before is None else size - before
