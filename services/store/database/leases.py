"""Who may do what one process at a time does: tick, or send on a channel. Whoever holds the row of that name."""

from typing import NamedTuple

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from services.market.errors import LeaseLost
from services.market.present import lasts
from services.store.database.models import LeaseRow

CLOCK = "clock"

MAX_SECONDS = 7.2
"""The longest lease of the clock."""

TOLERANCE_SECONDS = 10.0
"""By which the clocks of those who want the same lease may differ without a word."""


class LeaseState(NamedTuple):
    """Who has, or had, the lease; it ends at epoch second `expires_at` by that one's clock."""

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
    """Take the lease, or hold on to it, until `now + seconds`; False while it is another's, unless it is as it was when
    the caller saw it, as `instead_of`, and judged that one gone."""
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
    """Hold on to the lease until `now + seconds`; False where it is not `owner`'s."""
    mine = update(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner)
    return bool(connection.execute(mine.values(expires_at=now + seconds)).rowcount)


def holder(connection: Connection, now: float) -> str | None:
    """Who holds the lease, by this clock: to be told, for it decides nothing."""
    longest = MAX_SECONDS + TOLERANCE_SECONDS  # one that would last longer was taken by a clock that was ahead
    is_held = (LeaseRow.expires_at == now) | lasts(LeaseRow.expires_at, now, longest)
    statement = select(LeaseRow.owner).where(LeaseRow.name == CLOCK, is_held)
    return connection.execute(statement).scalar()


def current(connection: Connection, name: str = CLOCK) -> LeaseState | None:
    """What the lease says, whether it has run out or not; None where nobody has it."""
    row = connection.execute(select(LeaseRow.owner, LeaseRow.expires_at).where(LeaseRow.name == name)).first()
    return None if row is None else LeaseState(row.owner, row.expires_at)


def require(connection: Connection, owner: str) -> None:
    """Raise LeaseLost unless `owner` has it: asked inside a commit, it keeps out a process that was
    asleep while another took over."""
    statement = select(LeaseRow.owner).where(LeaseRow.name == CLOCK).with_for_update()
    if connection.execute(statement).scalar() != owner:
        raise LeaseLost(f"the clock is no longer {owner}'s")


def release(connection: Connection, owner: str, name: str = CLOCK) -> None:
    """Let the next one in at once."""
    connection.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.owner == owner))
