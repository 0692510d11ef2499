"""Tables of metrics, their statistics, ticks and exchanges."""

from sqlalchemy import BigInteger, CheckConstraint, Identity, Integer, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.store.database.models.base import Base


class MetricRow(Base):
    """One (market, base, quote) that is or was tracked. Its number never changes and is never reused."""

    __tablename__ = "metric"
    __table_args__ = (UniqueConstraint("market", "base", "quote"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    market: Mapped[str]
    base: Mapped[str]
    quote: Mapped[str]
    tracked: Mapped[bool]  # TRACK asks for it
    active: Mapped[bool]  # the exchange trades it
    reason: Mapped[str | None]  # why it is not active
    added_at: Mapped[int] = mapped_column(BigInteger)
    new_at: Mapped[int | None] = mapped_column(BigInteger)  # when its exchange listed it, if that was observed
    gone_at: Mapped[int | None] = mapped_column(BigInteger)  # when it ceased to trade, if that was observed


class SnapshotRow(Base):
    """One row: the state that the last commit left.

    `revision` grows with every commit that changes what readers see.
    """

    __tablename__ = "snapshot"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    catalogue: Mapped[int]  # grows with every change of the tracked metrics
    minute: Mapped[int | None] = mapped_column(BigInteger)  # of the last tick
    window_seconds: Mapped[int]  # the windows of the statistics
    rule_seconds: Mapped[int]


class StatisticsRow(Base):
    """One row: the statistics of all tracked metrics as of the snapshot.

    A table of its own, because a change of the snapshot rewrites its whole row, and this one can be megabytes.
    """

    __tablename__ = "statistics"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    array: Mapped[bytes] = mapped_column("kept", LargeBinary)  # an .npy file: of dtype stats.METRIC_STATS


class ExtremeRow(Base):
    """The extremes of one block of time, [block x length, (block + 1) x length) in epoch seconds, of the metrics whose
    numbers divided by services.store.ranking.extremes.PART give `part`."""

    __tablename__ = "extreme"
    length: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    part: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)  # float64, PART times the highest price and the lowest negated


class RankHistoryRow(Base):
    """The ranks as of one tick."""

    __tablename__ = "past_rank"
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ranks: Mapped[bytes] = mapped_column(LargeBinary)  # int32 by number of the metric, 0 for unranked


class TickRow(Base):
    """The timings and counts of one tick. Its key is what makes a period's tick happen once."""

    __tablename__ = "tick"
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    late_ms: Mapped[float]
    fetch_ms: Mapped[float]
    commit_ms: Mapped[float]
    stored: Mapped[int]
    rejected: Mapped[int]
    missed: Mapped[int]
    failed: Mapped[str]  # markets, comma-separated
    elapsed: Mapped[int] = mapped_column(BigInteger, server_default="0", index=True)  # see present.covered


class ExchangeRow(Base):
    """An exchange's state as of the last tick that asked it, with its last failure before."""

    __tablename__ = "exchange"
    market: Mapped[str] = mapped_column(primary_key=True)
    last_success: Mapped[int | None] = mapped_column(BigInteger)
    failing_since: Mapped[int | None] = mapped_column(BigInteger)
    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]  # of that last failure
    latency_ms: Mapped[float | None]
    rejected: Mapped[int] = mapped_column(default=0)
    unchanged_periods: Mapped[int] = mapped_column("still", default=0)  # in which none of its prices has moved
    note: Mapped[str | None]
    patterns: Mapped[str | None]  # its part of TRACK when its list of pairs was last accepted
    permitted: Mapped[float | None]  # requests a second
    trading: Mapped[int | None]  # pairs that trade according to the last accepted list
    doubted_since: Mapped[int | None] = mapped_column(BigInteger)  # when its list became much shorter than that
    moving_inactive: Mapped[int | None] = mapped_column("stirring")
    """Metrics that do not trade according to the list, but whose price moved in the last tick."""


class WarningRow(Base):
    """A warning to the operator about TRACK; replaced whenever an exchange's list is read."""

    __tablename__ = "warning"
    market: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(primary_key=True)
