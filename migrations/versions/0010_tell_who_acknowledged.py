"""Record who acknowledged an alert"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert", sa.Column("acknowledged_by", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("alert", "acknowledged_by")
