"""The documents that authors write, as JSON: a flag, its settings in one environment, a segment.

The models say which members a document has and what each may be by itself; what members mean to each other (is the
variant known, is the salt its own) is in `rules.py`. Members not named here are refused; nothing is coerced. A *draft*
is what an author may send, a *document* what is stored and read: the draft with the members that are the server's.
The reference for authors is docs/reference/documents.md.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from pennon.control.values import (
    CLAUSES_LIMIT_COUNT,
    IN_LIMIT_COUNT,
    MEMBERS_LIMIT_COUNT,
    PREREQUISITES_LIMIT_COUNT,
    RULES_LIMIT_COUNT,
    TAGS_LIMIT_COUNT,
    VARIANTS_LIMIT_COUNT,
    Attribute,
    CarryAge,
    Description,
    Flagword,
    Key,
    Must,
    Natural,
    Number,
    Piece,
    Salt,
    Scalar,
    Semver,
    Share,
    UnitKey,
    Value,
)

DEFAULT_ALGO: Final = "m3-cbor"

# Members that the server sets. An author may send them back as they are, so that what was read can be edited and sent.
FLAG_SERVER_MEMBERS: Final = ("id", "version")
SETTINGS_SERVER_MEMBERS: Final = ("killed", "void_before", "revision")
SEGMENT_SERVER_MEMBERS: Final = ("revision",)

_TypeWord = Annotated[
    Literal["boolean", "string", "integer", "float", "json"],
    Must("'boolean', 'string', 'integer', 'float' or 'json'"),
]
_Comparison = Annotated[Literal["=", "<", "<=", ">", ">="], Must("'=', '<', '<=', '>' or '>='")]
_DecideAt = Annotated[Literal["consume", "publish"], Must("'consume' or 'publish'")]
_Algo = Annotated[Literal["m3-cbor", "m3-utf8"], Must("'m3-cbor' or 'm3-utf8'")]


class Document(BaseModel):
    """Base of all: frozen, and strict about members."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Variant(Document):
    """One of the answers of a flag. id: 8 bits, the server's."""

    key: Key
    value: Value
    id: Natural | None = None


class FlagDraft(Document):
    """A flag as an author may write it; it is the same in every environment of its project.

    carry: None means: if a rule or the fallthrough serves a split. carry_max_age_s: a carried decision that is older is
    not applied; None: any age. at: which side of a topic decides. overridable: a signed override may set its variant.
    exposes: it is an experiment's flag.
    """

    key: Key
    type: _TypeWord
    unit: Key = "user"
    description: Description = ""
    tags: Annotated[list[Key], Field(max_length=TAGS_LIMIT_COUNT)] = []
    variants: Annotated[list[Variant], Field(min_length=1, max_length=VARIANTS_LIMIT_COUNT)]
    carry: Annotated[bool | None, Field(strict=True), Must("true, false or null")] = None
    carry_max_age_s: CarryAge = None
    at: _DecideAt = "consume"
    overridable: Flagword = False
    exposes: Flagword = False
    archived: Flagword = False


class FlagDocument(FlagDraft):
    """A flag as it is stored. id: 24 bits, never used again in the project. version: grows with each edit; the ETag."""

    id: Natural
    version: Natural


class _Clause(Document):
    """What most clauses have. A missing or wrong-typed attribute makes a clause false, `negate` or not."""

    attribute: Attribute
    negate: Flagword = False


class EqualsClause(_Clause):
    """The attribute equals a text, number or boolean."""

    op: Literal["equals"]
    value: Scalar


class InClause(_Clause):
    """The attribute equals one of these."""

    op: Literal["in"]
    values: Annotated[list[Scalar], Field(min_length=1, max_length=IN_LIMIT_COUNT)]


class TextClause(_Clause):
    """The attribute, a text, begins or ends with a text, or contains it."""

    op: Literal["prefix", "suffix", "contains"]
    value: Piece


class NumberClause(_Clause):
    """The attribute, a number, stands so to this one."""

    op: Literal["number"]
    compare: _Comparison
    value: Number


class SemverClause(_Clause):
    """The attribute, a semantic version, stands so to this one by precedence (semver.org §11)."""

    op: Literal["semver"]
    compare: _Comparison
    value: Semver


class PresentClause(_Clause):
    """The attribute is there and not null; negated: it is not."""

    op: Literal["present"]


class SegmentClause(Document):
    """The unit is in a segment of this environment."""

    op: Literal["segment"]
    segment: Key
    negate: Flagword = False


AttributeClause = Annotated[
    EqualsClause | InClause | TextClause | NumberClause | SemverClause | PresentClause, Field(discriminator="op")
]
Clause = Annotated[
    EqualsClause | InClause | TextClause | NumberClause | SemverClause | PresentClause | SegmentClause,
    Field(discriminator="op"),
]


class Weight(Document):
    """A variant's share of a split, in hundred-thousandths."""

    variant: Key
    weight: Share


class Split(Document):
    """Units divided over variants.

    coverage: the share of every variant's slot that is in. rest: what units outside get; None is the off variant.
    salt: drawn if None. phase: the server's; grows when weights, salt or algo change.
    """

    weights: Annotated[list[Weight], Field(min_length=1, max_length=VARIANTS_LIMIT_COUNT)]
    coverage: Share
    rest: Key | None = None
    algo: _Algo = DEFAULT_ALGO
    salt: Salt | None = None
    phase: Natural | None = None


class Serve(Document):
    """A variant or a split, exactly one of them; the other is left out or null."""

    variant: Key | None = None
    split: Split | None = None

    @model_serializer(mode="wrap")
    def _without_the_other(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


class Rule(Document):
    """What is served where every clause holds."""

    id: Key
    clauses: Annotated[list[Clause], Field(min_length=1, max_length=CLAUSES_LIMIT_COUNT)]
    serve: Serve


class Prerequisite(Document):
    """Another flag of the project that must answer one of these variants; else the off variant is served."""

    flag: Key
    variants: Annotated[list[Key], Field(min_length=1, max_length=VARIANTS_LIMIT_COUNT)]


class SettingsDraft(Document):
    """What one environment serves of a flag, if every prerequisite holds.

    The first rule that matches decides, else the fallthrough.
    """

    on: Flagword
    off: Key
    prerequisites: Annotated[list[Prerequisite], Field(max_length=PREREQUISITES_LIMIT_COUNT)] = []
    rules: Annotated[list[Rule], Field(max_length=RULES_LIMIT_COUNT)] = []
    fallthrough: Serve


class SettingsDocument(SettingsDraft):
    """Settings as they are stored. void_before: the void floor. revision: of the last publication; the ETag."""

    killed: bool
    void_before: Natural
    revision: Natural


class SegmentRule(Document):
    """Clauses which all must hold; no segment of segments."""

    clauses: Annotated[list[AttributeClause], Field(min_length=1, max_length=CLAUSES_LIMIT_COUNT)]


class SegmentDraft(Document):
    """A named set of units: those listed, and those for which any rule holds. salt: drawn if None."""

    key: Key
    unit: Key = "user"
    description: Description = ""
    salt: Salt | None = None
    members: Annotated[list[UnitKey], Field(max_length=MEMBERS_LIMIT_COUNT)] = []
    rules: Annotated[list[SegmentRule], Field(max_length=RULES_LIMIT_COUNT)] = []


class SegmentDocument(SegmentDraft):
    """A segment as it is stored. revision: of the last publication; the ETag."""

    revision: Natural


def members_of(model: BaseModel) -> dict[str, Any]:
    """Its members, as they are: what another model of the same parts takes."""
    return {name: getattr(model, name) for name in type(model).model_fields}
