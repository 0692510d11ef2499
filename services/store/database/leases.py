"""Leases: rows that say which process may tick, send on a channel or backfill, one process at a time each."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.market.errors import LeaseLost
from services.market.present import is_unexpired
from services.store.database.models import LeaseRow

CLOCK = "clock"

MAX_SECONDS = 7.2
"""The longest lease of the clock."""

TOLERANCE_SECONDS = 10.0
"""By which the clocks of processes may differ without a warning."""


class LeaseState(NamedTuple):
    """The present or last owner of a lease, which ends at epoch second `expires_at` by that owner's clock."""

    owner: str
    expires_at: float


def take(
    connection: Connection,
    owner: str,
    now: float,
    seconds: float,
    name: str = CLOCK,
    instead_of: LeaseState | None = None,
) -> bool:
    """Take or renew the lease until `now + seconds`; False if another process has it.

    If its state is still `instead_of`, whose owner the caller has found to be gone, it is taken from that owner.
    """
    if renew(connection, owner, now, seconds, name):
        return True
    if instead_of is not None:
        theirs = (LeaseRow.owner == instead_of.owner) & (LeaseRow.expires_at == instead_of.expires_at)
        statement = update(LeaseRow).where(LeaseRow.name == name, theirs)
        return bool(connection.execute(statement.values(owner=owner, expires_at=now + seconds)).rowcount)
    # Two that find no row at the same time: one of them is first.
    statement_of = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    first = statement_of(LeaseRow).values(name=name, owner=owner, expires_at=now + seconds)
    taken = connection.execute(first.on_conflict_do_nothing().returning(LeaseRow.name)).first()
    return taken is not None


def renew(connection: Connection, owner: str, now: float, seconds: float, name: str = CLOCK) -> bool:
    """Renew the lease until `now + seconds`; False if `owner` does not have it."""
    owned = update(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner)
    return bool(connection.execute(owned.values(expires_at=now + seconds)).rowcount)


def holder(connection: Connection, now: float) -> str | None:
    """The process that has the lease of the clock, by this clock: to be shown, for it decides nothing."""
    longest = MAX_SECONDS + TOLERANCE_SECONDS  # one that would last longer was taken by a clock that was ahead
    is_held = (LeaseRow.expires_at == now) | is_unexpired(LeaseRow.expires_at, now, longest)
    statement = select(LeaseRow.owner).where(LeaseRow.name == CLOCK, is_held)
    return connection.execute(statement).scalar()


def current(connection: Connection, name: str = CLOCK) -> LeaseState | None:
    """The state of the lease, expired or not; None if it is free."""
    row = connection.execute(select(LeaseRow.owner, LeaseRow.expires_at).where(LeaseRow.name == name)).first()
    return None if row is None else LeaseState(row.owner, row.expires_at)


def require(connection: Connection, owner: str) -> None:
    """Raise LeaseLost unless `owner` has the lease of the clock. Called inside a commit, it stops a process that was
    suspended while another one took over."""
    statement = select(LeaseRow.owner).where(LeaseRow.name == CLOCK).with_for_update()
    if connection.execute(statement).scalar() != owner:
        raise LeaseLost(f"the clock is no longer {owner}'s")


def release(connection: Connection, owner: str, name: str = CLOCK) -> None:
    """Free the lease for another process at once."""
    connection.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))
