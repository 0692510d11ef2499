"""Sets aside what a clock that was ahead has stored: moves samples into a table that nothing reads, and shifts the
times of alerts, messages, mutes and states back."""

from collections.abc import Iterable
from typing import cast

import numpy as np
from sqlalchemy import Connection, Table, case, delete, func, insert, literal, select, update
from sqlalchemy.orm import aliased

from services.market.candles import hourly
from services.market.status import SetAside
from services.market.times import from_epoch
from services.market.types import Hours, Series
from services.store.alerting import mutes, outbox, rules, running_sums_recomputation
from services.store.database.models import (
    AlertRow,
    BackfillProgressRow,
    BackfillRow,
    Base,
    ExchangeRow,
    ExtremeRow,
    MetricRow,
    MuteRow,
    RankHistoryRow,
    RunningSumsRecomputationRow,
    RunningSumsRow,
    SetAsideRow,
    SetAsideSampleRow,
    SizeRow,
    SpanRow,
    TickRow,
    TokenRow,
)
from services.store.history import chunks, rollups, samples
from services.store.history.bulk_rows import Quantity
from services.store.history.prices import PRICE
from services.store.history.volumes import VOLUME

_SAMPLES = cast(Table, SetAsideSampleRow.__table__)

_DATED: dict[type[Base], tuple[str, ...]] = {
    MetricRow: ("added_at", "new_at", "gone_at"),
    ExchangeRow: ("last_success", "failing_since", "failed_at", "doubted_since"),
    BackfillProgressRow: ("updated_at",),
    TokenRow: ("created_at", "last_used_at", "revoked_at"),
    MuteRow: ("until", "created_at"),  # in this order: `created_at` decides on both, and changes last
}
"""Columns with times that are shifted back."""


def total(connection: Connection) -> SetAside | None:
    """The total of what was ever set aside; None if nothing was."""
    of_all = (func.max(SetAsideRow.at), func.min(SetAsideRow.first), func.max(SetAsideRow.last))
    at, first, last, ticks, prices = connection.execute(
        select(*of_all, func.sum(SetAsideRow.ticks), func.sum(SetAsideRow.prices))
    ).one()
    if at is None:
        return None
    return SetAside(from_epoch(at), from_epoch(first), from_epoch(last), int(ticks), int(prices))


def set_aside(connection: Connection, now: int, newest: int, period_seconds: int) -> tuple[SetAside, int]:
    """Set aside the samples of epoch second `now` and later, up to the tick of `newest`, and shift other times back: by
    as much as moves that tick to the period before `now`. Returns how much was set aside, and the shift in seconds.

    Data that can be computed again is deleted: running sums, ranks, extremes and sizes of that time, and the answers of
    exchanges to backfills of it.
    """
    shift = _shift_seconds(connection, now, newest, period_seconds)
    first = connection.execute(select(func.min(TickRow.minute)).where(TickRow.minute >= now)).scalar() or newest
    made = insert(SetAsideRow).values(at=now, first=first, last=newest, ticks=0, prices=0, volumes=0, alerts=0)
    batch = connection.execute(made.returning(SetAsideRow.id)).scalar_one()
    prices, volumes = (_move_rows(connection, quantity, batch, now) for quantity in (PRICE, VOLUME))
    sealed_prices, sealed_volumes = _unseal(connection, batch, now)
    ticks = connection.execute(delete(TickRow).where(TickRow.minute >= now)).rowcount
    alerts = _shift_alerts_back(connection, now, shift)
    counts = {"ticks": ticks, "prices": prices + sealed_prices, "volumes": volumes + sealed_volumes, "alerts": alerts}
    connection.execute(update(SetAsideRow).where(SetAsideRow.id == batch).values(counts))
    _delete_recomputable(connection, now)
    _shift_times_back(connection, now, shift)
    mutes.reapply(connection, now)
    outbox.shift_back(connection, now, shift)
    rules.shift_states_back(connection, now, shift)
    return SetAside(from_epoch(now), from_epoch(first), from_epoch(newest), ticks, counts["prices"]), shift


def _shift_seconds(connection: Connection, now: int, newest: int, period_seconds: int) -> int:
    """The shift, chosen so that no two alerts of a rule and metric get the same second."""
    early, late = aliased(AlertRow), aliased(AlertRow)
    same = (early.rule_id == late.rule_id) & (early.metric_id == late.metric_id)
    pairs = select(late.fired_at - early.fired_at).select_from(early)
    pairs = pairs.join(late, same & (early.fired_at < now) & (late.fired_at >= now))
    taken = set(connection.execute(pairs).scalars())
    shift = newest - now + period_seconds
    while shift in taken:
        shift += 1
    return shift


def _move_rows(connection: Connection, quantity: Quantity, batch: int, now: int) -> int:
    table = quantity.rows
    width = table.c.width if "width" in table.columns else literal(0)
    ahead = select(
        literal(batch), literal(table.name), table.c.minute, table.c.metric_id, table.c[quantity.value], width
    ).where(table.c.minute >= now)
    connection.execute(insert(_SAMPLES).from_select([column.name for column in _SAMPLES.columns], ahead))
    return connection.execute(delete(table).where(table.c.minute >= now)).rowcount


def _unseal(connection: Connection, batch: int, now: int) -> tuple[int, int]:
    """Set aside sealed samples; returns how many prices and volumes. The chunks and their hours are written again
    without them."""
    moved = {PRICE: 0, VOLUME: 0}
    for span in connection.execute(select(SpanRow.start, SpanRow.until).where(SpanRow.until >= now)).all():
        left: dict[Quantity, dict[int, Series]] = {PRICE: {}, VOLUME: {}}
        for quantity, remaining in left.items():
            for number, series in list(
                samples.read_sealed_range(connection, quantity, 0, None, span.until - 1, span.until)
            ):
                ahead = series.times >= now
                moved[quantity] += _insert_set_aside(connection, batch, quantity, number, _where(series, ahead))
                if not ahead.all():
                    remaining[number] = _where(series, ~ahead)
            table = quantity.chunks
            connection.execute(delete(table).where(table.c.start == span.start))
            rows = [
                {"start": span.start, "metric_id": number, "samples": len(one.times), "data": chunks.encode(one)}
                for number, one in remaining.items()
            ]
            if rows:
                connection.execute(insert(table), rows)
        none = Series(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.int64))
        hours: dict[int, Hours] = {
            number: hourly(series, left[VOLUME].get(number, none)) for number, series in left[PRICE].items()
        }
        rollups.replace(connection, span.start, hours)
        if span.start >= now:
            connection.execute(delete(SpanRow).where(SpanRow.start == span.start))
    return moved[PRICE], moved[VOLUME]


def _insert_set_aside(connection: Connection, batch: int, quantity: Quantity, number: int, series: Series) -> int:
    count = len(series.times)
    columns: Iterable[list[object]] = (
        [batch] * count,
        [quantity.rows.name] * count,
        series.times.tolist(),
        [number] * count,
        series.values.tolist(),
        series.widths.tolist(),
    )
    names = [column.name for column in _SAMPLES.columns]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    if rows:
        connection.execute(insert(_SAMPLES), rows)
    return count


def _where(series: Series, mask: np.ndarray) -> Series:
    return Series(series.times[mask], series.values[mask], series.widths[mask])


def _shift_alerts_back(connection: Connection, now: int, shift: int) -> int:
    """Shift the times of alerts back; returns how many alerts fired at `now` or later."""
    fired = connection.execute(
        update(AlertRow).where(AlertRow.fired_at >= now).values(fired_at=AlertRow.fired_at - shift)
    ).rowcount
    for column in (AlertRow.resolved_at, AlertRow.no_data_since, AlertRow.acknowledged_at):
        earlier = column - shift  # but an alert cannot end before it fired
        connection.execute(
            update(AlertRow)
            .where(column >= now)
            .values({column.key: case((earlier < AlertRow.fired_at, AlertRow.fired_at), else_=earlier)})
        )
    return fired


def _delete_recomputable(connection: Connection, now: int) -> None:
    """Delete the data of that time that can be computed or fetched again."""
    connection.execute(delete(RunningSumsRow).where(RunningSumsRow.minute >= now))
    connection.execute(
        update(RunningSumsRecomputationRow).where(RunningSumsRecomputationRow.until >= now).values(until=now - 1)
    )
    # The clock that was ahead has thinned out earlier running sums, as if they were old.
    running_sums_recomputation.request(
        connection, running_sums_recomputation.SUMMED_QUANTITIES, now - 1, np.empty(0, dtype=np.int64)
    )
    connection.execute(delete(RankHistoryRow).where(RankHistoryRow.minute >= now))
    connection.execute(delete(ExtremeRow))
    connection.execute(delete(SizeRow).where(SizeRow.at >= now))
    connection.execute(delete(BackfillRow).where(BackfillRow.until >= now))


def _shift_times_back(connection: Connection, now: int, shift: int) -> None:
    for row, names in _DATED.items():
        table = cast(Table, row.__table__)
        for name in names:
            column = table.c[name]
            # The end of a mute is a user's choice and may lie ahead by any clock; its `created_at` may not.
            written = table.c.created_at if row is MuteRow else column
            connection.execute(update(table).where(written >= now).values({name: column - shift}))
