"""The first tables: projects, flags and their settings, segments, the change log, tokens, exposures."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_KEY = sa.String(64)
_HASH = sa.String(64)


def upgrade() -> None:
    """Make them."""
    _projects()
    _flags()
    _changes()
    _tokens()
    _exposures()


def _projects() -> None:
    op.create_table(
        "projects",
        sa.Column("key", _KEY, nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_projects"),
    )
    op.create_table(
        "environments",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("project", _KEY, nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("salt", _KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("head_hash", _HASH, nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.key"], name="fk_environments_project"),
        sa.PrimaryKeyConstraint("id", name="pk_environments"),
        sa.UniqueConstraint("project", "key", name="uq_environments_project"),
    )


def _flags() -> None:
    op.create_table(
        "flags",
        sa.Column("project", _KEY, nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("archived", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("used_variant_ids", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["project"], ["projects.key"], name="fk_flags_project"),
        sa.PrimaryKeyConstraint("project", "key", name="pk_flags"),
        sa.UniqueConstraint("project", "id", name="uq_flags_project"),
    )
    op.create_table(
        "settings",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("project", _KEY, nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("runs", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_settings_environment_id"),
        sa.ForeignKeyConstraint(["project", "flag"], ["flags.project", "flags.key"], name="fk_settings_project"),
        sa.PrimaryKeyConstraint("environment_id", "flag", name="pk_settings"),
    )
    op.create_table(
        "segments",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("unit", _KEY, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_segments_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "key", name="pk_segments"),
    )


def _changes() -> None:
    op.create_table(
        "changes",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("key", _KEY, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous_hash", _HASH, nullable=False),
        sa.Column("hash", _HASH, nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_changes_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "revision", name="pk_changes"),
    )
    op.create_index("ix_changes_history", "changes", ["environment_id", "kind", "key", "revision"])


def _tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", _KEY, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("project", _KEY, nullable=True),
        sa.Column("environment_id", sa.BigInteger(), nullable=True),
        sa.Column("secret_hash", _HASH, nullable=False),
        sa.Column("created_ns", sa.BigInteger(), nullable=False),
        sa.Column("revoked_ns", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["project"], ["projects.key"], name="fk_tokens_project"),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_tokens_environment_id"),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("secret_hash", name="uq_tokens_secret_hash"),
    )


def _exposures() -> None:
    op.create_table(
        "exposures",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("variant", _KEY, nullable=False),
        sa.Column("unit_kind", _KEY, nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_exposures_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "id", name="pk_exposures"),
    )
    op.create_table(
        "exposure_counts",
        sa.Column("environment_id", sa.BigInteger(), nullable=False),
        sa.Column("flag", _KEY, nullable=False),
        sa.Column("phase", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("variant", _KEY, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["environment_id"], ["environments.id"], name="fk_exposure_counts_environment_id"),
        sa.PrimaryKeyConstraint("environment_id", "flag", "phase", "variant", name="pk_exposure_counts"),
    )
