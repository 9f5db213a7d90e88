"""Break-glass kills that the numbering holds. There were none before."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "reconciled",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_reconciled_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "id", name="pk_reconciled"),
    )
