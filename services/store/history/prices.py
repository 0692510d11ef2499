"""Prices: one per metric and period."""

from collections.abc import Iterator
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table

from services.market.stats.metric_stats import MetricStats, rows_of
from services.market.stats.samples import Samples
from services.market.types import Floats, Ints
from services.store.database.models import PriceChunkRow, PriceRow
from services.store.history import samples
from services.store.history.bulk_rows import Quantity, SampleColumns

PRICE = Quantity(cast(Table, PriceRow.__table__), cast(Table, PriceChunkRow.__table__))
RUN_GAP = 16
"""Metrics whose ids differ by at most this are read in one statement, with those between them."""


def store(connection: Connection, minute: int, metric_ids: Ints, prices: Floats, width: int) -> None:
    """Write one tick's prices; each stands for `width` seconds."""
    count = len(metric_ids)
    samples.insert(connection, PRICE.rows, ([minute] * count, metric_ids.tolist(), prices.tolist(), [width] * count))


def store_history(connection: Connection, metric_id: int, times: Ints, prices: Floats, widths: Ints) -> None:
    """Write backfilled prices of one metric; a price that is stored already stays, sealed or not."""
    if not len(times):
        return
    sealed = samples.sealed_times(connection, PRICE, metric_id, int(times.min()) - 1, int(times.max()))
    new = ~np.isin(times, sealed)
    ids = [metric_id] * int(new.sum())
    samples.insert(connection, PRICE.rows, (times[new].tolist(), ids, prices[new].tolist(), widths[new].tolist()))


def read_all(connection: Connection, statistics: MetricStats, after: int, until: int) -> Samples:
    """All prices with `after` < time <= `until` of the metrics in `statistics`, ascending in time."""
    return _as_samples(statistics, samples.read_all(connection, PRICE, after, until))


def read_history(
    connection: Connection, statistics: MetricStats, rows: Ints, after: int, until: int
) -> Iterator[Samples]:
    """The prices with `after` < time <= `until` of the chosen `rows` and of some near them, run by run of metrics."""
    ids = np.sort(statistics["id"][rows])
    for run in np.split(ids, np.flatnonzero(np.diff(ids) > RUN_GAP) + 1) if len(ids) else ():
        yield _as_samples(statistics, samples.read_range(connection, PRICE, int(run[0]), int(run[-1]), after, until))


def last_prices(connection: Connection, ids: Ints, moments: Ints, reach: int) -> Floats:
    """The last price of each metric in the `reach` seconds up to each of `moments` (ascending), shape (ids, moments);
    NaN where there is none. `ids` are ascending, and few enough to look up each."""
    found = np.full((len(ids), len(moments)), np.nan)
    sealed = samples.read_sealed(connection, PRICE, ids.tolist(), int(moments[0]) - reach, int(moments[-1]))
    for place, moment in enumerate(moments.tolist()):
        rows = samples.read_rows(connection, PRICE, ids.tolist(), moment - reach, moment)
        latest = np.zeros(len(ids), dtype=np.int64)
        at = np.searchsorted(ids, rows.metric_ids)
        found[at, place], latest[at] = rows.values, rows.times  # ascending in time: the last one stays
        for number, chunk in sealed:
            row, last = int(np.searchsorted(ids, number)), int(np.searchsorted(chunk.times, moment, side="right")) - 1
            if last >= 0 and chunk.times[last] > moment - reach and chunk.times[last] >= latest[row]:
                found[row, place], latest[row] = chunk.values[last], chunk.times[last]
    return found


def _as_samples(statistics: MetricStats, found: SampleColumns) -> Samples:
    rows, known = rows_of(statistics, found.metric_ids)
    placed = Samples(rows, found.times, found.values, found.widths)
    return placed if known.all() else placed.where(known)
