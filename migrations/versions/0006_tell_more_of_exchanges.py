"""Record an exchange's rate limit and last failure, and when a pair was delisted"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = (
    ("exchange", "failed_at", sa.BigInteger()),
    ("exchange", "permitted", sa.Double()),
    ("metric", "gone_at", sa.BigInteger()),
)


def upgrade() -> None:
    for table, name, kind in COLUMNS:
        op.add_column(table, sa.Column(name, kind))


def downgrade() -> None:
    for table, name, _ in COLUMNS:
        op.drop_column(table, name)
