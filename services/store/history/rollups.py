"""Rollups: each metric's hours, kept for good when its samples are sealed, and merged with what comes later."""

import zlib
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table, delete, insert, select

from services.market.candles import hourly
from services.market.times import DAY, HOUR
from services.market.types import Hours
from services.store.database.models import RollupRow
from services.store.history import samples
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME

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
    """Put the hours of the span that begins at `start` on record. An hour that is there already stays where it rests
    on more prices: some of those may be gone."""
    if not of_metrics:
        return
    mine = (_TABLE.c.start == start, _TABLE.c.metric_id.between(min(of_metrics), max(of_metrics)))
    known = connection.execute(select(_TABLE.c.metric_id, _TABLE.c.data).where(*mine)).all()
    before = {number: _decode(data) for number, data in known if number in of_metrics}
    connection.execute(delete(_TABLE).where(*mine, _TABLE.c.metric_id.in_(before)))
    rows = []
    for number, hours in of_metrics.items():
        merged = _fullest([hours, before[number]]) if number in before else hours
        rows.append({"start": start, "metric_id": number, "data": _encode(merged)})
    connection.execute(insert(_TABLE), rows)


def replace(connection: Connection, start: int, of_metrics: Mapping[int, Hours]) -> None:
    """Have these hours, and those of no other metrics, on record of the span that begins at `start`."""
    connection.execute(delete(_TABLE).where(_TABLE.c.start == start))
    store(connection, start, of_metrics)


def series(connection: Connection, metric_id: int, first: int, last: int) -> Hours:
    """One metric's hours with `first` <= start < `last`: those on record, and those of the samples that are still
    rows. `first` and `last` are full hours, epoch seconds."""
    mine = select(_TABLE.c.data).where(_TABLE.c.metric_id == metric_id, _TABLE.c.start < last)
    # No span is longer than a day, so none that began earlier reaches into what is asked for.
    mine = mine.where(_TABLE.c.start >= first - DAY).order_by(_TABLE.c.start)
    sealed = [_decode(data) for data in connection.execute(mine).scalars()]
    prices = samples.row_series(connection, PRICE, metric_id, first, last)
    live = hourly(prices, samples.row_series(connection, VOLUME, metric_id, first, last))
    # What was added to a past that is sealed is rows until it is sealed too: of its hours they are a part.
    split = np.intersect1d(live.starts, [start for hours in sealed for start in hours.starts.tolist()])
    whole = [
        hourly(*(samples.series(connection, of, metric_id, start, start + HOUR) for of in (PRICE, VOLUME)))
        for start in split.astype(np.int64).tolist()
    ]
    return _within(_fullest([*whole, *sealed, live]), first, last)


def _fullest(parts: Sequence[Hours]) -> Hours:
    """Each hour of `parts` as that one has it which rests on most prices, the first of those."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES}
    order = np.lexsort((-columns["count"], columns["starts"]))
    _, first = np.unique(columns["starts"][order], return_index=True)
    return Hours(**{name: column[order[first]] for name, column in columns.items()})


def _within(hours: Hours, first: int, last: int) -> Hours:
    inside = (hours.starts >= first) & (hours.starts < last)
    return Hours(**{name: getattr(hours, name)[inside] for name in _NAMES})


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
