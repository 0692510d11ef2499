"""The extremes of blocks of time that have ended, for windows that still reach back to them.

A row has one block of up to PART metrics with neighbouring ids: few enough that the backfill of one metric rewrites
little, and enough that a block of all metrics takes few rows.
"""

from collections.abc import Iterator
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table, delete, insert, select

from services.market.types import Floats, Ints
from services.store.database.models import ExtremeRow

PART = 512

_TABLE = cast(Table, ExtremeRow.__table__)


def store(connection: Connection, length: int, block: int, metric_ids: Ints, extremes: Floats) -> None:
    """Store an ended `block`, which began `block` x `length` seconds after the epoch. `extremes` has the shape
    (metrics, 2)."""
    rows = []
    for part, rows_of_part, places in _parts(metric_ids):
        if not np.isnan(extremes[rows_of_part]).all():
            content = np.full((PART, 2), np.nan)
            content[places] = extremes[rows_of_part]
            rows.append({"length": length, "block": block, "part": part, "data": _encode(content)})
    connection.execute(delete(_TABLE).where(_TABLE.c.length == length, _TABLE.c.block == block))
    if rows:
        connection.execute(insert(_TABLE), rows)


def revise(connection: Connection, length: int, first: int, metric_ids: Ints, extremes: Floats) -> None:
    """Replace the stored extremes of these metrics in the blocks from `first` on. `extremes` has the shape
    (blocks, metrics, 2)."""
    last = first + len(extremes) - 1
    for part, rows_of_part, places in _parts(metric_ids):
        of_part = (_TABLE.c.length == length, _TABLE.c.part == part, _TABLE.c.block.between(first, last))
        known = {
            row.block: row.data for row in connection.execute(select(_TABLE.c.block, _TABLE.c.data).where(*of_part))
        }
        rows = []
        for block, found in enumerate(extremes[:, rows_of_part], first):
            content = _decode(known[block]).copy() if block in known else np.full((PART, 2), np.nan)
            if not np.array_equal(content[places], found, equal_nan=True):
                content[places] = found
                rows.append({"length": length, "block": block, "part": part, "data": _encode(content)})
        if rows:
            changed = [row["block"] for row in rows]
            connection.execute(delete(_TABLE).where(*of_part, _TABLE.c.block.in_(changed)))
            connection.execute(insert(_TABLE), rows)


def between(connection: Connection, length: int, first: int, last: int, metric_ids: Ints) -> Floats:
    """The extremes of these metrics over the blocks `first` to `last`, shape (metrics, 2)."""
    chosen = select(_TABLE.c.part, _TABLE.c.data).where(_TABLE.c.length == length, _TABLE.c.block.between(first, last))
    by_part: dict[int, Floats] = {}
    for part, data in connection.execute(chosen):
        if part in by_part:
            np.fmax(by_part[part], _decode(data), out=by_part[part])
        else:
            by_part[part] = _decode(data).copy()
    found = np.full((len(metric_ids), 2), np.nan)
    for part, rows_of_part, places in _parts(metric_ids):
        if part in by_part:
            found[rows_of_part] = by_part[part][places]
    return found


def forget_before(connection: Connection, length: int, block: int) -> None:
    """Delete the blocks before `block`."""
    connection.execute(delete(_TABLE).where(_TABLE.c.length == length, _TABLE.c.block < block))


def _parts(metric_ids: Ints) -> Iterator[tuple[int, Ints, Ints]]:
    """Each part with some of these metrics: its number, their rows in `metric_ids`, and their places in the part."""
    numbers = metric_ids // PART
    for part in np.unique(numbers).tolist():
        rows_of_part = np.flatnonzero(numbers == part)
        yield part, rows_of_part, metric_ids[rows_of_part] % PART


def _encode(content: Floats) -> bytes:
    return content.astype("<f8").tobytes()


def _decode(data: bytes) -> Floats:
    return np.frombuffer(data, "<f8").reshape(PART, 2)
