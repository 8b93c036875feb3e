"""The problem that prevents a worker from starting jobs."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column."""
    op.add_column("workers", sa.Column("problem", sa.Text))
