"""Add history: chunks and rollups of spans, sizes, and when pairs were first listed"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "span",
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("through", sa.Integer(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("start", name=op.f("pk_span")),
    )
    for name in ("price_chunk", "volume_chunk"):
        op.create_table(
            name,
            sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
            sa.Column("metric_id", sa.Integer(), autoincrement=False, nullable=False),
            sa.Column("samples", sa.Integer(), nullable=False),
            sa.Column("data", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("start", "metric_id", name=op.f(f"pk_{name}")),
        )
    op.create_table(
        "rollup",
        sa.Column("start", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("metric_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("start", "metric_id", name=op.f("pk_rollup")),
    )
    op.create_table(
        "size",
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("at", name=op.f("pk_size")),
    )
    op.add_column("metric", sa.Column("new_at", sa.BigInteger(), nullable=True))
    op.add_column("exchange", sa.Column("patterns", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("exchange", "patterns")
    op.drop_column("metric", "new_at")
    for name in ("size", "rollup", "volume_chunk", "price_chunk", "span"):
        op.drop_table(name)
