"""The tables, as the newest migration leaves them. Documents and records are JSON text: this room never looks inside.

Times are nanoseconds since 1970. A change of these tables needs a migration (migrations/versions/); a test holds the
two together.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_KEY = String(64)
_HASH = String(64)

PROJECTS = Table(
    "projects",
    METADATA,
    Column("key", _KEY, primary_key=True),
    Column("created_ns", BigInteger, nullable=False),
)

# head_hash: of the last row of the environment's change log, so that the next one needs no search.
ENVIRONMENTS = Table(
    "environments",
    METADATA,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("project", _KEY, ForeignKey("projects.key"), nullable=False),
    Column("key", _KEY, nullable=False),
    Column("salt", _KEY, nullable=False),
    Column("position", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("head_hash", _HASH, nullable=False),
    UniqueConstraint("project", "key"),
)

FLAGS = Table(
    "flags",
    METADATA,
    Column("project", _KEY, ForeignKey("projects.key"), primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("id", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("document", Text, nullable=False),
    Column("used_variant_ids", Text, nullable=False),
    UniqueConstraint("project", "id"),
)

# record: NULL while the flag is archived.
SETTINGS = Table(
    "settings",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("project", _KEY, nullable=False),
    Column("flag", _KEY, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("runs", Text, nullable=False),
    Column("record", Text, nullable=True),
    ForeignKeyConstraint(["project", "flag"], ["flags.project", "flags.key"]),
)

# Who asks for whom, of published flags only: what is found by the flag that is asked for. The rest is in the documents.
PREREQUISITES = Table(
    "prerequisites",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("flag", _KEY, primary_key=True),
    Column("asked", _KEY, primary_key=True),
)

SEGMENTS = Table(
    "segments",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("key", _KEY, primary_key=True),
    Column("unit", _KEY, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("record", Text, nullable=False),
)

# Append-only; body is what is hashed, byte for byte.
CHANGES = Table(
    "changes",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("revision", BigInteger, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("key", _KEY, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
    Index("ix_changes_history", "environment_id", "kind", "key", "revision"),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", _KEY, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("project", _KEY, ForeignKey("projects.key"), nullable=True),
    Column("environment_id", BigInteger, ForeignKey("environments.id"), nullable=True),
    Column("secret_hash", _HASH, nullable=False),
    Column("created_ns", BigInteger, nullable=False),
    Column("revoked_ns", BigInteger, nullable=True),
    UniqueConstraint("secret_hash"),
)

EXPOSURES = Table(
    "exposures",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("flag", _KEY, nullable=False),
    Column("variant", _KEY, nullable=False),
    Column("unit_kind", _KEY, nullable=False),
    Column("phase", Integer, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

EXPOSURE_COUNTS = Table(
    "exposure_counts",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("flag", _KEY, primary_key=True),
    Column("phase", Integer, primary_key=True, autoincrement=False),
    Column("variant", _KEY, primary_key=True),
    Column("total", BigInteger, nullable=False),
)

SIGNERS = Table(
    "signers",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("created_s", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    Column("record", Text, nullable=False),
)

# number: counts what the environment has registered, for the order of lists.
OVERRIDES = Table(
    "overrides",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("document", Text, nullable=False),
    UniqueConstraint("environment_id", "number"),
)

# What is published of revoked overrides, until the tokens have expired.
REVOCATIONS = Table(
    "revocations",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("record", Text, nullable=False),
)

# Break-glass kills that the numbering holds, until the tokens have expired.
RECONCILED = Table(
    "reconciled",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("record", Text, nullable=False),
)

# Reports that have been added, so that one sent again is known.
REPORTS = Table(
    "reports",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", _KEY, primary_key=True),
    Column("at_ns", BigInteger, nullable=False),
    Index("ix_reports_at_ns", "at_ns"),
)

OVERRIDE_USES = Table(
    "override_uses",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("id", String(200), primary_key=True),
    Column("flag", _KEY, primary_key=True),
    Column("variant", _KEY, primary_key=True),
    Column("service", String(100), primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("first_ms", BigInteger, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
)

# hour: of the report's arrival, counted since 1970.
DIVERGENCE = Table(
    "divergence",
    METADATA,
    Column("environment_id", BigInteger, ForeignKey("environments.id"), primary_key=True),
    Column("hour", Integer, primary_key=True, autoincrement=False),
    Column("service", String(100), primary_key=True),
    Column("flag", _KEY, primary_key=True),
    Column("cause", String(32), primary_key=True),
    Column("total", BigInteger, nullable=False),
)
