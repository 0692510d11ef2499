"""Sealing: moves samples that no window needs any more from rows to chunks, a few metrics of one span at a time.

A span is a part of the history, (start, until], about 360 periods long, so that a chunk of a metric's prices fills a
good part of a page of the database and no more. Each step is one transaction: at any moment a sample is in one
place, and a process that is killed leaves nothing to clean up.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table, delete, func, insert, select, update

from services.market.candles import hourly
from services.market.times import DAY, HOUR
from services.market.types import Hours, Series
from services.store.database.models import MetricRow, SpanRow
from services.store.history import bulk_rows, chunks, rollups, samples
from services.store.history.bulk_rows import Quantity
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME

CHUNK_PERIODS = 360
MAX_SPAN_SECONDS = DAY

_SPAN = cast(Table, SpanRow.__table__)
_EMPTY = Series(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.int64))


@dataclass(frozen=True, slots=True)
class SealStep:
    """The metrics to be sealed next: `first` to `last` in the span (`start`, `until`]. `ends`: it ends the span."""

    start: int
    until: int
    first: int
    last: int
    ends: bool


def span_seconds(period_seconds: int) -> int:
    """The length of a span: 360 periods, rounded up to full hours, and at most a day."""
    hours = -(-CHUNK_PERIODS * period_seconds // HOUR)
    return min(hours * HOUR, MAX_SPAN_SECONDS)


def next_step(connection: Connection, before: int, period_seconds: int, max_samples: int) -> SealStep | None:
    """The next step of sealing samples up to `before` (epoch seconds), with about `max_samples` prices; None if there
    is nothing to seal. Begins a span if none is under way."""
    under_way = select(_SPAN).where(~_SPAN.c.complete).order_by(_SPAN.c.start).limit(1)
    span = connection.execute(under_way).first()
    if span is None:
        if not _begin(connection, before, period_seconds):
            return None
        span = connection.execute(under_way).one()
    highest = connection.execute(select(func.max(MetricRow.id))).scalar_one()
    moments = max(1, (span.until - span.start) // period_seconds)
    last = min(span.through + max(1, max_samples // moments), highest)
    return SealStep(span.start, span.until, span.through + 1, last, last == highest)


def seal(connection: Connection, step: SealStep) -> int:
    """Move the samples of `step` into chunks, and store their hours. Returns the number of prices moved.

    Samples that were added to a sealed span are merged into its chunks.
    """
    prices = _move(connection, PRICE, step)
    volumes = _move(connection, VOLUME, step)
    hours: dict[int, Hours] = {
        number: hourly(series, volumes.get(number, _EMPTY)) for number, series in prices.items() if len(series.times)
    }
    rollups.store(connection, step.start, hours)
    change = update(_SPAN).where(_SPAN.c.start == step.start)
    connection.execute(change.values(through=step.last, complete=step.ends))
    return sum(len(series.times) for series in prices.values())


def sealed_until(connection: Connection) -> int | None:
    """The end of the last sealed span, epoch seconds; None if there is none."""
    return connection.execute(select(func.max(_SPAN.c.until)).where(_SPAN.c.complete)).scalar()


def _begin(connection: Connection, before: int, period_seconds: int) -> bool:
    """Insert the next span: the one with the oldest row. Returns whether there is one to seal."""
    moments = (connection.execute(select(func.min(table.c.minute))).scalar() for table in (PRICE.rows, VOLUME.rows))
    oldest = min((moment for moment in moments if moment is not None), default=None)
    if oldest is None:
        return False
    length = span_seconds(period_seconds)
    start = (oldest - 1) // length * length
    until = start + length
    # A sealed span to which samples were added is sealed again. Spans of another period need not fit this grid.
    known = connection.execute(select(_SPAN).where(_SPAN.c.start < until, _SPAN.c.until > start)).all()
    for span in known:
        if span.start < oldest <= span.until:
            reopened = update(_SPAN).where(_SPAN.c.start == span.start)
            connection.execute(reopened.values(through=0, complete=False))
            return True
        if span.until < oldest:
            start = max(start, span.until)
        else:
            until = min(until, span.start)
    if until > before:
        return False
    connection.execute(insert(_SPAN).values(start=start, until=until, through=0, complete=False))
    return True


def _move(connection: Connection, quantity: Quantity, step: SealStep) -> Mapping[int, Series]:
    """Seal one quantity; returns each metric's samples of the whole span."""
    found = bulk_rows.read_range(connection, quantity, step.first, step.last, step.start, step.until)
    sealed = dict(samples.read_sealed_range(connection, quantity, step.first, step.last, step.until - 1, step.until))
    order = np.argsort(found.metric_ids, kind="stable")
    numbers, first = np.unique(found.metric_ids[order], return_index=True)
    ends = [*first[1:].tolist(), len(order)]
    moved = dict(sealed)
    changed = numbers.tolist()
    for number, begin, end in zip(changed, first.tolist(), ends[: len(changed)], strict=True):
        places = order[begin:end]
        own = Series(found.times[places], found.values[places], found.widths[places])
        moved[number] = chunks.merged(sealed[number], own) if number in sealed else own
    table = quantity.chunks
    if sealed:
        again = table.c.metric_id.in_([number for number in changed if number in sealed])
        connection.execute(delete(table).where(table.c.start == step.start, again))
    if changed:
        connection.execute(
            insert(table),
            [
                {
                    "start": step.start,
                    "metric_id": number,
                    "samples": len(moved[number].times),
                    "data": chunks.encode(moved[number]),
                }
                for number in changed
            ],
        )
    _delete_rows(connection, quantity.rows, np.unique(found.times).tolist(), step)
    return moved


def _delete_rows(connection: Connection, table: Table, moments: list[int], step: SealStep) -> None:
    # Minute by minute, because the key begins with the minute.
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    statement = f"DELETE FROM {table.name} WHERE minute = {mark} AND metric_id BETWEEN {mark} AND {mark}"
    if moments:
        connection.exec_driver_sql(statement, [(moment, step.first, step.last) for moment in moments])
