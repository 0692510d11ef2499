"""Running sums that must be computed again after a backfill, and those that are still being computed backwards."""

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
"""The quantities with running sums: those that a rule can average, or compare over a window."""


@dataclass(frozen=True, slots=True)
class Recomputation:
    """Running sums up to `until` (epoch seconds) lack prices that are stored.

    `number` changes with each further request. Values of the metrics `incorrect` (None: of all) are incorrect; those
    of the others are at most incomplete.
    """

    until: int
    number: int
    incorrect: Ints | None

    def is_incorrect(self, ids: Ints) -> Mask:
        """Which of these metrics have incorrect values."""
        return np.ones(len(ids), dtype=np.bool_) if self.incorrect is None else np.isin(ids, self.incorrect)


@dataclass(frozen=True, slots=True)
class SumsBackfill:
    """Running sums have been computed back to `minute`, and earlier ones are to follow.

    `sums` are those of the standard deviation's window at `minute`; None for quantities that are not ROLLING, and where
    they must be computed again.
    """

    minute: int
    sums: WindowSums | None


def request_after_backfill(
    connection: Connection, metric_ids: Ints, newest: int, last_tick: int, period_seconds: int, window_seconds: int
) -> None:
    """Request recomputation after a backfill has added prices of these metrics, of times up to `newest`.

    It covers running sums up to then, later ones that carry one of those prices forward, and those of statistics whose
    window of `window_seconds` contains one. Ticks after the `last_tick` compute theirs from the new prices anyway.
    """
    for quantity in SUMMED_QUANTITIES:
        reach = carry_seconds(period_seconds) + (window_seconds if quantity in ROLLING else 0)
        incorrect = metric_ids if quantity in ROLLING else metric_ids[:0]
        request(connection, [quantity], min(newest + reach, last_tick), incorrect)


def request(connection: Connection, quantities: Iterable[str], until: int, incorrect: Ints | None) -> None:
    """Request recomputation of running sums up to `until`, and of the window sums of a backfill under way."""
    for quantity in quantities:
        before, now = pending(connection, quantity), Recomputation(until, 0, incorrect)
        if before is not None:
            all_wrong = (
                None if incorrect is None or before.incorrect is None else np.union1d(incorrect, before.incorrect)
            )
            now = Recomputation(max(until, before.until), before.number + 1, all_wrong)
        _replace(connection, quantity, now)
        connection.execute(
            update(RunningSumsBackfillRow).where(RunningSumsBackfillRow.quantity == quantity).values(sums=None)
        )


def record_progress(connection: Connection, quantity: str, before: Recomputation, until: int | None) -> None:
    """Running sums after `until` have been computed again; None: all have."""
    _replace(connection, quantity, None if until is None else Recomputation(until, before.number, before.incorrect))


def pending(connection: Connection, quantity: str) -> Recomputation | None:
    """The requested recomputation; None where all running sums are correct."""
    table = RunningSumsRecomputationRow
    statement = select(table.until, table.number, table.incorrect).where(table.quantity == quantity)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    until, number, incorrect = row
    return Recomputation(until, number, None if incorrect is None else np.frombuffer(incorrect, "<i8"))


def backfill_state(connection: Connection, quantity: str) -> SumsBackfill | None:
    """How far back running sums have been computed; None if no backfill of them is under way."""
    row = connection.execute(
        select(RunningSumsBackfillRow.__table__).where(RunningSumsBackfillRow.quantity == quantity)
    ).one_or_none()
    return (
        None
        if row is None
        else SumsBackfill(row.minute, None if row.sums is None else window_sums.from_bytes(row.sums))
    )


def is_backfilling(connection: Connection, quantity: str) -> bool:
    """Whether a backfill of running sums is under way."""
    statement = select(RunningSumsBackfillRow.minute).where(RunningSumsBackfillRow.quantity == quantity)
    return connection.execute(statement).one_or_none() is not None


def save_backfill_state(connection: Connection, quantity: str, found: SumsBackfill | None) -> None:
    """Store how far back running sums have been computed; None: the backfill is over."""
    connection.execute(delete(RunningSumsBackfillRow).where(RunningSumsBackfillRow.quantity == quantity))
    if found is not None:
        sums = None if found.sums is None else found.sums.to_bytes()
        connection.execute(insert(RunningSumsBackfillRow).values(quantity=quantity, minute=found.minute, sums=sums))


def _replace(connection: Connection, quantity: str, left: Recomputation | None) -> None:
    connection.execute(delete(RunningSumsRecomputationRow).where(RunningSumsRecomputationRow.quantity == quantity))
    if left is not None:
        incorrect = None if left.incorrect is None else left.incorrect.astype("<i8").tobytes()
        row = insert(RunningSumsRecomputationRow).values(
            quantity=quantity, until=left.until, number=left.number, incorrect=incorrect
        )
        connection.execute(row)
