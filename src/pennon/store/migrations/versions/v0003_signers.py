"""Signers, the overrides they signed and the revoked ones; what SDKs report beside exposures."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_KEY = sa.String(64)
_SERVICE = sa.String(100)


def upgrade() -> None:
    """Make the tables."""
    _signers()
    _reports()


def _signers() -> None:
    _of_environments(
        "signers",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("created_s", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        key=("id",),
    )
    _of_environments(
        "overrides",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.UniqueConstraint("environment_id", "number", name="uq_overrides_environment_id"),
        key=("id",),
    )
    _of_environments(
        "revocations",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        key=("id",),
    )


def _reports() -> None:
    _of_environments(
        "reports",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("at_ns", sa.BigInteger(), nullable=False),
        key=("id",),
    )
    op.create_index("ix_reports_at_ns", "reports", ["at_ns"])
    _of_environments(
        "override_uses",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("variant", _KEY, nullable=False),
        sa.Column("service", _SERVICE, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        key=("id", "flag", "variant", "service"),
    )
    _of_environments(
        "divergence",
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("service", _SERVICE, nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        key=("hour", "service", "flag", "cause"),
    )


def _of_environments(name: str, *parts: sa.schema.SchemaItem, key: tuple[str, ...]) -> None:
    """A table whose rows belong to an environment. key: the rest of its primary key."""
    op.create_table(
        name,
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        *parts,
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name=f"fk_{name}_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", *key, name=f"pk_{name}"),
    )
