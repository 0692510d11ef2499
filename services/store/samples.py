"""Samples on their way into and out of a table keyed (minute, metric_id): what prices and volumes share.

Rows go to the driver in bulk and come back as its bare tuples: at 10,000 metrics that takes a tenth
of what the same rows take as objects. No more than some hundred of those tuples are alive at a time:
ten thousand new ones make Python search the whole heap for garbage, which takes as long as the tick.
"""

from collections.abc import Iterable, Sequence
from itertools import chain, islice
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, Table, text

from services.market.types import Floats, Series

SQLITE_ROWS = 1_000
"""Rows in one INSERT on SQLite, which takes a third of the time of one row each; it allows 32,766 values."""

_POSTGRESQL_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "DOUBLE": "double precision"}

# The key begins with the minute: a reading of few metrics hops from one stored minute to the next,
# whatever the period and the gaps.
_STORED_MINUTES = """
    WITH RECURSIVE stored(minute) AS (
        SELECT min(minute) FROM {table} WHERE minute > :since AND minute <= :until
        UNION ALL
        SELECT (SELECT min(n.minute) FROM {table} n WHERE n.minute > s.minute AND n.minute <= :until)
        FROM stored s WHERE s.minute IS NOT NULL
    )
"""


def insert(connection: Connection, table: Table, columns: Sequence[Sequence[Any]]) -> None:
    """Insert rows given as one sequence a column of `table`, in its order; rows whose key exists stay as they are."""
    if not len(columns[0]):
        return
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        arrays = ", ".join(f"%s::{_POSTGRESQL_TYPES[str(column.type)]}[]" for column in table.columns)
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING",
            tuple(list(column) for column in columns),
        )
        return
    head = f"INSERT OR IGNORE INTO {table.name} ({names}) VALUES "
    marks = f"({', '.join('?' * len(columns))})"
    rows = zip(*columns, strict=True)
    while values := tuple(chain.from_iterable(islice(rows, SQLITE_ROWS))):
        connection.exec_driver_sql(head + ", ".join([marks] * (len(values) // len(columns))), values)


def select_series(connection: Connection, table: Table, metric_id: int, since: int, until: int) -> Series:
    """One metric's samples with `since` < time <= `until`, oldest first; width 0 where the table tells none."""
    value = table.columns[2].name
    width = "x.width" if "width" in table.columns else "0"
    times, values, widths = select_columns(
        connection,
        _STORED_MINUTES.format(table=table.name)
        + f"""SELECT x.minute, x.{value}, {width} FROM stored s
              JOIN {table.name} x ON x.minute = s.minute AND x.metric_id = :metric_id ORDER BY x.minute""",
        3,
        since=since,
        until=until,
        metric_id=metric_id,
    )
    return Series(times.astype(np.int64), values, widths.astype(np.int64))


def select_run(
    connection: Connection, table: Table, first: int, last: int, since: int, until: int
) -> tuple[Floats, ...]:
    """All columns of the samples of metrics `first` to `last` with `since` < time <= `until`, ascending in time."""
    columns = ", ".join(f"x.{column.name}" for column in table.columns)
    return select_columns(
        connection,
        _STORED_MINUTES.format(table=table.name)
        + f"""SELECT {columns} FROM stored s
              JOIN {table.name} x ON x.minute = s.minute AND x.metric_id BETWEEN :first AND :last
              ORDER BY x.minute""",
        len(table.columns),
        since=since,
        until=until,
        first=first,
        last=last,
    )


def select_columns(connection: Connection, statement: str, width: int, **values: object) -> tuple[Floats, ...]:
    """`width` columns of numbers as float arrays; epoch seconds and numbers of metrics are exact in float64."""
    cursor = cast(Iterable[Iterable[float]], connection.execute(text(statement), values).cursor)
    rows = np.fromiter(chain.from_iterable(cursor), dtype=np.float64).reshape(-1, width)
    return tuple(np.ascontiguousarray(rows.T))
