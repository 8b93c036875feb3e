"""Whether a job was asked to end its training and publish what it has learned."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column; no job has been asked before."""
    op.add_column(
        "jobs",
        sa.Column("finish_requested", sa.Boolean, nullable=False, server_default=sa.false()),
    )
