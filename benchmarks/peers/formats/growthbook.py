"""The jobs as GrowthBook's SDK payload: features of rules with conditions, a saved group for the segment.

A boolean split is a forced value with coverage, as in its rollouts; one over several values is an experiment.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.formats.common import Document, on_share, shares_of, unknown, values_of

from pennon.flags import (
    ClauseRecord,
    EqualsClause,
    FlagRecord,
    FlagType,
    InClause,
    NumberClause,
    SegmentClause,
    SemverClause,
    ServeRecord,
    SuffixClause,
)


def document(flags: Sequence[FlagRecord], members: Mapping[str, Sequence[str]]) -> Document:
    """A payload."""
    groups = {key: list(keys) for key, keys in members.items()}
    return {"features": {flag.key: _feature(flag) for flag in flags}, "savedGroups": groups}


def _feature(flag: FlagRecord) -> Document:
    rules = [
        {"condition": _condition(rule.clauses), **_serve(flag, rule.serve)}
        for rule in flag.rules
    ]  # fmt: skip
    if flag.fallthrough.split is not None:
        rules.append(_serve(flag, flag.fallthrough))
    return {"defaultValue": values_of(flag)[flag.fallthrough.variant or flag.off], "rules": rules}


def _condition(clauses: Sequence[ClauseRecord]) -> Document:
    condition: Document = {}
    for clause in clauses:
        attribute, operators = _clause(clause)
        if attribute in condition:
            raise ValueError(f"attribute {attribute!r}: two clauses of one rule, one fits")
        condition[attribute] = operators
    return condition


def _serve(flag: FlagRecord, serve: ServeRecord) -> Document:
    values = values_of(flag)
    if serve.split is None:
        return {"force": values[serve.variant or ""]}
    if flag.type is FlagType.BOOLEAN:
        return {"force": True, "coverage": on_share(serve.split), "hashAttribute": "id"}
    shares = shares_of(serve.split)
    return {
        "key": flag.key,
        "variations": [values[key] for key in shares],
        "weights": list(shares.values()),
        "hashAttribute": "id",
        "hashVersion": 2,
    }


def _clause(clause: ClauseRecord) -> tuple[str, Any]:
    match clause:
        case EqualsClause():
            return clause.attribute, clause.value
        case InClause():
            return clause.attribute, {"$in": list(clause.values)}
        case NumberClause(compare=">="):
            return clause.attribute, {"$gte": clause.value}
        case SemverClause(compare=">="):
            return clause.attribute, {"$vgte": clause.value}
        case SuffixClause():
            return clause.attribute, {"$regex": f"{re.escape(clause.value)}$"}
        case SegmentClause():
            return "id", {"$inGroup": clause.segment}
    return unknown(clause)
