"""What a flag answers: the native ruleset format, bucketing, clauses, splits, and the compiled flag.

Everything here is a function of its arguments: the same ruleset and the same unit give the same answer in an SDK, an
edge, the server and a pipeline. Not here: how a ruleset arrives and is followed (`sync`), what arrived decisions do to
an answer (`carry`), and what authors write (`control`). docs/reference/flags.md is this room for other languages.
"""

from pennon.flags.bucketing import Algo, bucket_of, cbor_text, member_hash
from pennon.flags.changes import Delete, Put
from pennon.flags.clauses import Attributes, Units
from pennon.flags.codec import decode_ruleset, encode_ruleset
from pennon.flags.explanation import ClauseTrace, Explanation, Outcome, PrerequisiteTrace, RuleTrace
from pennon.flags.flag import Flag, Prior
from pennon.flags.records import (
    BUCKETS,
    ClauseRecord,
    Comparison,
    ContainsClause,
    DecideAt,
    EqualsClause,
    FlagRecord,
    FlagType,
    InClause,
    NumberClause,
    PrefixClause,
    PrerequisiteRecord,
    PresentClause,
    ReconciledRecord,
    RevocationRecord,
    RuleRecord,
    RulesetRecord,
    Scalar,
    SegmentClause,
    SegmentRecord,
    SemverClause,
    ServeRecord,
    SignerRecord,
    SignerUse,
    SplitRecord,
    SuffixClause,
    UnknownClause,
    VariantRecord,
)
from pennon.flags.ruleset import Ruleset
from pennon.flags.semver import version_key_of
from pennon.flags.split import ranges_of
from pennon.flags.units import unit_key_of

__all__ = [
    "BUCKETS",
    "Algo",
    "Attributes",
    "ClauseRecord",
    "ClauseTrace",
    "Comparison",
    "ContainsClause",
    "DecideAt",
    "Delete",
    "EqualsClause",
    "Explanation",
    "Flag",
    "FlagRecord",
    "FlagType",
    "InClause",
    "NumberClause",
    "Outcome",
    "PrefixClause",
    "PrerequisiteRecord",
    "PrerequisiteTrace",
    "PresentClause",
    "Prior",
    "Put",
    "ReconciledRecord",
    "RevocationRecord",
    "RuleRecord",
    "RuleTrace",
    "Ruleset",
    "RulesetRecord",
    "Scalar",
    "SegmentClause",
    "SegmentRecord",
    "SemverClause",
    "ServeRecord",
    "SignerRecord",
    "SignerUse",
    "SplitRecord",
    "SuffixClause",
    "Units",
    "UnknownClause",
    "VariantRecord",
    "bucket_of",
    "cbor_text",
    "decode_ruleset",
    "encode_ruleset",
    "member_hash",
    "ranges_of",
    "unit_key_of",
    "version_key_of",
]
