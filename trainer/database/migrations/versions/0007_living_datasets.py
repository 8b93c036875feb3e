"""Living datasets: their images and labels; and jobs that learn from them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the table and the columns; the datasets and jobs that are there stay what they are."""
    op.add_column("jobs", sa.Column("kind", sa.String(16), nullable=False, server_default="train"))
    op.add_column("datasets", sa.Column("name", sa.String(64)))
    op.add_column("datasets", sa.Column("version", sa.Integer))
    op.add_column("datasets", sa.Column("learned", sa.Integer))
    op.add_column("datasets", sa.Column("estimate", sa.JSON))
    _images()


def _images() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "dataset_images",
        sa.Column("number", number, primary_key=True),
        sa.Column("id", sa.String(40), nullable=False, unique=True),
        sa.Column("dataset_id", sa.String(40), sa.ForeignKey("datasets.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("ending", sa.String(8), nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False, server_default="unlabelled"),
        sa.Column("text", sa.Text),
        sa.Column("proposal", sa.Text),
        sa.Column("confidence", sa.Double, nullable=False, server_default="0"),
        sa.Column("score", sa.Double, nullable=False, server_default="1"),
        sa.Column("proposed_by", sa.String(128)),
        sa.Column("by", sa.String(64)),
        sa.Column("at", sa.Double),
        sa.Column("version", sa.Integer, nullable=False, server_default="0"),
        sa.Column("random", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.UniqueConstraint("dataset_id", "sha256"),
    )
    for order, columns in (
        ("state", ["state"]),
        ("name", ["name", "number"]),
        ("confidence", ["confidence", "sha256"]),
        ("score", ["score", "sha256"]),
    ):
        op.create_index(f"images_by_{order}", "dataset_images", ["dataset_id", *columns])
