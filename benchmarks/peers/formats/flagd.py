"""The jobs as flagd's flag definitions: one JsonLogic expression for each flag.

It has no segments, so the keys stand in the flag. A list is one text with bars, in which `in` looks for the value
between bars: of an array every item is evaluated again at each call, which takes job D more than twenty times as long.
"""

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
    RuleRecord,
    SegmentClause,
    SemverClause,
    ServeRecord,
    SuffixClause,
)

Members = Mapping[str, Sequence[str]]


def document(flags: Sequence[FlagRecord], members: Members) -> Document:
    """A flag set."""
    return {"flags": {flag.key: _flag(flag, members) for flag in flags}}


def _flag(flag: FlagRecord, members: Members) -> Document:
    is_static = not flag.rules and flag.fallthrough.split is None
    return {
        "state": "ENABLED" if flag.on else "DISABLED",
        "variants": values_of(flag),
        "defaultVariant": flag.fallthrough.variant or flag.off,
        "targeting": {} if is_static else _targeting(flag, members),
    }


def _targeting(flag: FlagRecord, members: Members) -> Any:
    otherwise = _serve(flag.fallthrough)
    if not flag.rules:
        return otherwise
    arms = [part for rule in flag.rules for part in (_condition(rule, members), _serve(rule.serve))]
    return {"if": [*arms, otherwise]}


def _condition(rule: RuleRecord, members: Members) -> Document:
    clauses = [_clause(clause, members) for clause in rule.clauses]
    return clauses[0] if len(clauses) == 1 else {"and": clauses}


def _serve(serve: ServeRecord) -> Any:
    if serve.split is None:
        return serve.variant
    return {"fractional": [[key, round(share * BUCKETS)] for key, share in shares_of(serve.split).items()]}


def _clause(clause: ClauseRecord, members: Members) -> Document:
    match clause:
        case EqualsClause():
            return {"==": [{"var": clause.attribute}, clause.value]}
        case InClause():
            return _is_one_of(clause.attribute, [str(value) for value in clause.values])
        case NumberClause(compare=">="):
            return {">=": [{"var": clause.attribute}, clause.value]}
        case SemverClause(compare=">="):
            return {"sem_ver": [{"var": clause.attribute}, ">=", clause.value]}
        case SuffixClause():
            return {"ends_with": [{"var": clause.attribute}, clause.value]}
        case SegmentClause():
            return _is_one_of("targetingKey", members[clause.segment])
    return unknown(clause)


def _is_one_of(attribute: str, values: Sequence[str]) -> Document:
    return {"in": [{"cat": ["|", {"var": attribute}, "|"]}, f"|{'|'.join(values)}|"]}
