"""Put on record what an exchange permits, when it last failed, and when a pair went"""

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
