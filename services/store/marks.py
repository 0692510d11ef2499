"""Marks: what rules that look back need of each quantity, a row a tick and quantity, and no more than they need."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from services.market.marks import Mark
from services.market.stats import HOUR, LOOKBACK
from services.store.models import MarkRow

SLOT_SECONDS = 300
"""Of what is older than an hour, one mark in so long is kept: longer windows begin to that precision."""

_COLUMNS = (("value", "<f8"), ("total", "<f8"), ("rest", "<f8"), ("count", "<i4"), ("sampled", "?"))
_ROW_BYTES = sum(np.dtype(form).itemsize for _, form in _COLUMNS)


class StoredPast:
    """The marks as one transaction sees them; each is read once, however many rules ask."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._minutes: dict[str, list[int]] = {}
        self._marks: dict[tuple[str, int], Mark] = {}

    def first_from(self, quantity: str, minute: int) -> Mark | None:
        """The oldest mark at or after `minute`."""
        minutes = self.minutes(quantity)
        place = bisect_left(minutes, minute)
        return self._read(quantity, minutes[place]) if place < len(minutes) else None

    def last_until(self, quantity: str, minute: int) -> Mark | None:
        """The newest mark at or before `minute`."""
        minutes = self.minutes(quantity)
        place = bisect_right(minutes, minute)
        return self._read(quantity, minutes[place - 1]) if place else None

    def minutes(self, quantity: str) -> Sequence[int]:
        """When there are marks, ascending."""
        if quantity not in self._minutes:
            statement = select(MarkRow.minute).where(MarkRow.quantity == quantity).order_by(MarkRow.minute)
            self._minutes[quantity] = list(self._connection.execute(statement).scalars())
        return self._minutes[quantity]

    def _read(self, quantity: str, minute: int) -> Mark:
        key = quantity, minute
        if key not in self._marks:
            here = (MarkRow.quantity == quantity) & (MarkRow.minute == minute)
            self._marks[key] = _decode(minute, self._connection.execute(select(MarkRow.data).where(here)).scalar_one())
        return self._marks[key]


def record(connection: Connection, quantity: str, mark: Mark) -> None:
    """Keep one more mark."""
    data = b"".join(np.ascontiguousarray(getattr(mark, name), form).tobytes() for name, form in _COLUMNS)
    connection.execute(insert(MarkRow).values(quantity=quantity, minute=mark.minute, data=data))


def is_kept(minute: int, now: int, period_seconds: int) -> bool:
    """Whether a mark of `minute` would outlast the next thinning, were a window long enough."""
    return minute >= now - HOUR - period_seconds or minute % SLOT_SECONDS < period_seconds


def thin(connection: Connection, longest: dict[str, int], now: int, period_seconds: int) -> None:
    """Remove what no window of up to `longest` seconds, quantity by quantity, looks back on any more."""
    connection.execute(delete(MarkRow).where(MarkRow.quantity.not_in(longest)))
    for quantity, window in longest.items():
        old = MarkRow.minute < now - window - LOOKBACK
        between = (MarkRow.minute < now - HOUR - period_seconds) & (MarkRow.minute % SLOT_SECONDS >= period_seconds)
        connection.execute(delete(MarkRow).where(MarkRow.quantity == quantity, old | between))


def _decode(minute: int, data: bytes) -> Mark:
    size = len(data) // _ROW_BYTES
    columns, place = {}, 0
    for name, form in _COLUMNS:
        columns[name] = np.frombuffer(data, form, size, place)
        place += columns[name].nbytes
    return Mark(
        minute,
        columns["value"],
        columns["total"],
        columns["rest"],
        columns["count"].astype(np.int64),
        columns["sampled"],
    )
