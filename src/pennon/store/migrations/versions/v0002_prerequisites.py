"""Who asks for whom as a prerequisite. Flags of before have none."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEY = sa.String(64)


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "prerequisites",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("asked", _KEY, nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_prerequisites_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "flag", "asked", name="pk_prerequisites"),
    )
