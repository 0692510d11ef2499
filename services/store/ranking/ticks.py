"""Stored ticks: their times, durations and counts."""

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, bindparam, case, func, insert, select

from services.market.present import covered
from services.market.status import SLOT_SECONDS, TickDay, TickState
from services.market.times import DAY, from_epoch, to_epoch
from services.market.types import Ints
from services.store.database.models import TickRow

_UNTIL = TickRow.minute <= bindparam("until")
_COUNT = select(func.count()).select_from(TickRow).where(TickRow.minute > bindparam("since"), _UNTIL)
_LAST_MINUTE = select(func.max(TickRow.minute)).where(_UNTIL)
_LAST_ELAPSED = select(TickRow.elapsed).where(_UNTIL).order_by(TickRow.minute.desc()).limit(1).scalar_subquery()
_NEWEST_OLD = (
    select(TickRow.minute)
    .where(_UNTIL, TickRow.elapsed < _LAST_ELAPSED - bindparam("seconds"))
    .order_by(TickRow.elapsed.desc())
    .limit(1)
)
_AT = select(TickRow.minute).where(TickRow.minute == bindparam("at"))
_BEFORE = (
    select(TickRow.minute, TickRow.elapsed)
    .where(TickRow.minute < bindparam("at"))
    .order_by(TickRow.minute.desc())
    .limit(1)
)
_INSERT = insert(TickRow)


def count(connection: Connection, since: int, until: int) -> int:
    """How many ticks there are with `since` < minute <= `until`."""
    return connection.execute(_COUNT, {"since": since, "until": until}).scalar_one()


def last_minute(connection: Connection, until: int) -> int | None:
    """The period of the last tick at or before epoch second `until`."""
    return connection.execute(_LAST_MINUTE, {"until": until}).scalar()


def age_cutoff(connection: Connection, now: int, seconds: int) -> int:
    """The epoch second up to which everything is older than `seconds` at the tick of `now`, both by the clock and by
    the time that ticks have covered since, see services.market.present.covered; 0 where nothing is.

    Everything that is removed because of its age uses this cutoff.
    """
    # The tick after a jump of the clock counts as one period, although less time may have passed.
    newest = connection.execute(_NEWEST_OLD, {"until": now, "seconds": seconds}).scalar()
    return min(newest or 0, now - seconds)


def happened(connection: Connection, minute: int) -> bool:
    """Whether this period's tick is stored."""
    return connection.execute(_AT, {"at": minute}).first() is not None


def happened_at(connection: Connection, times: Ints) -> npt.NDArray[np.bool_]:
    """Which of these periods (ascending epoch seconds) have a stored tick."""
    if not len(times):
        return np.zeros(0, dtype=np.bool_)
    inside = (TickRow.minute >= int(times[0])) & (TickRow.minute <= int(times[-1]))
    stored = np.array(connection.execute(select(TickRow.minute).where(inside)).scalars().all(), dtype=np.int64)
    found: npt.NDArray[np.bool_] = np.isin(times, stored)
    return found


def record(connection: Connection, tick: TickState) -> None:
    """Write one tick's row."""
    minute = to_epoch(tick.minute)
    before = connection.execute(_BEFORE, {"at": minute}).first()
    elapsed = 0 if before is None else before.elapsed + covered(minute - before.minute, tick.missed)
    row = {
        "minute": minute,
        "late_ms": tick.late_ms,
        "fetch_ms": tick.fetch_ms,
        "commit_ms": tick.commit_ms,
        "stored": tick.stored,
        "rejected": tick.rejected,
        "missed": tick.missed,
        "failed": ",".join(tick.failed),
        "elapsed": elapsed,
    }
    connection.execute(_INSERT, row)


def newest(connection: Connection, limit: int) -> tuple[TickState, ...]:
    """The last ticks, newest first."""
    rows = connection.execute(select(TickRow.__table__).order_by(TickRow.minute.desc()).limit(limit))
    return tuple(
        TickState(
            minute=from_epoch(row.minute),
            late_ms=row.late_ms,
            fetch_ms=row.fetch_ms,
            commit_ms=row.commit_ms,
            stored=row.stored,
            rejected=row.rejected,
            missed=row.missed,
            failed=tuple(filter(None, row.failed.split(","))),
        )
        for row in rows
    )


def day(connection: Connection, now: int, period_seconds: int) -> TickDay:
    """The ticks of the 24 h up to the end of the slot that epoch second `now` is in."""
    slots = DAY // SLOT_SECONDS
    start = (now // SLOT_SECONDS + 1) * SLOT_SECONDS - DAY
    slot = ((TickRow.minute - start) // SLOT_SECONDS).label("slot")
    sums = (
        func.count(),
        func.avg(TickRow.fetch_ms),
        func.avg(TickRow.commit_ms),
        func.max(TickRow.fetch_ms + TickRow.commit_ms),
        func.sum(case((TickRow.failed != "", 1), else_=0)),
    )
    by_slot = np.full((slots, len(sums)), np.nan)
    for place, *values in connection.execute(select(slot, *sums).where(TickRow.minute >= start).group_by(slot)):
        if place < slots:  # the clock was set back
            by_slot[place] = values
    ticks, fetch_ms, store_ms, longest_ms, failed = by_slot.T
    return TickDay(
        starts=start + SLOT_SECONDS * np.arange(slots, dtype=np.int64),
        ticks=np.nan_to_num(ticks).astype(np.int64),
        fetch_ms=fetch_ms,
        store_ms=store_ms,
        longest_ms=longest_ms,
        missed=_missed(connection, start, now, period_seconds, slots),
        failed=np.nan_to_num(failed).astype(np.int64),
    )


def _missed(connection: Connection, start: int, now: int, period_seconds: int, slots: int) -> Ints:
    """The number of periods without a tick in each slot from `start` on, up to `now`."""
    gaps = connection.execute(
        select(TickRow.minute, TickRow.missed).where(TickRow.minute >= start, TickRow.missed > 0)
    ).all()
    ends = [(minute, missed) for minute, missed in gaps]
    last = connection.execute(select(func.max(TickRow.minute))).scalar()
    if last is not None:
        running = now // period_seconds * period_seconds  # its tick may be under way
        ends.append((running, max(0, (running - last) // period_seconds - 1)))
    # A clock that jumped may leave a gap of years: only its periods within the slots are counted.
    periods = [
        end - period_seconds * np.arange(1, min(missed, (end - start) // period_seconds) + 1, dtype=np.int64)
        for end, missed in ends
    ]
    places = (np.concatenate([np.empty(0, dtype=np.int64), *periods]) - start) // SLOT_SECONDS
    counts: Ints = np.bincount(places[(places >= 0) & (places < slots)], minlength=slots).astype(np.int64)
    return counts


def late(connection: Connection, since: int, seconds: float) -> Ints:
    """The periods after `since`, epoch seconds ascending, whose ticks began more than `seconds` into them."""
    statement = select(TickRow.minute).where(TickRow.minute > since, TickRow.late_ms > seconds * 1e3)
    return np.array(connection.execute(statement.order_by(TickRow.minute)).scalars().all(), dtype=np.int64)
