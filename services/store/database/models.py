"""The tables. Times are epoch seconds (UTC); prices are in quote currency per base unit."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_OPEN = text("resolved_at IS NULL")

BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows by itself only in INTEGER keys


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class InstallationRow(Base):
    """One row: whether this database holds simulated prices, which never share one with real ones, and a random
    `identity` that no other database has but its copies."""

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    simulated: Mapped[bool]
    identity: Mapped[str] = mapped_column(server_default="")


class MetricRow(Base):
    """One (market, base, quote) that is or was tracked. Its number never changes nor is given again."""

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
    new_at: Mapped[int | None] = mapped_column(BigInteger)  # when its exchange began to list it, if we saw that
    gone_at: Mapped[int | None] = mapped_column(BigInteger)  # when it ceased to trade, if we saw that


class PriceRow(Base):
    """One metric's last price in one period. The key makes a repeat harmless and a tick an append.

    No foreign key: the numbers come from `metric` in the same transaction, and a look-up a row
    would double the cost of a tick.
    """

    __tablename__ = "price"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012 - SQLAlchemy's own way
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    price: Mapped[float]
    width: Mapped[int] = mapped_column(Integer)  # seconds it stands for: the period, or its candle's width


class VolumeRow(Base):
    """One metric's traded volume of the 24 h before one period, in base units, as its exchange told it."""

    __tablename__ = "volume"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    volume: Mapped[float]


class SpanRow(Base):
    """A stretch of the past, (start, until], whose samples are being moved or have been moved from rows to chunks.

    Metrics up to the number `through` have been; `complete` says that all have.
    """

    __tablename__ = "span"
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    until: Mapped[int] = mapped_column(BigInteger)
    through: Mapped[int] = mapped_column(Integer)
    complete: Mapped[bool]


class PriceChunkRow(Base):
    """One metric's prices of one span, sealed: see `services.store.history.chunks`.

    SQLite keeps rows of a keyless table whole on a page, where those of a key's own table spill over.
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


class SizeRow(Base):
    """How large the database was: one row an hour."""

    __tablename__ = "size"
    at: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    bytes: Mapped[int] = mapped_column(BigInteger)


class SnapshotRow(Base):
    """One row: what the last commit left.

    `revision` grows with every commit that changes what readers see.
    """

    __tablename__ = "snapshot"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    catalogue: Mapped[int]  # grows with every change of the tracked metrics
    minute: Mapped[int | None] = mapped_column(BigInteger)  # of the last tick
    window_seconds: Mapped[int]  # what the statistics were kept for
    rule_seconds: Mapped[int]


class StatisticsRow(Base):
    """One row: the statistics of all tracked metrics as of the snapshot. It stands apart from the snapshot
    because a change of that rewrites its whole row, and this one can be megabytes."""

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
    """The ranks that one tick gave."""

    __tablename__ = "past_rank"
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    ranks: Mapped[bytes] = mapped_column(LargeBinary)  # int32 by number of the metric, 0 for unranked


class TickRow(Base):
    """One tick as it went. Its key is what makes a period's tick happen once."""

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


class SetAsideRow(Base):
    """A time that a clock was found to have been ahead: what was stored of periods from epoch second `first` to `last`
    was set aside by the tick of `at`, which also dated back the alerts of that time. See set_aside.py."""

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
    """One sample that was set aside, with its time as it was written; `quantity` is the table that it stood in."""

    __tablename__ = "set_aside_sample"
    __table_args__ = {"sqlite_with_rowid": False}  # noqa: RUF012
    batch: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # SetAsideRow.id
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    metric_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    value: Mapped[float]
    width: Mapped[int] = mapped_column(Integer)


class ExchangeRow(Base):
    """How an exchange did in the last tick that asked it, and its last failure before."""

    __tablename__ = "exchange"
    market: Mapped[str] = mapped_column(primary_key=True)
    last_success: Mapped[int | None] = mapped_column(BigInteger)
    failing_since: Mapped[int | None] = mapped_column(BigInteger)
    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]  # of that last failure
    latency_ms: Mapped[float | None]
    rejected: Mapped[int] = mapped_column(default=0)
    still: Mapped[int] = mapped_column(default=0)  # periods in which none of its prices has moved
    note: Mapped[str | None]
    patterns: Mapped[str | None]  # what TRACK asked of it when its list was last accepted
    permitted: Mapped[float | None]  # requests a second
    trading: Mapped[int | None]  # pairs that traded by the list that was believed last
    doubted_since: Mapped[int | None] = mapped_column(BigInteger)  # when its list began to say much less than that
    stirring: Mapped[int | None]  # metrics that do not trade by the list, but had a price that moved in the last tick


class WarningRow(Base):
    """What the operator should know of TRACK; renewed with each look at an exchange's list."""

    __tablename__ = "warning"
    market: Mapped[str] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(primary_key=True)


class AlertRow(Base):
    """One firing of a rule, with the figures that led to it and the rule as it was; rule 0 is the built-in one."""

    __tablename__ = "alert"
    __table_args__ = (
        UniqueConstraint("rule_id", "metric_id", "fired_at"),
        Index("ix_alert_open", "rule_id", "metric_id", sqlite_where=_OPEN, postgresql_where=_OPEN),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigId, Identity(), primary_key=True)
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"))
    fired_at: Mapped[int] = mapped_column(BigInteger, index=True)
    price: Mapped[float]
    average: Mapped[float | None]
    factor: Mapped[float | None]
    samples: Mapped[int]
    rule_id: Mapped[int] = mapped_column(Integer, server_default="0")
    rule: Mapped[str | None]  # JSON, see services.market.alerting.rules; None of the built-in one
    quantity: Mapped[str] = mapped_column(server_default="price")
    value: Mapped[float | None]  # of the quantity
    reference: Mapped[float | None]  # what it was compared with: its average, or its value when the window began
    threshold: Mapped[float | None]
    muted: Mapped[bool] = mapped_column(server_default=text("false"))
    no_data_since: Mapped[int | None] = mapped_column(BigInteger)  # of an open one of which nothing is known now
    resolved_at: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None]  # why it resolved, see services.market.types.Reason; None where the value is back
    acknowledged_at: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str | None]
    acknowledged_by: Mapped[str | None]


class RuleRow(Base):
    """A rule that somebody wrote. Its number is not given again, for alerts name it."""

    __tablename__ = "rule"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    body: Mapped[str]  # JSON, see services.market.alerting.rules


class RuleStateRow(Base):
    """How one rule stands to those of its metrics that are not simply ok: see services.market.alerting.states."""

    __tablename__ = "rule_state"
    rule_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class LastEvaluationRow(Base):
    """What rules on crossings saw of one quantity at their last look: services.store.alerting.last_evaluations."""

    __tablename__ = "look"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RunningSumsRecomputationRow(Base):
    """Marks of this quantity that are not after `until` do not know all prices that are stored: a backfill has added
    some since. They are to be computed anew, the newest first.

    `number` is another one each time that more is to be renewed. `wrong` are the numbers of the metrics whose values
    themselves are not what they should be, None for all: until then they are not compared with.
    """

    __tablename__ = "mark_renewal"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(Integer, server_default="0")
    wrong: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunningSumsBackfillRow(Base):
    """How far back marks of this quantity have been computed, while there are more to be; and `sums`, where the
    quantity is of a window of prices: those of that window then, see services.market.window_sums."""

    __tablename__ = "mark_fill"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger)
    sums: Mapped[bytes | None] = mapped_column(LargeBinary)


class RunningSumsRow(Base):
    """What one quantity of all metrics had come to at one moment, for rules that look back."""

    __tablename__ = "mark"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class MuteRow(Base):
    """Alerts of this rule (None: of all) on this metric (None: on all) are recorded and nobody is told.

    It ends at `until`, or where that is None when those of these alerts that there are have resolved.
    """

    __tablename__ = "mute"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    rule_id: Mapped[int | None] = mapped_column(Integer)
    metric_id: Mapped[int | None] = mapped_column(Integer)
    until: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str | None]
    created_at: Mapped[int] = mapped_column(BigInteger)


class MessageRow(Base):
    """The outbox: one message owed to one channel, about all that a tick has for it, written in the tick's commit.

    Who has the lease of its channel claims it, as `claimed_by`, which tells the last one that may have sent it. It ends
    with `sent_at` or, given up, with `failed_at`. Until `silent_until` its receiver wants nothing at all.
    """

    __tablename__ = "message"
    __table_args__ = (
        # What is owed is looked for every few seconds; what has been sent only grows.
        Index(
            "ix_message_owed",
            "channel",
            "due_at",
            sqlite_where=text("sent_at IS NULL AND failed_at IS NULL"),
            postgresql_where=text("sent_at IS NULL AND failed_at IS NULL"),
        ),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigId, Identity(), primary_key=True)
    channel: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    claimed_by: Mapped[str | None]
    silent_until: Mapped[int] = mapped_column(BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
    fired: Mapped[int]  # how many alerts of each kind it tells
    resolved: Mapped[int]


class MessageAlertRow(Base):
    """One alert that a message tells, at its place in it from 0 on, and what happened to it: `fired`, `resolved`."""

    __tablename__ = "message_alert"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), index=True)
    kind: Mapped[str]


class LeaseRow(Base):
    """Who may do what one process at a time does: tick (`clock`), send on a channel (`channel ops`), fill in an
    exchange's history (`backfill kraken`). Taken and held by conditional UPDATE; free for whoever has seen that
    `expires_at` changes no more."""

    __tablename__ = "lease"
    name: Mapped[str] = mapped_column(primary_key=True)
    owner: Mapped[str]
    expires_at: Mapped[float]


class BackfillRow(Base):
    """A span of one metric's past that its exchange has answered for: what is missing in it does not exist."""

    __tablename__ = "backfill"
    metric_id: Mapped[int] = mapped_column(ForeignKey("metric.id"), primary_key=True)
    since: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger)
    again_at: Mapped[int] = mapped_column(BigInteger)


class BackfillProgressRow(Base):
    """How far the present backfill of one exchange has come, in requests."""

    __tablename__ = "backfill_progress"
    market: Mapped[str] = mapped_column(primary_key=True)
    done: Mapped[int]
    failed: Mapped[int]
    total: Mapped[int]
    updated_at: Mapped[int] = mapped_column(BigInteger)


class TokenRow(Base):
    """An API token: what a program shows is not kept, its SHA-256 is."""

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
