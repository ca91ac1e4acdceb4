"""The log's tree kept in one row, filled from the leaves: a head without reading the whole log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from dsr.log import Tree  # RFC 6962 for ever: the one thing of the program's that cannot go on

revision = "0002"
down_revision = "0001"

EVENT = sa.table("event", sa.column("seq", sa.Integer()), sa.column("leaf", sa.LargeBinary()))


def upgrade() -> None:
    kept = op.create_table(
        "tree",
        sa.Column("log", sa.String(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log"),
    )
    tree, last = Tree(), 0
    leaves = sa.select(EVENT.c.seq, EVENT.c.leaf).order_by(EVENT.c.seq)
    with op.get_bind().execute(leaves, execution_options={"yield_per": 10_000}) as rows:
        for last, leaf in rows:  # noqa: B007 - the last one counts
            tree.append(bytes(leaf))
    op.bulk_insert(kept, [{"log": "trail", "last": last, "size": tree.size, "peaks": tree.peaks}])
