"""Record the time that ticks have covered"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

FILL = """
UPDATE tick SET elapsed = counted.elapsed
FROM (
    SELECT minute, sum(CASE WHEN missed < 2 THEN gap ELSE gap / (missed + 1) END) OVER (ORDER BY minute) AS elapsed
    FROM (SELECT minute, missed, coalesce(minute - lag(minute) OVER (ORDER BY minute), 0) AS gap FROM tick) AS apart
) AS counted
WHERE counted.minute = tick.minute
"""


def upgrade() -> None:
    op.add_column("tick", sa.Column("elapsed", sa.BigInteger(), server_default="0", nullable=False))
    op.execute(FILL)
    op.create_index(op.f("ix_tick_elapsed"), "tick", ["elapsed"])


def downgrade() -> None:
    op.drop_index(op.f("ix_tick_elapsed"), "tick")
    op.drop_column("tick", "elapsed")
