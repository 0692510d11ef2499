"""Give the database an identity, which cached values of it carry"""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("installation", sa.Column("identity", sa.String(), nullable=False, server_default=""))
    op.execute(sa.text("UPDATE installation SET identity = :identity").bindparams(identity=uuid4().hex))


def downgrade() -> None:
    op.drop_column("installation", "identity")
