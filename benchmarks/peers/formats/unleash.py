"""The jobs as Unleash's client features (version 2): one strategy for each rule, constraints, a segment.

A flag of several values is a toggle whose strategies carry variants, the last strategy being its fallthrough.
"""

from collections.abc import Mapping, Sequence

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
    """What the server answers to a client that asks for its features."""
    ids = {key: number for number, key in enumerate(members, 1)}
    segments = [
        {"id": ids[key], "name": key, "constraints": [_constraint("userId", "IN", keys)]}
        for key, keys in members.items()
    ]
    return {"version": 2, "features": [_feature(flag, ids) for flag in flags], "segments": segments}


def _feature(flag: FlagRecord, ids: Mapping[str, int]) -> Document:
    strategies = [_strategy(flag, rule.clauses, rule.serve, ids) for rule in flag.rules]
    if flag.type is not FlagType.BOOLEAN or flag.fallthrough.variant != "off":
        strategies.append(_strategy(flag, (), flag.fallthrough, ids))
    return {"name": flag.key, "type": "release", "enabled": flag.on, "strategies": strategies, "variants": []}


def _strategy(
    flag: FlagRecord, clauses: Sequence[ClauseRecord], serve: ServeRecord, ids: Mapping[str, int]
) -> Document:
    is_boolean = flag.type is FlagType.BOOLEAN
    limits: Document = {
        "constraints": [_clause(clause) for clause in clauses if not isinstance(clause, SegmentClause)],
        "segments": [ids[clause.segment] for clause in clauses if isinstance(clause, SegmentClause)],
    }
    if is_boolean and serve.split is None:
        return {"name": "default", "parameters": {}, **limits}
    share = on_share(serve.split) if is_boolean and serve.split is not None else 1.0
    parameters = {"rollout": f"{share * 100:g}", "stickiness": "userId", "groupId": flag.key}
    variants = [] if is_boolean else _variants(flag, serve)
    return {"name": "flexibleRollout", "parameters": parameters, **limits, "variants": variants}


def _variants(flag: FlagRecord, serve: ServeRecord) -> list[Document]:
    shares = {serve.variant or "": 1.0} if serve.split is None else shares_of(serve.split)
    return [
        {
            "name": key,
            "weight": round(share * 1_000),
            "payload": {"type": "string", "value": values_of(flag)[key]},
            "stickiness": "userId",
        }
        for key, share in shares.items()
    ]


def _clause(clause: ClauseRecord) -> Document:
    match clause:
        case EqualsClause():
            return _constraint(clause.attribute, "IN", [str(clause.value)])
        case InClause():
            return _constraint(clause.attribute, "IN", [str(value) for value in clause.values])
        case NumberClause(compare=">="):
            return _constraint(clause.attribute, "NUM_GTE", value=str(clause.value))
        case SemverClause(compare=">="):
            # There is no "at least": it is "not less than".
            return _constraint(clause.attribute, "SEMVER_LT", value=clause.value, inverted=True)
        case SuffixClause():
            return _constraint(clause.attribute, "STR_ENDS_WITH", [clause.value])
    return unknown(clause)


def _constraint(
    attribute: str, operator: str, values: Sequence[str] = (), *, value: str = "", inverted: bool = False
) -> Document:
    written = {"contextName": attribute, "operator": operator, "inverted": inverted, "caseInsensitive": False}
    return {**written, "values": list(values), **({"value": value} if value else {})}
