"""The native wire format of flags: what a ruleset's JSON says, field for field (docs/reference/flags.md).

A record's shape is checked when it is decoded. What it refers to (a variant, a segment, an algo) is checked when its
flag is compiled, so that one flag that cannot be used takes no other with it.
"""

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from pennon.context import Environment

BUCKETS: Final = 100_000

FlagId = Annotated[int, Meta(ge=0, lt=1 << 24)]
VariantId = Annotated[int, Meta(ge=0, lt=1 << 8)]
Revision = Annotated[int, Meta(ge=0, lt=1 << 56)]
Epoch = Annotated[int, Meta(ge=0, lt=1 << 24)]
Bucket = Annotated[int, Meta(ge=0, le=BUCKETS)]
Scalar = str | bool | int | float


class FlagType(StrEnum):
    """What values a flag's variants have."""

    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    FLOAT = "float"
    JSON = "json"


class DecideAt(StrEnum):
    """Which side of a topic decides a carried flag that nobody has asked for yet."""

    CONSUME = "consume"
    """Whoever asks first."""
    PUBLISH = "publish"
    """The producer, at the latest when a record is written, so that all who consume it agree."""


class Comparison(StrEnum):
    """How `number` and `semver` compare the attribute (left) with the clause's value (right)."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="


# gc=False throughout: records hold no cycles, and 5,000 flags are some 100,000 of them that the collector need not see.
class Record(msgspec.Struct, frozen=True, gc=False):
    """Base of all records: frozen, compared by value."""


class Clause(Record, frozen=True, tag_field="op"):
    """Base of all clauses. A clause whose attribute is missing or of another type is false, negated or not."""


class EqualsClause(Clause, frozen=True, tag="equals"):
    """The attribute is this value. Integer and float are one type, a boolean is neither."""

    attribute: str
    value: Scalar
    negate: bool = False


class InClause(Clause, frozen=True, tag="in"):
    """The attribute is one of these values."""

    attribute: str
    values: tuple[Scalar, ...]
    negate: bool = False


class PrefixClause(Clause, frozen=True, tag="prefix"):
    """The attribute begins with this text, compared by code point."""

    attribute: str
    value: str
    negate: bool = False


class SuffixClause(Clause, frozen=True, tag="suffix"):
    """The attribute ends with this text."""

    attribute: str
    value: str
    negate: bool = False


class ContainsClause(Clause, frozen=True, tag="contains"):
    """The attribute holds this text somewhere."""

    attribute: str
    value: str
    negate: bool = False


class NumberClause(Clause, frozen=True, tag="number"):
    """The attribute compares so with this number, as numbers and not as doubles."""

    attribute: str
    compare: Comparison
    value: int | float
    negate: bool = False


class SemverClause(Clause, frozen=True, tag="semver"):
    """The attribute compares so with this version (SemVer 2.0.0 §11; build metadata does not count)."""

    attribute: str
    compare: Comparison
    value: str
    negate: bool = False


class PresentClause(Clause, frozen=True, tag="present"):
    """The attribute is there and not null. Negated: it is not; the one clause that a missing attribute satisfies."""

    attribute: str
    negate: bool = False


class SegmentClause(Clause, frozen=True, tag="segment"):
    """The unit is in this segment."""

    segment: str
    negate: bool = False


class UnknownClause(Clause, frozen=True, tag="unknown"):
    """A clause that this version cannot read (`name` is its op): its flag answers PARSE_ERROR, the others do not."""

    name: str


ClauseRecord = (
    EqualsClause
    | InClause
    | PrefixClause
    | SuffixClause
    | ContainsClause
    | NumberClause
    | SemverClause
    | PresentClause
    | SegmentClause
    | UnknownClause
)


class VariantRecord(Record, frozen=True):
    """One value that a flag may have. id: 8 bits, drawn once per flag; it is what carried decisions name."""

    key: str
    id: VariantId
    value: Any


class SplitRecord(Record, frozen=True):
    """Units divided over variants: who falls into a range gets its variant, everyone else gets `rest`.

    algo, salt: how a unit becomes a bucket (`bucketing.Algo`). phase: one run with these weights, salt and algo.
    ranges: (variant key, first bucket, bucket after the last), sorted, without overlap.
    """

    algo: str
    salt: str
    phase: int
    ranges: tuple[tuple[str, Bucket, Bucket], ...]
    rest: str


class ServeRecord(Record, frozen=True, omit_defaults=True):
    """What is served: one variant, by key, or a split; exactly one of them."""

    variant: str | None = None
    split: SplitRecord | None = None


class RuleRecord(Record, frozen=True):
    """If all clauses hold, this is served. The first rule that holds wins; a rule without clauses always does."""

    id: str
    clauses: tuple[ClauseRecord, ...]
    serve: ServeRecord


class PrerequisiteRecord(Record, frozen=True):
    """Another flag that must answer one of these variants (keys), or the flag serves its off variant."""

    flag: str
    variants: tuple[str, ...]


class FlagRecord(Record, frozen=True):
    """One flag in one environment, compiled from its document.

    unit: kind of unit that it buckets by. revision: of the environment, when the flag last changed.
    void_before: carried decisions of a lower revision are void. carry: its decisions travel.
    exposes: it is an experiment's. on: if not, everyone gets the off variant, as when it is killed.
    prerequisites: all must hold. carry_max_age_s: a carried decision that is older is not applied; None: any age.
    at: who decides for those who consume. overridable: a signed override may set its variant.
    """

    key: str
    id: FlagId
    type: FlagType
    variants: tuple[VariantRecord, ...]
    off: str
    fallthrough: ServeRecord
    unit: str = "user"
    revision: Revision = 0
    void_before: Revision = 0
    carry: bool = False
    exposes: bool = False
    on: bool = True
    killed: bool = False
    rules: tuple[RuleRecord, ...] = ()
    prerequisites: tuple[PrerequisiteRecord, ...] = ()
    carry_max_age_s: Annotated[int, Meta(ge=1)] | None = None
    at: DecideAt = DecideAt.CONSUME
    overridable: bool = False


class SegmentRecord(Record, frozen=True):
    """A named set of units: those listed, and those for whom all clauses of any one of its rules hold.

    members: `bucketing.member_hash` of each listed key, sorted. rules hold no segment clause.
    """

    key: str
    unit: str
    salt: str
    members: tuple[str, ...] = ()
    rules: tuple[tuple[ClauseRecord, ...], ...] = ()
    revision: Revision = 0


class SignerUse(StrEnum):
    """What a signer may sign."""

    OVERRIDE = "override"
    KILL = "kill"


class SignerRecord(Record, frozen=True):
    """A public key that replicas believe. id: the token's `kid`. key: Ed25519, 32 bytes as unpadded base64url.

    use: what it signs. until_s: believed before this second since 1970; None: until it is taken away.
    """

    id: str
    key: str
    use: SignerUse
    until_s: int | None = None


class RevocationRecord(Record, frozen=True):
    """An override token that is no longer believed. id: the token's `jti`. until_s: it has expired then anyway."""

    id: str
    until_s: int


class ReconciledRecord(Record, frozen=True):
    """A break-glass kill that the numbering now holds. id: the kill's. until_s: it has expired then anyway."""

    id: str
    until_s: int


class RulesetRecord(Record, frozen=True):
    """All flags of one environment at one revision: a snapshot. The keys of the maps are the records' own."""

    environment: Environment
    epoch: Epoch
    revision: Revision
    audience: str = "server"
    flags: dict[str, FlagRecord] = msgspec.field(default_factory=dict)
    segments: dict[str, SegmentRecord] = msgspec.field(default_factory=dict)
    signers: dict[str, SignerRecord] = msgspec.field(default_factory=dict)
    revocations: dict[str, RevocationRecord] = msgspec.field(default_factory=dict)
    reconciled: dict[str, ReconciledRecord] = msgspec.field(default_factory=dict)
