"""Which marks are to be computed anew, and how far that has come."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, delete, insert, select, update

from services.market import window_sums
from services.market.alerting.rules import QUANTITIES
from services.market.alerting.running_sums import carry_seconds
from services.market.alerting.states import Mask
from services.market.types import Ints
from services.market.window_sums import ROLLING, WindowSums
from services.store.database.models import RunningSumsBackfillRow, RunningSumsRecomputationRow

SUMMED_QUANTITIES = tuple(quantity for quantity, kinds in QUANTITIES.items() if {"average", "change"} & set(kinds))
"""The quantities of which there are marks."""


@dataclass(frozen=True, slots=True)
class Recomputation:
    """Marks up to `until` (epoch seconds) do not know all that is stored; `number` is another one each time that there
    is more to renew. The values of the metrics `wrong` (None: of all) are not what they should be; those of the others
    lack something at most."""

    until: int
    number: int
    wrong: Ints | None

    def is_wrong(self, ids: Ints) -> Mask:
        """Which of these metrics are wrong."""
        return np.ones(len(ids), dtype=np.bool_) if self.wrong is None else np.isin(ids, self.wrong)


@dataclass(frozen=True, slots=True)
class SumsBackfill:
    """Marks have been computed back to `minute`, and that goes on; `sums` are those of the standard deviation's window
    as they were then, None of quantities that are not ROLLING, and where they are to be found anew."""

    minute: int
    sums: WindowSums | None


def request_after_backfill(
    connection: Connection, metric_ids: Ints, newest: int, last_tick: int, period_seconds: int, window_seconds: int
) -> None:
    """A backfill has added prices of these metrics, of times up to `newest`: the marks up to then are to be renewed,
    those after it that carry one of those values, and those of statistics over a window of `window_seconds` that has
    one in it. What a tick after the `last_tick` sees is right by itself."""
    for quantity in SUMMED_QUANTITIES:
        reach = carry_seconds(period_seconds) + (window_seconds if quantity in ROLLING else 0)
        wrong = metric_ids if quantity in ROLLING else metric_ids[:0]
        request(connection, [quantity], min(newest + reach, last_tick), wrong)


def request(connection: Connection, quantities: Iterable[str], until: int, wrong: Ints | None) -> None:
    """Have the marks up to `until` be renewed, and whatever has been computed back to so far."""
    for quantity in quantities:
        before, now = pending(connection, quantity), Recomputation(until, 0, wrong)
        if before is not None:
            all_wrong = None if wrong is None or before.wrong is None else np.union1d(wrong, before.wrong)
            now = Recomputation(max(until, before.until), before.number + 1, all_wrong)
        _replace(connection, quantity, now)
        connection.execute(
            update(RunningSumsBackfillRow).where(RunningSumsBackfillRow.quantity == quantity).values(sums=None)
        )


def record_progress(connection: Connection, quantity: str, before: Recomputation, until: int | None) -> None:
    """Only the marks up to `until` are still to be renewed; None: no more."""
    _replace(connection, quantity, None if until is None else Recomputation(until, before.number, before.wrong))


def pending(connection: Connection, quantity: str) -> Recomputation | None:
    """What there is to renew; None where all marks know all that is stored."""
    statement = select(RunningSumsRecomputationRow.__table__).where(RunningSumsRecomputationRow.quantity == quantity)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    return Recomputation(row.until, row.number, None if row.wrong is None else np.frombuffer(row.wrong, "<i8"))


def backfill_state(connection: Connection, quantity: str) -> SumsBackfill | None:
    """How far marks have been computed back; None where none are under way."""
    row = connection.execute(
        select(RunningSumsBackfillRow.__table__).where(RunningSumsBackfillRow.quantity == quantity)
    ).one_or_none()
    return (
        None
        if row is None
        else SumsBackfill(row.minute, None if row.sums is None else window_sums.from_bytes(row.sums))
    )


def is_backfilling(connection: Connection, quantity: str) -> bool:
    """Whether any are under way."""
    statement = select(RunningSumsBackfillRow.minute).where(RunningSumsBackfillRow.quantity == quantity)
    return connection.execute(statement).one_or_none() is not None


def save_backfill_state(connection: Connection, quantity: str, found: SumsBackfill | None) -> None:
    """Marks have been computed so far back; None: none are under way any more."""
    connection.execute(delete(RunningSumsBackfillRow).where(RunningSumsBackfillRow.quantity == quantity))
    if found is not None:
        sums = None if found.sums is None else found.sums.to_bytes()
        connection.execute(insert(RunningSumsBackfillRow).values(quantity=quantity, minute=found.minute, sums=sums))


def _replace(connection: Connection, quantity: str, left: Recomputation | None) -> None:
    connection.execute(delete(RunningSumsRecomputationRow).where(RunningSumsRecomputationRow.quantity == quantity))
    if left is not None:
        wrong = None if left.wrong is None else left.wrong.astype("<i8").tobytes()
        row = insert(RunningSumsRecomputationRow).values(
            quantity=quantity, until=left.until, number=left.number, wrong=wrong
        )
        connection.execute(row)
