"""A ruleset to JSON and back.

Decoding checks shape: types, ranges of numbers, keys that are the records' own, ids given once. What records refer to
is looked up when a flag is compiled. A clause whose op is of a later version is read as `UnknownClause`, and only its
flag cannot be used.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import msgspec

from pennon.errors import Fault, RulesetInvalid
from pennon.flags.records import (
    ClauseRecord,
    FlagRecord,
    ReconciledRecord,
    RevocationRecord,
    RulesetRecord,
    SegmentRecord,
    SignerRecord,
    UnknownClause,
)


def encode_ruleset(record: RulesetRecord) -> bytes:
    """The JSON of a snapshot. Equal records of equal order give equal bytes.

    Raises: UnicodeEncodeError for text with lone surrogates, which no JSON in UTF-8 can hold.
    """
    return msgspec.json.encode(record)


def decode_ruleset(data: bytes) -> RulesetRecord:
    """The ruleset of a snapshot's JSON. Raises: RulesetInvalid with every fault and its place."""
    try:
        record = _RULESET.decode(data)
    except msgspec.ValidationError:
        record = _decoded_by_parts(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise RulesetInvalid([Fault("", str(fault))]) from fault
    faults = [fault for kind, (_, name) in _KINDS.items() for fault in _misplaced(kind, name, getattr(record, kind))]
    if faults := [*faults, *_twins(record)]:
        raise RulesetInvalid(faults)
    return record


def _decoded_by_parts(data: bytes) -> RulesetRecord:
    """The same, slowly: each record by itself, so that a fault has its place, and foreign clauses set aside."""
    try:
        document: Any = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise RulesetInvalid([Fault("", str(fault))]) from fault
    faults: list[Fault] = []
    parts = dict(document) if isinstance(document, dict) else {}
    for kind, (record_type, _) in _KINDS.items():
        if isinstance(parts.get(kind), dict):
            parts[kind] = _converted(parts[kind], kind, record_type, faults)
    try:
        record = msgspec.convert(parts if isinstance(document, dict) else document, RulesetRecord)
    except msgspec.ValidationError as fault:
        faults.append(_fault("", fault))
    if faults:
        raise RulesetInvalid(faults)
    return record


def _converted(records: dict[str, Any], kind: str, record_type: type, faults: list[Fault]) -> dict[str, Any]:
    converted: dict[str, Any] = {}
    for key, record in records.items():
        _set_aside_unknown(record)
        try:
            converted[key] = msgspec.convert(record, record_type)
        except msgspec.ValidationError as fault:
            faults.append(_fault(f"/{kind}/{_escaped(key)}", fault))
    return converted


def _set_aside_unknown(record: Any) -> None:
    """Replace the clauses of a flag or segment whose op no version up to this one has."""
    for clauses in _clause_lists(record):
        for at, clause in enumerate(clauses):
            op = clause.get("op") if isinstance(clause, dict) else None
            if isinstance(op, str) and op not in _OPS:
                clauses[at] = {"op": _UNKNOWN_OP, "name": op}


def _clause_lists(record: Any) -> Iterator[list[Any]]:
    rules = record.get("rules") if isinstance(record, dict) else None
    for rule in rules if isinstance(rules, list) else ():
        clauses = rule.get("clauses") if isinstance(rule, dict) else rule
        if isinstance(clauses, list):
            yield clauses


def _misplaced(kind: str, name: str, records: Mapping[str, Any]) -> Iterator[Fault]:
    for key, record in records.items():
        found = getattr(record, name)
        if found != key:
            yield Fault(f"/{kind}/{_escaped(key)}/{name}", f"is {found!r}; must be {key!r}, under which it stands")


def _twins(record: RulesetRecord) -> list[Fault]:
    if len({flag.id for flag in record.flags.values()}) == len(record.flags):
        return []
    faults: list[Fault] = []
    owners: dict[int, str] = {}
    for key, flag in record.flags.items():
        owner = owners.setdefault(flag.id, key)
        if owner != key:
            faults.append(Fault(f"/flags/{_escaped(key)}/id", f"is {flag.id}, which flag {owner!r} has"))
    return faults


def _fault(prefix: str, error: msgspec.ValidationError) -> Fault:
    message, _, place = str(error).partition(" - at `")
    steps = (name or index for name, index in _STEP.findall(place))
    return Fault(prefix + "".join(f"/{step}" for step in steps), message)


def _escaped(key: str) -> str:
    """A step of a JSON pointer (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1")


# How msgspec writes a place: $.rules[0].clauses[1].op
_STEP: Final = re.compile(r"\.(\w+)|\[(\d+)\]")

# What stands in a ruleset by key, and which member of a record is its key.
_KINDS: Final[Mapping[str, tuple[type, str]]] = {
    "flags": (FlagRecord, "key"),
    "segments": (SegmentRecord, "key"),
    "signers": (SignerRecord, "id"),
    "revocations": (RevocationRecord, "id"),
    "reconciled": (ReconciledRecord, "id"),
}

_RULESET: Final = msgspec.json.Decoder(RulesetRecord)
_OPS: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(ClauseRecord))
_UNKNOWN_OP: Final = str(UnknownClause.__struct_config__.tag)
