"""Record which process has claimed a message, and give each channel a lease so that one process sends on it"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

CLAIMED = "FROM message WHERE sent_at IS NULL AND failed_at IS NULL AND claimed_until > 0"
EARLIER = "a sender of an earlier version"


def upgrade() -> None:
    op.add_column("message", sa.Column("claimed_by", sa.String(), nullable=True))
    # What is being sent just now keeps its channel for as long as a lease that is renewed no more.
    op.execute(
        f"""INSERT INTO lease (name, owner, expires_at)
            SELECT 'channel ' || channel, '{EARLIER}', max(claimed_until) {CLAIMED} GROUP BY channel"""
    )
    op.execute(f"UPDATE message SET claimed_by = '{EARLIER}' WHERE id IN (SELECT id {CLAIMED})")
    op.drop_column("message", "claimed_until")


def downgrade() -> None:
    op.add_column("message", sa.Column("claimed_until", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_column("message", "claimed_by")
    op.execute("DELETE FROM lease WHERE name LIKE 'channel %'")
