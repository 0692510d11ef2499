"""Add users' rules, their states and running sums, mutes, and what alerts record of them"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

OPEN = sa.text("resolved_at IS NULL")


def _added() -> tuple[sa.Column, ...]:
    return (
        sa.Column("rule_id", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("rule", sa.String(), nullable=True),
        sa.Column("quantity", sa.String(), nullable=False, server_default="price"),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reference", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("muted", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
    )


@contextmanager
def _altering_alerts() -> Iterator[BatchOperations]:
    """SQLite recreates the table for this, and would lose its id counter."""
    connection = op.get_bind()
    counted = None
    if connection.dialect.name == "sqlite":
        counted = connection.exec_driver_sql("SELECT seq FROM sqlite_sequence WHERE name = 'alert'").scalar()
    with op.batch_alter_table("alert", table_kwargs={"sqlite_autoincrement": True}) as alert:
        yield alert
    if counted is not None:
        connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = 'alert'")
        connection.exec_driver_sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('alert', ?)", (counted,))


def upgrade() -> None:
    op.create_table(
        "rule",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rule_state",
        sa.Column("rule_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name=op.f("pk_rule_state")),
    )
    op.create_table(
        "mark",
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("quantity", "minute", name=op.f("pk_mark")),
    )
    op.create_table(
        "mute",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("rule_id", sa.Integer(), nullable=True),
        sa.Column("metric_id", sa.Integer(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mute")),
        sqlite_autoincrement=True,
    )
    with _altering_alerts() as alert:
        for column in _added():
            alert.add_column(column)
        alert.alter_column("average", existing_type=sa.Double(), nullable=True)
        alert.alter_column("factor", existing_type=sa.Double(), nullable=True)
        alert.drop_constraint(op.f("uq_alert_metric_id_fired_at"), type_="unique")
        key = ["rule_id", "metric_id", "fired_at"]
        alert.create_unique_constraint(op.f("uq_alert_rule_id_metric_id_fired_at"), key)
    op.create_index("ix_alert_open", "alert", ["rule_id", "metric_id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index("ix_message_alert_alert_id", "message_alert", ["alert_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE mark ALTER COLUMN data SET STORAGE EXTERNAL")  # as 0004: it does not shrink
    op.execute("UPDATE alert SET resolved_at = fired_at")  # what fired before is over


def _forget_alerts_of_rules() -> None:
    """Remove them from their messages, and messages without other alerts."""
    theirs = "SELECT id FROM alert WHERE rule_id <> 0"
    op.execute(f"DELETE FROM message_alert WHERE alert_id IN ({theirs})")
    op.execute("DELETE FROM message WHERE id NOT IN (SELECT message_id FROM message_alert)")
    # Places are keys, and only the first of them has to be there: a message is called by it.
    op.execute(
        """UPDATE message_alert SET place = 0 WHERE place > 0
           AND place = (SELECT min(place) FROM message_alert m WHERE m.message_id = message_alert.message_id)"""
    )
    counted = "(SELECT count(*) FROM message_alert WHERE message_id = message.id AND kind = '{}')"
    op.execute(f"UPDATE message SET fired = {counted.format('fired')}, resolved = {counted.format('resolved')}")
    op.execute("DELETE FROM alert WHERE rule_id <> 0")


def downgrade() -> None:
    _forget_alerts_of_rules()
    op.drop_index("ix_message_alert_alert_id", "message_alert")
    op.drop_index("ix_alert_open", "alert")
    with _altering_alerts() as alert:
        alert.drop_constraint(op.f("uq_alert_rule_id_metric_id_fired_at"), type_="unique")
        alert.create_unique_constraint(op.f("uq_alert_metric_id_fired_at"), ["metric_id", "fired_at"])
        alert.alter_column("average", existing_type=sa.Double(), nullable=False)
        alert.alter_column("factor", existing_type=sa.Double(), nullable=False)
        for column in reversed(_added()):
            alert.drop_column(column.name)
    for name in ("mute", "mark", "rule_state", "rule"):
        op.drop_table(name)
