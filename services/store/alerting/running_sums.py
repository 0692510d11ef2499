"""Running sums for rules with a window: a row for each quantity and tick, no longer than a rule needs it."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from services.market.alerting.running_sums import SLOT_SECONDS, RunningSums, carry_seconds
from services.market.alerting.states import Mask
from services.market.times import HOUR
from services.market.types import Ints
from services.store.alerting import running_sums_recomputation
from services.store.alerting.running_sums_recomputation import Recomputation
from services.store.database.models import RunningSumsRow
from services.store.ranking import ticks

_COLUMNS = (("value", "<f8"), ("total", "<f8"), ("rest", "<f8"), ("count", "<i4"), ("sampled", "?"))
_ROW_BYTES = sum(np.dtype(form).itemsize for _, form in _COLUMNS)


_DELETE_ALL = delete(RunningSumsRow)
_INSERT = insert(RunningSumsRow)


class StoredSumHistory:
    """The running sums as one transaction sees them. Each row is read once, however many rules need it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._minutes: dict[str, list[int]] = {}
        self._rows: dict[tuple[str, int], RunningSums] = {}
        self._unfinished: dict[str, tuple[Recomputation | None, bool]] = {}

    def first_from(self, quantity: str, minute: int) -> RunningSums | None:
        """The oldest running sums at or after `minute`."""
        minutes = self.minutes(quantity)
        place = bisect_left(minutes, minute)
        return self._read(quantity, minutes[place]) if place < len(minutes) else None

    def last_until(self, quantity: str, minute: int) -> RunningSums | None:
        """The newest running sums at or before `minute`."""
        minutes = self.minutes(quantity)
        place = bisect_right(minutes, minute)
        return self._read(quantity, minutes[place - 1]) if place else None

    def unknown(self, quantity: str, since: int, ids: Ints) -> Mask:
        """Which of metrics `ids` have incorrect running sums since `since`: these must be computed again, or are being
        computed and do not reach back so far yet."""
        if quantity not in self._unfinished:
            pending = running_sums_recomputation.pending(self._connection, quantity)
            self._unfinished[quantity] = pending, running_sums_recomputation.is_backfilling(self._connection, quantity)
        pending, is_backfilling = self._unfinished[quantity]
        if is_backfilling and since < self.minutes(quantity)[0]:
            return np.ones(len(ids), dtype=np.bool_)
        if pending is not None and since <= pending.until:
            return pending.is_incorrect(ids)
        return np.zeros(len(ids), dtype=np.bool_)

    def minutes(self, quantity: str) -> Sequence[int]:
        """The times of the running sums, ascending."""
        if quantity not in self._minutes:
            statement = (
                select(RunningSumsRow.minute).where(RunningSumsRow.quantity == quantity).order_by(RunningSumsRow.minute)
            )
            self._minutes[quantity] = list(self._connection.execute(statement).scalars())
        return self._minutes[quantity]

    def _read(self, quantity: str, minute: int) -> RunningSums:
        key = quantity, minute
        if key not in self._rows:
            here = (RunningSumsRow.quantity == quantity) & (RunningSumsRow.minute == minute)
            self._rows[key] = _decode(
                minute, self._connection.execute(select(RunningSumsRow.data).where(here)).scalar_one()
            )
        return self._rows[key]


def record(connection: Connection, quantity: str, sums: RunningSums) -> None:
    """Store the running sums of one more tick."""
    data = b"".join(np.ascontiguousarray(getattr(sums, name), form).tobytes() for name, form in _COLUMNS)
    connection.execute(_INSERT, {"quantity": quantity, "minute": sums.minute, "data": data})


def replace(connection: Connection, quantity: str, since: int, until: int, found: Sequence[RunningSums]) -> None:
    """Replace all with `since` <= minute <= `until` by the `found`."""
    old = (RunningSumsRow.quantity == quantity) & (RunningSumsRow.minute >= since) & (RunningSumsRow.minute <= until)
    connection.execute(delete(RunningSumsRow).where(old))
    for sums in found:
        record(connection, quantity, sums)


def thin(connection: Connection, longest: dict[str, int], now: int, period_seconds: int) -> None:
    """Remove the rows that no window of up to `longest` seconds, quantity by quantity, looks back on any more."""
    if not longest:
        connection.execute(_DELETE_ALL)
        return
    quantity, minute = RunningSumsRow.quantity, RunningSumsRow.minute
    between_slots = minute % SLOT_SECONDS >= period_seconds
    unused = (minute < ticks.age_cutoff(connection, now, HOUR + period_seconds)) & between_slots
    for window in set(longest.values()):
        before = ticks.age_cutoff(connection, now, window + carry_seconds(period_seconds))
        unused |= quantity.in_([name for name, seconds in longest.items() if seconds == window]) & (minute < before)
    connection.execute(delete(RunningSumsRow).where(unused | quantity.not_in(longest)))


def _decode(minute: int, data: bytes) -> RunningSums:
    size = len(data) // _ROW_BYTES
    columns, place = {}, 0
    for name, form in _COLUMNS:
        columns[name] = np.frombuffer(data, form, size, place)
        place += columns[name].nbytes
    return RunningSums(
        minute,
        columns["value"],
        columns["total"],
        columns["rest"],
        columns["count"].astype(np.int64),
        columns["sampled"],
    )
