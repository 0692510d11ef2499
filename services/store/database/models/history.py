"""Tables of samples, chunks, rollups and backfills."""

from sqlalchemy import BigInteger, ForeignKey, Integer, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from services.store.database.models.base import Base


class PriceRow(Base):
    """One metric's last price in one period. The key makes a repeat harmless and a tick an append.

    No foreign key: the numbers come from `metric` in the same transaction, and a look-up a row would double the cost
    of a tick.
    """

    __tablename__ = "price"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own way
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    price: Mapped[float]
    width: Mapped[int] = mapped_column(Integer)  # seconds it stands for: the period, or its candle's width


class VolumeRow(Base):
    """One metric's traded volume of the 24 h before one period, in base units, as its exchange reports it."""

    __tablename__ = "volume"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    volume: Mapped[float]


class SpanRow(Base):
    """A span of time, (start, until], whose samples are being sealed or have been sealed.

    Metrics up to the number `through` are done; `complete` means that all are.
    """

    __tablename__ = "span"
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    until: Mapped[int] = mapped_column(BigInteger)
    through: Mapped[int] = mapped_column(Integer)
    complete: Mapped[bool]


class PriceChunkRow(Base):
    """One metric's prices of one span, sealed: see `services.store.history.chunks`.

    A table with rowids: SQLite stores its rows whole on a page, while those of a table without would spill over.
    """

    __tablename__ = "price_chunk"
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    samples: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class VolumeChunkRow(Base):
    """One metric's volumes of one span, sealed."""

    __tablename__ = "volume_chunk"
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    samples: Mapped[int] = mapped_column(Integer)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RollupRow(Base):
    """One metric's hours of one span: open, high, low, close, mean, count, volume of each. They outlive the chunks."""

    __tablename__ = "rollup"
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class BackfillRow(Base):
    """A span of one metric's history that its exchange has answered for: what is missing in it does not exist."""

    __tablename__ = "backfill"
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"), primary_key=True)
    since: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger)
    retry_at: Mapped[int] = mapped_column("again_at", BigInteger)


class BackfillProgressRow(Base):
    """The progress of one exchange's present backfill, in requests."""

    __tablename__ = "backfill_progress"
    market: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[int]
    failed: Mapped[int]
    total: Mapped[int]
    updated_at: Mapped[int] = mapped_column(BigInteger)
