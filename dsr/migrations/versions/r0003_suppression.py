"""What must not come back, keyed; and which systems were stopped in an emergency."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def upgrade() -> None:
    names = ("token", "dataset", "kind", "reason", "since", "starts", "ends", "case_no", "lifted")
    op.create_table(
        "suppression",
        *(_text(name) for name in names),
        sa.PrimaryKeyConstraint("token", "dataset", "starts", "case_no"),
    )
    op.create_table("stop", _text("system"), _text("since"), _text("officer"), sa.PrimaryKeyConstraint("system"))
