"""Writes and reads samples: what prices and volumes share.

Recent ones are rows of a table keyed (minute, metric_id); older ones are chunks (`sealing.py`). Readers get both.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from psycopg.errors import UniqueViolation
from sqlalchemy import Connection, Table, bindparam, delete, func, select, update

from services.market.types import Ints, Series
from services.store.database import copy_format
from services.store.database.models import SpanRow
from services.store.history import bulk_rows, chunks
from services.store.history.bulk_rows import Quantity, SampleColumns

SQLITE_ROWS = 1_000
"""Rows in one INSERT on SQLite, which takes a third of the time of one row each; it allows 32,766 values."""

_SPANS = (
    select(SpanRow.start)
    .where(SpanRow.start < bindparam("until_second"), SpanRow.until > bindparam("since_second"))
    .order_by(SpanRow.start)
)
_COPY = "COPY {} ({}) FROM STDIN (FORMAT BINARY)"
_POSTGRESQL_TYPES = {"BIGINT": "bigint", "INTEGER": "integer", "DOUBLE": "double precision"}


def insert(connection: Connection, table: Table, columns: Sequence[Sequence[Any]]) -> None:
    """Insert rows given as one sequence per column of `table`, in its order; rows whose key exists stay as they are."""
    if not len(columns[0]):
        return
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, names, columns)
        return
    head = f"INSERT OR IGNORE INTO {table.name} ({names}) VALUES "
    placeholders = f"({', '.join('?' * len(columns))})"
    remaining = zip(*columns, strict=True)
    while values := tuple(chain.from_iterable(islice(remaining, SQLITE_ROWS))):
        connection.exec_driver_sql(head + ", ".join([placeholders] * (len(values) // len(columns))), values)


def _copy(connection: Connection, table: Table, names: str, columns: Sequence[Sequence[Any]]) -> None:
    """COPY takes a sixth of the time of an INSERT, but cannot skip rows that exist. If there are such rows, which is
    rare in a tick, INSERT is used."""
    try:
        with connection.begin_nested(), copy_format.copying(connection, _COPY.format(table.name, names)) as copy:
            copy.write(copy_format.HEADER + copy_format.encode_columns(table, columns) + copy_format.TRAILER)
    except UniqueViolation:
        arrays = ", ".join(f"%s::{_POSTGRESQL_TYPES[str(column.type)]}[]" for column in table.columns)
        connection.exec_driver_sql(
            f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING",
            tuple(list(column) for column in columns),
        )


def series(connection: Connection, quantity: Quantity, metric_id: int, since: int, until: int) -> Series:
    """One metric's samples with `since` < time <= `until`, oldest first; width 0 where the quantity has none."""
    live = row_series(connection, quantity, metric_id, since, until)
    sealed = [chunk for _, chunk in _chunks_of(connection, quantity, metric_id, since, until)]
    if not sealed:
        return live
    old = Series(*(np.concatenate([getattr(part, name) for part in sealed]) for name in ("times", "values", "widths")))
    inside = (old.times > since) & (old.times <= until)
    return chunks.merged(Series(old.times[inside], old.values[inside], old.widths[inside]), live)


def row_series(connection: Connection, quantity: Quantity, metric_id: int, since: int, until: int) -> Series:
    """The same, but only from rows."""
    times, values, widths = bulk_rows.read_columns(
        connection,
        bulk_rows.STORED_MINUTES.format(table=quantity.rows.name)
        + f"""SELECT x.minute, x.{quantity.value}, {quantity.width} FROM stored s
              JOIN {quantity.rows.name} x ON x.minute = s.minute AND x.metric_id = :metric_id ORDER BY x.minute""",
        3,
        since=since,
        until=until,
        metric_id=metric_id,
    )
    return Series(times.astype(np.int64), values, widths.astype(np.int64))


def read_range(
    connection: Connection, quantity: Quantity, first: int, last: int, since: int, until: int
) -> SampleColumns:
    """The samples of metrics `first` to `last` with `since` < time <= `until`."""
    found = bulk_rows.read_range(connection, quantity, first, last, since, until)
    return _joined(found, read_sealed_range(connection, quantity, first, last, since, until), since, until)


def read_rows(connection: Connection, quantity: Quantity, ids: Sequence[int], since: int, until: int) -> SampleColumns:
    """The rows of these metrics with `since` < time <= `until`, each looked up."""
    few = ", ".join(str(int(number)) for number in ids)
    times, metric_ids, values = bulk_rows.read_columns(
        connection,
        bulk_rows.STORED_MINUTES.format(table=quantity.rows.name)
        + f"""SELECT x.minute, x.metric_id, x.{quantity.value} FROM stored s
              JOIN {quantity.rows.name} x ON x.minute = s.minute AND x.metric_id IN ({few}) ORDER BY x.minute""",
        3,
        since=since,
        until=until,
    )
    return SampleColumns(
        times.astype(np.int64), metric_ids.astype(np.int64), values, np.zeros(len(times), dtype=np.int64)
    )


def read_sealed(
    connection: Connection, quantity: Quantity, ids: Sequence[int], since: int, until: int
) -> list[tuple[int, Series]]:
    """The chunks of these metrics that reach into (`since`, `until`], with the number of their metric."""
    table = quantity.chunks
    found = select(table.c.metric_id, table.c.data).join(SpanRow, SpanRow.start == table.c.start)
    found = found.where(SpanRow.start < until, SpanRow.until > since, table.c.metric_id.in_(ids))
    return [(row.metric_id, chunks.decode(row.data)) for row in connection.execute(found)]


def read_all(connection: Connection, quantity: Quantity, since: int, until: int) -> SampleColumns:
    """The samples of all metrics with `since` < time <= `until`."""
    found = bulk_rows.read_all(connection, quantity, since, until)
    return _joined(found, read_sealed_range(connection, quantity, 0, None, since, until), since, until)


def newest(connection: Connection, quantity: Quantity) -> int:
    """The time of the last row; 0 where there is none."""
    return connection.execute(select(func.max(quantity.rows.c.minute))).scalar() or 0


def read_sealed_range(
    connection: Connection, quantity: Quantity, first: int, last: int | None, since: int, until: int
) -> Iterator[tuple[int, Series]]:
    """The chunks that reach into (`since`, `until`] of metrics `first` to `last` (None: of all), oldest first, with
    the number of their metric."""
    table = quantity.chunks
    for start in connection.execute(_SPANS, {"since_second": since, "until_second": until}).scalars().all():
        selected = select(table.c.metric_id, table.c.data).where(table.c.start == start, table.c.metric_id >= first)
        if last is not None:
            selected = selected.where(table.c.metric_id <= last)
        for metric_id, data in connection.execute(selected):
            yield metric_id, chunks.decode(data)


def remove(connection: Connection, quantity: Quantity, metric_id: int, times: Ints) -> None:
    """Remove one metric's samples of these times, rows and sealed ones."""
    for second in times.tolist():
        selected = (quantity.rows.c.minute == second, quantity.rows.c.metric_id == metric_id)
        connection.execute(delete(quantity.rows).where(*selected))
    if not len(times):
        return
    table = quantity.chunks
    for start, sealed in _chunks_of(connection, quantity, metric_id, int(times.min()) - 1, int(times.max())):
        stay = ~np.isin(sealed.times, times)
        selected = (table.c.start == start, table.c.metric_id == metric_id)
        if not stay.any():
            connection.execute(delete(table).where(*selected))
        elif not stay.all():
            left = Series(sealed.times[stay], sealed.values[stay], sealed.widths[stay])
            change = update(table).where(*selected)
            connection.execute(change.values(samples=len(left.times), data=chunks.encode(left)))


def sealed_times(connection: Connection, quantity: Quantity, metric_id: int, since: int, until: int) -> Ints:
    """The times of one metric's sealed samples with `since` < time <= `until`, ascending."""
    found = [chunk.times for _, chunk in _chunks_of(connection, quantity, metric_id, since, until)]
    times: Ints = np.concatenate([np.empty(0, dtype=np.int64), *found])
    return times[(times > since) & (times <= until)]


def _chunks_of(
    connection: Connection, quantity: Quantity, metric_id: int, since: int, until: int
) -> list[tuple[int, Series]]:
    """One metric's chunks that reach into (`since`, `until`], oldest first, with the start of their span."""
    table = quantity.chunks
    found = select(table.c.start, table.c.data).join(SpanRow, SpanRow.start == table.c.start)
    found = found.where(SpanRow.start < until, SpanRow.until > since, table.c.metric_id == metric_id)
    return [(row.start, chunks.decode(row.data)) for row in connection.execute(found.order_by(SpanRow.start))]


def _joined(live: SampleColumns, sealed: Iterable[tuple[int, Series]], since: int, until: int) -> SampleColumns:
    """Both, ascending in time and metric. Where a metric has a sealed sample and a row at the same time, the sealed
    one, as in `series`."""
    parts = []
    for metric_id, old in sealed:
        inside = (old.times > since) & (old.times <= until)
        times = old.times[inside]
        ids = np.full(len(times), metric_id, dtype=np.int64)
        parts.append(SampleColumns(times, ids, old.values[inside], old.widths[inside]))
    if not parts:
        return live
    found = bulk_rows.concatenated([*parts, live])
    order = np.lexsort((found.metric_ids, found.times))  # stable: of equal ones the sealed one comes first
    times, ids = found.times[order], found.metric_ids[order]
    again = np.zeros(len(order), dtype=np.bool_)
    again[1:] = (times[1:] == times[:-1]) & (ids[1:] == ids[:-1])
    order = order[~again]
    return SampleColumns(found.times[order], found.metric_ids[order], found.values[order], found.widths[order])
