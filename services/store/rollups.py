"""Rollups: each metric's hours, kept for good when its samples are sealed."""

import zlib
from collections.abc import Mapping
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table, delete, insert, select

from services.market.history import hourly
from services.market.types import Hours
from services.store import samples
from services.store.models import RollupRow
from services.store.prices import PRICE
from services.store.volumes import VOLUME

_TABLE = cast(Table, RollupRow.__table__)
_HOURS = np.dtype(
    [
        ("starts", "<i8"),
        ("open", "<f8"),
        ("high", "<f8"),
        ("low", "<f8"),
        ("close", "<f8"),
        ("mean", "<f8"),
        ("count", "<i8"),
        ("volume", "<f8"),
    ]
)
_NAMES = tuple(_HOURS.names or ())


def store(connection: Connection, start: int, of_metrics: Mapping[int, Hours]) -> None:
    """Put the hours of the span that begins at `start` on record, in place of what is there of these metrics."""
    if not of_metrics:
        return
    low, high = min(of_metrics), max(of_metrics)
    connection.execute(delete(_TABLE).where(_TABLE.c.start == start, _TABLE.c.metric_id.between(low, high)))
    rows = [{"start": start, "metric_id": number, "data": _encode(hours)} for number, hours in of_metrics.items()]
    connection.execute(insert(_TABLE), rows)


def series(connection: Connection, metric_id: int, first: int, last: int) -> Hours:
    """One metric's hours with `first` <= start < `last`: those on record, and those of the samples that are still
    rows. `first` and `last` are full hours, epoch seconds."""
    mine = select(_TABLE.c.data).where(_TABLE.c.metric_id == metric_id, _TABLE.c.start < last)
    # No span is longer than a day, so none that began earlier reaches into what is asked for.
    mine = mine.where(_TABLE.c.start >= first - 86_400).order_by(_TABLE.c.start)
    sealed = [_decode(data) for data in connection.execute(mine).scalars()]
    live = hourly(
        samples.row_series(connection, PRICE, metric_id, first, last),
        samples.row_series(connection, VOLUME, metric_id, first, last),
    )
    return _chosen([*sealed, live], first, last)


def _chosen(parts: list[Hours], first: int, last: int) -> Hours:
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES}
    starts, places = np.unique(columns["starts"], return_index=True)
    places = places[(starts >= first) & (starts < last)]
    return Hours(**{name: column[places] for name, column in columns.items()})


def _encode(hours: Hours) -> bytes:
    # Column by column, so that what is alike lies together.
    columns = (getattr(hours, name).astype(_HOURS[name]).tobytes() for name in _NAMES)
    return zlib.compress(b"".join(columns))


def _decode(data: bytes) -> Hours:
    plain = zlib.decompress(data)
    size = len(plain) // _HOURS.itemsize
    columns = {}
    for place, name in enumerate(_NAMES):
        columns[name] = np.frombuffer(plain, _HOURS[name], size, offset=place * size * 8)
    return Hours(**columns)
