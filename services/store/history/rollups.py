"""Rollups: each metric's hours, stored permanently when its samples are sealed, and merged with later samples."""

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
    """Store the hours of the span that begins at `start`. A stored hour stays if it was computed from more prices,
    some of which may have been removed."""
    if not of_metrics:
        return
    in_span = (_TABLE.c.start == start, _TABLE.c.metric_id.between(min(of_metrics), max(of_metrics)))
    known = connection.execute(select(_TABLE.c.metric_id, _TABLE.c.data).where(*in_span)).all()
    before = {number: _decode(data) for number, data in known if number in of_metrics}
    connection.execute(delete(_TABLE).where(*in_span, _TABLE.c.metric_id.in_(before)))
    rows = []
    for number, hours in of_metrics.items():
        merged = _fullest([hours, before[number]]) if number in before else hours
        rows.append({"start": start, "metric_id": number, "data": _encode(merged)})
    connection.execute(insert(_TABLE), rows)


def replace(connection: Connection, start: int, of_metrics: Mapping[int, Hours]) -> None:
    """Replace all hours of the span that begins at `start` with these."""
    connection.execute(delete(_TABLE).where(_TABLE.c.start == start))
    store(connection, start, of_metrics)


def series(connection: Connection, metric_id: int, first: int, last: int) -> Hours:
    """One metric's hours with `first` <= start < `last`: the stored ones, and those of samples that are still rows.
    `first` and `last` are full hours, epoch seconds."""
    in_span = select(_TABLE.c.data).where(_TABLE.c.metric_id == metric_id, _TABLE.c.start < last)
    # No span is longer than a day, so none that began earlier reaches into the requested hours.
    in_span = in_span.where(_TABLE.c.start >= first - DAY).order_by(_TABLE.c.start)
    sealed = [_decode(data) for data in connection.execute(in_span).scalars()]
    prices = samples.row_series(connection, PRICE, metric_id, first, last)
    live = hourly(prices, samples.row_series(connection, VOLUME, metric_id, first, last))
    # Samples added to a sealed span are rows until they are sealed too, and are only a part of their hours.
    split = np.intersect1d(live.starts, [start for hours in sealed for start in hours.starts.tolist()])
    whole = [
        hourly(*(samples.series(connection, of, metric_id, start, start + HOUR) for of in (PRICE, VOLUME)))
        for start in split.astype(np.int64).tolist()
    ]
    return _within(_fullest([*whole, *sealed, live]), first, last)


def _fullest(parts: Sequence[Hours]) -> Hours:
    """Each hour from the part with the most prices in it, or the first of several."""
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES}
    order = np.lexsort((-columns["count"], columns["starts"]))
    _, first = np.unique(columns["starts"][order], return_index=True)
    return Hours(**{name: column[order[first]] for name, column in columns.items()})


def _within(hours: Hours, first: int, last: int) -> Hours:
    inside = (hours.starts >= first) & (hours.starts < last)
    return Hours(**{name: getattr(hours, name)[inside] for name in _NAMES})


def _encode(hours: Hours) -> bytes:
    # Column by column, because similar bytes compress better together.
    columns = (getattr(hours, name).astype(_HOURS[name]).tobytes() for name in _NAMES)
    return zlib.compress(b"".join(columns))


def _decode(data: bytes) -> Hours:
    plain = zlib.decompress(data)
    size = len(plain) // _HOURS.itemsize
    columns = {}
    for place, name in enumerate(_NAMES):
        columns[name] = np.frombuffer(plain, _HOURS[name], size, offset=place * size * 8)
    return Hours(**columns)
