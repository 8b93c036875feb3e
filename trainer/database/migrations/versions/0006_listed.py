"""What lists show of a request, beside it: a request may have a megabyte."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

LISTED = {
    "sqlite": "json_remove(request, '$.relabel')",
    "postgresql": "CAST(CAST(request AS jsonb) - 'relabel' AS json)",
}


def upgrade() -> None:
    """Add the column, and fill it for the jobs that are there."""
    op.add_column("jobs", sa.Column("listed", sa.JSON))
    op.execute(f"UPDATE jobs SET listed = {LISTED[op.get_bind().dialect.name]}")  # noqa: S608 - no input
