"""Replace notifications by messages: one per channel and tick, with its alerts"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
DAY = 86_400

GROUPED = """
    SELECT n.*,
        min(id) OVER (PARTITION BY channel, created_at, sent_at, failed_at) AS message_id,
        row_number() OVER (PARTITION BY channel, created_at, sent_at, failed_at ORDER BY id) - 1 AS place
    FROM notification n
"""
"""Notifications of one tick and channel that were sent, or failed, together become one message."""


def upgrade() -> None:
    op.create_table(
        "message",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("silent_until", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("fired", sa.Integer(), nullable=False),
        sa.Column("resolved", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sqlite_autoincrement=True,
    )
    owed = sa.text("sent_at IS NULL AND failed_at IS NULL")
    op.create_index("ix_message_owed", "message", ["channel", "due_at"], sqlite_where=owed, postgresql_where=owed)
    op.create_table(
        "message_alert",
        sa.Column("message_id", BIG_ID, nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("alert_id", BIG_ID, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_message_alert_alert_id_alert")),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"], name=op.f("fk_message_alert_message_id_message")),
        sa.PrimaryKeyConstraint("message_id", "place", name=op.f("pk_message_alert")),
    )
    op.execute(
        f"""INSERT INTO message (id, channel, created_at, due_at, expires_at, claimed_until, silent_until, attempts,
                                 sent_at, failed_at, error, fired, resolved)
            SELECT message_id, min(channel), min(created_at), min(due_at), min(created_at) + {DAY}, max(claimed_until),
                   0, max(attempts), min(sent_at), min(failed_at), max(error), count(*), 0
            FROM ({GROUPED}) AS grouped GROUP BY message_id"""
    )
    op.execute(
        f"""INSERT INTO message_alert (message_id, place, alert_id, kind)
            SELECT message_id, place, alert_id, 'fired' FROM ({GROUPED}) AS grouped"""
    )
    _count_on("notification", "message")
    op.drop_table("notification")


def downgrade() -> None:
    op.create_table(
        "notification",
        sa.Column("id", BIG_ID, sa.Identity(always=False), nullable=False),
        sa.Column("alert_id", BIG_ID, nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_until", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["alert_id"], ["alert.id"], name=op.f("fk_notification_alert_id_alert")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sa.UniqueConstraint("alert_id", "channel", name=op.f("uq_notification_alert_id_channel")),
        sqlite_autoincrement=True,
    )
    _count_on("message", "notification")
    # The first alert keeps the message's number, the others come after all of them.
    told = """FROM message_alert JOIN message ON message.id = message_id WHERE kind = 'fired' AND place"""
    columns = "alert_id, channel, created_at, due_at, claimed_until, attempts, sent_at, failed_at, error"
    op.execute(f"INSERT INTO notification (id, {columns}) SELECT message_id, {columns} {told} = 0")
    last = "(SELECT coalesce(max(id), 0) FROM message)"
    op.execute(
        f"""INSERT INTO notification (id, {columns})
            SELECT {last} + row_number() OVER (ORDER BY message_id, place), {columns} {told} > 0"""
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """SELECT setval(pg_get_serial_sequence('notification', 'id'), max(id)) FROM notification
               HAVING max(id) > (SELECT last_value FROM notification_id_seq)"""
        )
    op.drop_table("message_alert")
    op.drop_index("ix_message_owed", "message")
    op.drop_table("message")


def _count_on(old: str, new: str) -> None:
    """Continue the ids of `new` after those of `old`, so that none is used twice."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"SELECT setval(pg_get_serial_sequence('{new}', 'id'), last_value, is_called) FROM {old}_id_seq")
        return
    op.execute(f"DELETE FROM sqlite_sequence WHERE name = '{new}'")
    op.execute(f"INSERT INTO sqlite_sequence (name, seq) SELECT '{new}', seq FROM sqlite_sequence WHERE name = '{old}'")
