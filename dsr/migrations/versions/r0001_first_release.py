"""The tables of release 0.1.0, as it made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=False)


def upgrade() -> None:
    op.create_table(
        "case",
        *(_text(name) for name in ("case_no", "right", "state", "received_at", "law_version", "twin", "facts")),
        sa.Column("epoch", sa.Integer(), nullable=False),
        _text("holder"),
        sa.Column("lease_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("case_no"),
    )
    op.create_index("ix_case_state", "case", ["state"])
    op.create_index("ix_case_twin", "case", ["twin"])
    op.create_table(
        "event",
        sa.Column("seq", sa.Integer(), nullable=False),
        *(_text(name) for name in ("case_no", "step_key", "phase", "at", "actor_id", "public")),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("case_no", "step_key", "phase"),
    )
    op.create_index("ix_event_case_no", "event", ["case_no"])
    op.create_table(
        "work",
        *(_text(name) for name in ("case_no", "what", "who", "due", "reminded")),
        sa.PrimaryKeyConstraint("case_no", "what"),
    )
    op.create_index("ix_work_due", "work", ["due"])
    op.create_table(
        "officer",
        *(_text(name) for name in ("name", "role", "secret_hash")),
        sa.PrimaryKeyConstraint("name"),
    )
