"""The jobs as LaunchDarkly's flag data: rules of clauses, rollouts in 100,000ths, segments with `included` keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.formats.common import Document, shares_of, unknown, values_of

from pennon.flags import (
    BUCKETS,
    ClauseRecord,
    EqualsClause,
    FlagRecord,
    InClause,
    NumberClause,
    SegmentClause,
    SemverClause,
    ServeRecord,
    SuffixClause,
)


def document(flags: Sequence[FlagRecord], members: Mapping[str, Sequence[str]]) -> Document:
    """The content of a flag file."""
    segments = {
        key: {"key": key, "version": 1, "salt": key, "included": list(keys), "excluded": [], "rules": []}
        for key, keys in members.items()
    }
    return {"flags": {flag.key: _flag(flag) for flag in flags}, "segments": segments}


def _flag(flag: FlagRecord) -> Document:
    index = {key: at for at, key in enumerate(values_of(flag))}
    return {
        "key": flag.key,
        "version": 1,
        "on": flag.on,
        "salt": flag.key,
        "variations": list(values_of(flag).values()),
        "offVariation": index[flag.off],
        "fallthrough": _serve(flag.fallthrough, index),
        "rules": [
            {"id": rule.id, "clauses": [_clause(clause) for clause in rule.clauses], **_serve(rule.serve, index)}
            for rule in flag.rules
        ],
        "prerequisites": [],
        "targets": [],
        "trackEvents": False,
    }


def _serve(serve: ServeRecord, index: Mapping[str, int]) -> Document:
    if serve.split is None:
        return {"variation": index[serve.variant or ""]}
    shares = shares_of(serve.split).items()
    return {
        "rollout": {
            "contextKind": "user",
            "variations": [{"variation": index[key], "weight": round(share * BUCKETS)} for key, share in shares],
        }
    }


def _clause(clause: ClauseRecord) -> Document:
    match clause:
        case EqualsClause():
            return _written(clause.attribute, "in", [clause.value])
        case InClause():
            return _written(clause.attribute, "in", list(clause.values))
        case NumberClause(compare=">="):
            return _written(clause.attribute, "greaterThanOrEqual", [clause.value])
        case SemverClause(compare=">="):
            # There is no "at least": it is "not less than".
            return _written(clause.attribute, "semVerLessThan", [clause.value], negate=True)
        case SuffixClause():
            return _written(clause.attribute, "endsWith", [clause.value])
        case SegmentClause():
            return _written("", "segmentMatch", [clause.segment])
    return unknown(clause)


def _written(attribute: str, op: str, values: Sequence[Any], *, negate: bool = False) -> Document:
    return {"contextKind": "user", "attribute": attribute, "op": op, "values": values, "negate": negate}
