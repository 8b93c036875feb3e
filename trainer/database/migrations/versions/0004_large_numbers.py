"""Room for more than 2**31 rows in PostgreSQL; SQLite has it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Widen the columns and their sequences."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table, column in (("jobs", "number"), ("events", "id"), ("corrections", "number")):
        op.alter_column(table, column, type_=sa.BigInteger)
        op.execute(f"ALTER SEQUENCE {table}_{column}_seq AS bigint")
