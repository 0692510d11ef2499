"""Store extremes by block and the ranks of the last hour, for ranges and changes in rank"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "extreme",
        sa.Column("length", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("length", "block", "part", name=op.f("pk_extreme")),
    )
    op.create_table(
        "past_rank",
        sa.Column("minute", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ranks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("minute", name=op.f("pk_past_rank")),
    )
    if op.get_bind().dialect.name == "postgresql":  # as 0004: numbers that will not shrink
        op.execute("ALTER TABLE extreme ALTER COLUMN data SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE past_rank ALTER COLUMN ranks SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.drop_table("past_rank")
    op.drop_table("extreme")
