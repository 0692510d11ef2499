"""The extremes of blocks of time that have ended, for windows that still reach back to them.

A row has one block of up to PART metrics of neighbouring numbers: few enough that a metric whose past is filled in
changes little, enough that a block of all metrics is few rows.
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
    """Put the ended `block`, so many times `length` seconds after the epoch, on record; `extremes` have the
    shape (metrics, 2)."""
    rows = []
    for part, mine, places in _parts(metric_ids):
        if not np.isnan(extremes[mine]).all():
            content = np.full((PART, 2), np.nan)
            content[places] = extremes[mine]
            rows.append({"length": length, "block": block, "part": part, "data": _encode(content)})
    connection.execute(delete(_TABLE).where(_TABLE.c.length == length, _TABLE.c.block == block))
    if rows:
        connection.execute(insert(_TABLE), rows)


def revise(connection: Connection, length: int, first: int, metric_ids: Ints, extremes: Floats) -> None:
    """Change what is on record of these metrics in the blocks from `first` on, to `extremes` of the shape
    (blocks, metrics, 2)."""
    last = first + len(extremes) - 1
    for part, mine, places in _parts(metric_ids):
        own = (_TABLE.c.length == length, _TABLE.c.part == part, _TABLE.c.block.between(first, last))
        known = {row.block: row.data for row in connection.execute(select(_TABLE.c.block, _TABLE.c.data).where(*own))}
        rows = []
        for block, found in enumerate(extremes[:, mine], first):
            content = _decode(known[block]).copy() if block in known else np.full((PART, 2), np.nan)
            if not np.array_equal(content[places], found, equal_nan=True):
                content[places] = found
                rows.append({"length": length, "block": block, "part": part, "data": _encode(content)})
        if rows:
            changed = [row["block"] for row in rows]
            connection.execute(delete(_TABLE).where(*own, _TABLE.c.block.in_(changed)))
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
    for part, mine, places in _parts(metric_ids):
        if part in by_part:
            found[mine] = by_part[part][places]
    return found


def forget_before(connection: Connection, length: int, block: int) -> None:
    """Remove the blocks before this one."""
    connection.execute(delete(_TABLE).where(_TABLE.c.length == length, _TABLE.c.block < block))


def _parts(metric_ids: Ints) -> Iterator[tuple[int, Ints, Ints]]:
    """Each part that has some of these metrics: its number, which of them, and their places in it."""
    numbers = metric_ids // PART
    for part in np.unique(numbers).tolist():
        mine = np.flatnonzero(numbers == part)
        yield part, mine, metric_ids[mine] % PART


def _encode(content: Floats) -> bytes:
    return content.astype("<f8").tobytes()


def _decode(data: bytes) -> Floats:
    return np.frombuffer(data, "<f8").reshape(PART, 2)
