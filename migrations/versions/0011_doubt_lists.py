"""Record what an exchange's list said, so that a sudden change of it is not accepted at once"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

COLUMNS = (("trading", sa.Integer()), ("doubted_since", sa.BigInteger()), ("stirring", sa.Integer()))


def upgrade() -> None:
    for name, kind in COLUMNS:
        op.add_column("exchange", sa.Column(name, kind))


def downgrade() -> None:
    for name, _ in COLUMNS:
        op.drop_column("exchange", name)
