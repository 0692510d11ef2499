"""Stop PostgreSQL from compressing packed values: for the statistics that took longer than the rest of a commit"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

PACKED = (("statistics", "kept"), ("price_chunk", "data"), ("volume_chunk", "data"))


def upgrade() -> None:
    _store("EXTERNAL")


def downgrade() -> None:
    _store("EXTENDED")


def _store(how: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        for table, column in PACKED:
            op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE {how}")
