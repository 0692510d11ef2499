"""Renew earlier standard deviations that rules compare with"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ROLLING = "('stdev', 'volatility')"


def upgrade() -> None:
    op.create_table(
        "mark_fill",
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("sums", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("quantity", name=op.f("pk_mark_fill")),
    )
    op.add_column("mark_renewal", sa.Column("number", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mark_renewal", sa.Column("wrong", sa.LargeBinary(), nullable=True))
    renewals = sa.table("mark_renewal", sa.column("wrong", sa.LargeBinary()))
    op.execute(sa.update(renewals).values(wrong=b""))  # of prices and volumes no value, only what they come to
    op.execute(
        "INSERT INTO mark_renewal (quantity, until) SELECT quantity, max(minute) FROM mark"
        f" WHERE quantity IN {ROLLING} GROUP BY quantity"
    )


def downgrade() -> None:
    op.execute(f"DELETE FROM mark_renewal WHERE quantity IN {ROLLING}")
    op.drop_column("mark_renewal", "wrong")
    op.drop_column("mark_renewal", "number")
    op.drop_table("mark_fill")
