"""Tables of the installation itself: leases, tokens, sizes, and what was set aside."""

from sqlalchemy import BigInteger, CheckConstraint, Identity, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.database.models.base import Base


class InstallationRow(Base):
    """One row: whether the prices are simulated, which are never mixed with real ones, and a random `identity` that
    only copies of this database share."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    simulated: Mapped[bool]
    identity: Mapped[str] = mapped_column(server_default="")


class LeaseRow(Base):
    """Which process may do what one process at a time does: tick (`clock`), send on a channel (`channel ops`), backfill
    from an exchange (`backfill kraken`).

    Taken and renewed by conditional UPDATE; free for a process that has observed `expires_at` to change no more.
    """

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    expires_at: Mapped[float]


class TokenRow(Base):
    """An API token: its SHA-256 is stored, not the token itself."""

    __tablename__ = "token"
    __table_args__ = (UniqueConstraint("digest"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str]
    beginning: Mapped[str]
    digest: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    last_used_at: Mapped[int | None] = mapped_column(BigInteger)
    revoked_at: Mapped[int | None] = mapped_column(BigInteger)


class SizeRow(Base):
    """The size of the database, one row an hour."""

    __tablename__ = "size"
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    bytes: Mapped[int] = mapped_column(BigInteger)


class SetAsideRow(Base):
    """A time by which a clock was found to have been ahead: the tick of `at` set aside the samples of periods from
    epoch second `first` to `last`, and dated back the alerts of that time. See set_aside.py."""

    __tablename__ = "set_aside"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    at: Mapped[int] = mapped_column(BigInteger)
    first: Mapped[int] = mapped_column(BigInteger)
    last: Mapped[int] = mapped_column(BigInteger)
    ticks: Mapped[int]
    prices: Mapped[int] = mapped_column(BigInteger)
    volumes: Mapped[int] = mapped_column(BigInteger)
    alerts: Mapped[int]


class SetAsideSampleRow(Base):
    """One sample that was set aside, with its time as it was written; `quantity` is the table that it came from."""

    __tablename__ = "set_aside_sample"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    batch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # SetAsideRow.id
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[float]
    width: Mapped[int] = mapped_column(Integer)
