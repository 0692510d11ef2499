"""Rows of samples, read in bulk.

To pass a row through the driver takes several times as long as the database needs to find it, and each further column
half as long again. So SQLite returns values alone where their minutes and metrics can be proved, and PostgreSQL packs
the rows of a minute into one. Rows come as the driver's bare tuples: at 10,000 metrics
that takes a tenth of what the same rows take as objects. No more than some hundred of those tuples are alive at a time:
ten thousand new ones make Python search the whole heap for garbage, which takes as long as the tick.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, Table, TextClause, text

from services.market.types import Floats, Ints

ROWS_AT_ONCE = 16_000
"""Rows that one statement reads from SQLite: enough to outweigh its preparation, few enough to read again in vain."""

MAX_GAPS = 0.25
"""Ids without a row, as a share of those with one, that are looked up rather than read as full rows."""

# The key begins with the minute: a reading of few metrics hops from one stored minute to the next,
# whatever the period and the gaps.
STORED_MINUTES = """
    WITH RECURSIVE stored(minute) AS (
        SELECT min(minute) FROM {table} WHERE minute > :since AND minute <= :until
        UNION ALL
        SELECT (SELECT min(n.minute) FROM {table} n WHERE n.minute > s.minute AND n.minute <= :until)
        FROM stored s WHERE s.minute IS NOT NULL
    )
"""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that is sampled: the table of its `rows` (minute, metric_id, value, optional width) and that of its
    `chunks`."""

    rows: Table
    chunks: Table

    @property
    def value(self) -> str:
        """The column of the value."""
        return self.rows.columns[2].name

    @property
    def width(self) -> str:
        """The column of the width, or 0 where the table has none."""
        return "x.width" if "width" in self.rows.columns else "0"


@dataclass(frozen=True, slots=True)
class SampleColumns:
    """Samples of several metrics, ascending in time, as parallel arrays."""

    times: Ints
    metric_ids: Ints
    values: Floats
    widths: Ints


@dataclass(frozen=True, slots=True)
class _Grid:
    """What several minutes have in common: the metrics with a row (ascending), the requested ids without one, and the
    width of all rows."""

    metric_ids: Ints
    gaps: Ints
    width: int


def read_range(
    connection: Connection, quantity: Quantity, first: int, last: int, since: int, until: int
) -> SampleColumns:
    """The rows of metrics `first` to `last` with `since` < time <= `until`, ascending in time and metric."""
    if connection.dialect.name == "postgresql":
        return _packed(connection, quantity, since, until, (first, last))
    minutes = _stored_minutes(connection, quantity, since, until)
    together = max(1, ROWS_AT_ONCE // (last - first + 1))
    parts: list[SampleColumns] = []
    grid: _Grid | None = None
    for start in range(0, len(minutes), together):
        some = minutes[start : start + together]
        found = None if grid is None else _on_grid(connection, quantity, grid, first, last, some)
        if found is None:
            found = _of_minutes(connection, quantity, first, last, some)
            grid = _grid_of(found, first, last, len(some))
        parts.append(found)
    return concatenated(parts)


def read_all(connection: Connection, quantity: Quantity, since: int, until: int) -> SampleColumns:
    """The rows of all metrics with `since` < time <= `until`, ascending in time and metric."""
    if connection.dialect.name == "postgresql":
        return _packed(connection, quantity, since, until)
    minutes = _stored_minutes(connection, quantity, since, until)
    return concatenated([_of_minute(connection, quantity, minute) for minute in minutes])


def read_columns(connection: Connection, statement: str, width: int, **values: object) -> tuple[Floats, ...]:
    """`width` columns of numbers as float arrays; epoch seconds and numbers of metrics are exact in float64."""
    rows = _numbers(connection, statement, **values).reshape(-1, width)
    return tuple(np.ascontiguousarray(rows.T))


def concatenated(parts: Sequence[SampleColumns]) -> SampleColumns:
    """All parts as one, in their order."""
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return SampleColumns(none, none, np.empty(0), none)
    if len(parts) == 1:
        return parts[0]
    names = ("times", "metric_ids", "values", "widths")
    return SampleColumns(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _stored_minutes(connection: Connection, quantity: Quantity, since: int, until: int) -> Sequence[int]:
    stored = STORED_MINUTES.format(table=quantity.rows.name) + "SELECT minute FROM stored WHERE minute > :since"
    return sorted(connection.execute(_text(stored), {"since": since, "until": until}).scalars())


def _of_minute(connection: Connection, quantity: Quantity, minute: int) -> SampleColumns:
    """A tick reads nearly all of its rows so: without the minute in each, they come in four fifths of the time."""
    statement = f"""SELECT x.metric_id, x.{quantity.value}, {quantity.width} FROM {quantity.rows.name} x
                    WHERE x.minute = :minute ORDER BY x.metric_id"""
    ids, values, widths = read_columns(connection, statement, 3, minute=minute)
    times = np.full(len(ids), minute, dtype=np.int64)
    return SampleColumns(times, ids.astype(np.int64), values, widths.astype(np.int64))


def _of_minutes(
    connection: Connection, quantity: Quantity, first: int, last: int, minutes: Sequence[int]
) -> SampleColumns:
    statement = f"""SELECT x.minute, x.metric_id, x.{quantity.value}, {quantity.width} FROM {quantity.rows.name} x
                    WHERE x.minute IN ({_listed(minutes)}) AND x.metric_id BETWEEN :first AND :last
                    ORDER BY x.minute, x.metric_id"""
    times, ids, values, widths = read_columns(connection, statement, 4, first=first, last=last)
    return SampleColumns(times.astype(np.int64), ids.astype(np.int64), values, widths.astype(np.int64))


def _grid_of(found: SampleColumns, first: int, last: int, minutes: int) -> _Grid | None:
    """The grid of `minutes` minutes, whose rows of metrics `first` to `last` are all `found`; None if they differ."""
    count, rest = divmod(len(found.times), minutes)
    if rest or last - first + 1 > (1 + MAX_GAPS) * count:
        return None
    ids = found.metric_ids[:count]
    if (found.metric_ids.reshape(minutes, count) != ids).any() or (found.widths != found.widths[0]).any():
        return None
    return _Grid(ids, np.setdiff1d(np.arange(first, last + 1), ids), int(found.widths[0]))


def _on_grid(
    connection: Connection, quantity: Quantity, grid: _Grid, first: int, last: int, minutes: Sequence[int]
) -> SampleColumns | None:
    """The same rows as `_of_minutes`, in half the time; None where they are not on `grid`.

    No two rows share minute and metric. Where no gap has a row, and there are as many rows of this width as minutes
    times metrics of the grid, each of those metrics has one in each of the minutes, and there is no other row.
    """
    rows = f"FROM {quantity.rows.name} x WHERE x.minute IN ({_listed(minutes)})"
    if len(grid.gaps):
        in_a_gap = f"SELECT 1 {rows} AND x.metric_id IN ({_listed(grid.gaps.tolist())}) LIMIT 1"
        if connection.exec_driver_sql(in_a_gap).first() is not None:
            return None
    values = _numbers(
        connection,
        f"""SELECT x.{quantity.value} {rows} AND x.metric_id BETWEEN :first AND :last AND {quantity.width} = :width
            ORDER BY x.minute, x.metric_id""",
        first=first,
        last=last,
        width=grid.width,
    )
    count = len(grid.metric_ids)
    if len(values) != len(minutes) * count:
        return None
    times = np.repeat(np.array(minutes, dtype=np.int64), count)
    ids = np.tile(grid.metric_ids, len(minutes))
    return SampleColumns(times, ids, values, np.full(len(values), grid.width, dtype=np.int64))


def _packed(
    connection: Connection, quantity: Quantity, since: int, until: int, metric_range: tuple[int, int] | None = None
) -> SampleColumns:
    """Rows as PostgreSQL packs them, each column of a minute as bytes; of the metrics from the first to the last number
    of `metric_range`, or of all."""
    which = "TRUE" if metric_range is None else "x.metric_id BETWEEN :first AND :last"
    first, last = metric_range or (0, 0)
    statement = f"""
        {STORED_MINUTES.format(table=quantity.rows.name)}
        SELECT s.minute, packed.* FROM stored s CROSS JOIN LATERAL (
            SELECT string_agg(int4send(x.metric_id), ''::bytea), string_agg(float8send(x.{quantity.value}), ''::bytea),
                   string_agg(int4send({quantity.width}), ''::bytea)
            FROM (SELECT * FROM {quantity.rows.name} x WHERE x.minute = s.minute AND {which} ORDER BY x.metric_id) x
        ) packed(ids, figures, widths) WHERE packed.ids IS NOT NULL ORDER BY s.minute"""
    given = {"since": since, "until": until, "first": first, "last": last}
    parts = []
    for minute, *packed in cast(Iterable[tuple[Any, ...]], connection.execute(_text(statement), given).cursor):
        ids, values, widths = map(np.frombuffer, packed, (">i4", ">f8", ">i4"))
        parts.append(SampleColumns(np.full(len(ids), minute, dtype=np.int64), ids, values, widths))
    found = concatenated(parts)
    return SampleColumns(
        found.times,
        found.metric_ids.astype(np.int64),
        found.values.astype(np.float64),
        found.widths.astype(np.int64),
    )


def _numbers(connection: Connection, statement: str, **values: object) -> Floats:
    """The numbers of all rows, row after row."""
    cursor = cast(Iterable[Iterable[float]], connection.execute(_text(statement), values).cursor)
    return np.fromiter(chain.from_iterable(cursor), dtype=np.float64)


@lru_cache(maxsize=64)
def _text(statement: str) -> TextClause:
    """The statement, parsed once: that takes longer than many statements run."""
    return text(statement)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
