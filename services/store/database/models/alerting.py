"""Tables of rules, alerts, mutes and the outbox."""

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.store.database.models.base import Base, BigId

_OPEN = text("resolved_at IS NULL")
_PENDING = text("sent_at IS NULL AND failed_at IS NULL")


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
    rule: Mapped[str | None]  # JSON, see services.market.alerting.rules; None for the built-in one
    quantity: Mapped[str] = mapped_column(server_default="price")
    value: Mapped[float | None]  # of the quantity
    reference: Mapped[float | None]  # what it was compared with: its average, or its value when the window began
    threshold: Mapped[float | None]
    muted: Mapped[bool] = mapped_column(server_default=text("false"))
    no_data_since: Mapped[int | None] = mapped_column(BigInteger)  # of an open alert without a current value
    resolved_at: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str | None]  # why it resolved, see services.market.types.Reason; None where the value is back
    acknowledged_at: Mapped[int | None] = mapped_column(BigInteger)
    note: Mapped[str | None]
    acknowledged_by: Mapped[str | None]


class RuleRow(Base):
    """A user's rule. Its number is never reused, for alerts refer to it."""

    __tablename__ = "rule"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012
    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    body: Mapped[str]  # JSON, see services.market.alerting.rules


class RuleStateRow(Base):
    """One rule's states, of those metrics that are not simply ok: see services.market.alerting.states."""

    __tablename__ = "rule_state"
    rule_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class LastEvaluationRow(Base):
    """The values of one quantity at the last evaluation, for rules on crossings: see last_evaluations.py."""

    __tablename__ = "look"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RunningSumsRow(Base):
    """The running sums of one quantity of all metrics at one moment, for rules with a window."""

    __tablename__ = "mark"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class RunningSumsRecomputationRow(Base):
    """Running sums up to `until` lack stored prices that a backfill has added: they must be computed again, the newest
    first.

    `number` changes with each further request. `incorrect` are the numbers of the metrics whose values themselves are
    incorrect, None for all: they are not compared with until then.
    """

    __tablename__ = "mark_renewal"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    until: Mapped[int] = mapped_column(BigInteger)
    number: Mapped[int] = mapped_column(Integer, server_default="0")
    incorrect: Mapped[bytes | None] = mapped_column("wrong", LargeBinary)


class RunningSumsBackfillRow(Base):
    """How far back the running sums of this quantity have been computed, while more are to come.

    `sums` are those of the window of prices then, where the quantity has one: see services.market.window_sums.
    """

    __tablename__ = "mark_fill"
    quantity: Mapped[str] = mapped_column(primary_key=True)
    minute: Mapped[int] = mapped_column(BigInteger)
    sums: Mapped[bytes | None] = mapped_column(LargeBinary)


class MuteRow(Base):
    """Alerts of this rule (None: of all) on this metric (None: on all) are recorded and nobody is notified.

    It ends at `until`; where that is None, when the open alerts that it mutes have resolved.
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
    """The outbox: one message to one channel about all alerts of a tick, written in the tick's commit.

    The process with the lease of the channel claims it, as `claimed_by`, which stays as the last one that may have sent
    it. It ends with `sent_at` or `failed_at`. Its receiver wants nothing before `paused_until`.
    """

    __tablename__ = "message"
    __table_args__ = (
        # Pending messages are looked for every few seconds; those that were sent only grow in number.
        Index("ix_message_owed", "channel", "due_at", sqlite_where=_PENDING, postgresql_where=_PENDING),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(BigId, Identity(), primary_key=True)
    channel: Mapped[str]
    created_at: Mapped[int] = mapped_column(BigInteger)
    due_at: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[int] = mapped_column(BigInteger)
    claimed_by: Mapped[str | None]
    paused_until: Mapped[int] = mapped_column("silent_until", BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[int | None] = mapped_column(BigInteger)
    failed_at: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
    fired: Mapped[int]  # how many alerts of each kind it reports
    resolved: Mapped[int]


class MessageAlertRow(Base):
    """One alert that a message reports, at its position from 0 on, and what happened to it: `fired`, `resolved`."""

    __tablename__ = "message_alert"
    message_id: Mapped[int] = mapped_column(ForeignKey("message.id"), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alert.id"), index=True)
    kind: Mapped[str]
