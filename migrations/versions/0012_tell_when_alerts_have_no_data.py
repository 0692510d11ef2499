"""Record when alerts have no data and why they resolved, rules' last values, and running sums to be renewed"""

import struct
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

FORMER = struct.Struct("<qBbqq")  # services.market.alerting.states.STATE as it was: id, state, side, since, fired_at
PRESENT = struct.Struct("<qBbqqq")  # with known_at
FIRING, NO_DATA = 2, 4


def upgrade() -> None:
    op.create_table(
        "look",
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("quantity", name=op.f("pk_look")),
    )
    op.create_table(
        "mark_renewal",
        sa.Column("quantity", sa.String(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("quantity", name=op.f("pk_mark_renewal")),
    )
    op.add_column("alert", sa.Column("no_data_since", sa.BigInteger(), nullable=True))
    op.add_column("alert", sa.Column("reason", sa.String(), nullable=True))
    last = op.get_bind().execute(sa.text("SELECT minute FROM snapshot")).scalar() or 0
    _change_states(lambda data: b"".join(PRESENT.pack(*row, last) for row in FORMER.iter_unpack(data)))


def downgrade() -> None:
    _change_states(lambda data: b"".join(FORMER.pack(*_former(*row)) for row in PRESENT.iter_unpack(data)))
    op.drop_column("alert", "reason")
    op.drop_column("alert", "no_data_since")
    op.drop_table("mark_renewal")
    op.drop_table("look")


def _former(number: int, state: int, side: int, since: int, fired_at: int, _known_at: int) -> tuple[int, ...]:
    """The former fields. An alert without data is firing in them."""
    return number, FIRING if state == NO_DATA else state, side, since, fired_at


def _change_states(change: Callable[[bytes], bytes]) -> None:
    connection = op.get_bind()
    table = sa.table("rule_state", sa.column("rule_id", sa.Integer), sa.column("data", sa.LargeBinary))
    for row in connection.execute(sa.select(table)).all():
        values = {"data": change(row.data)}
        connection.execute(sa.update(table).where(table.c.rule_id == row.rule_id).values(**values))
