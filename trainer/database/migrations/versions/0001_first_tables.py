"""The tables as they were before migrations; creates only those that are missing."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create what is missing."""
    _jobs_and_events()
    _datasets_and_corrections()
    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("seen_at", sa.Double, nullable=False),
        if_not_exists=True,
    )


def _jobs_and_events() -> None:
    op.create_table(
        "jobs",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("idempotency_key", sa.String(255), unique=True),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("stage", sa.String(16)),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("started_at", sa.Double),
        sa.Column("finished_at", sa.Double),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("losses", sa.Integer, nullable=False),
        sa.Column("lease_until", sa.Double),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("publishing", sa.Boolean, nullable=False),
        sa.Column("progress", sa.JSON),
        sa.Column("dataset", sa.JSON),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
        if_not_exists=True,
    )
    op.create_index("jobs_by_status", "jobs", ["status", "number"], if_not_exists=True)
    op.create_table(
        "events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job_id", sa.String(40), sa.ForeignKey("jobs.id"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        if_not_exists=True,
    )
    op.create_index("events_of_job", "events", ["job_id", "id"], if_not_exists=True)


def _datasets_and_corrections() -> None:
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        if_not_exists=True,
    )
    op.create_table(
        "corrections",
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("id", sa.String(50), nullable=False, unique=True),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("ending", sa.String(8), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("read", sa.Text),
        sa.Column("confidence", sa.Double),
        sa.Column("version", sa.Integer),
        sa.Column("source", sa.String(64)),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.UniqueConstraint("model", "sha256"),
        if_not_exists=True,
    )
    op.create_index("corrections_of_model", "corrections", ["model", "number"], if_not_exists=True)
