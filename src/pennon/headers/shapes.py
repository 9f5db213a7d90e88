"""The shape of a message: what the names of its headers alone say about it, for whoever reads it in one way.

Worked out when such a message first comes: which values are to be looked at, by which expression, and what is to be
said of the others whatever they hold. `ordinary` reads by it. A message that cannot be read so has no shape.

What is remembered is bounded, for strangers and for ours apart. Shapes are cheap: when there are too many, all are
forgotten. Expressions are dear to compile, so there are so many and no more.
"""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, AnyStr, Final

import msgspec

from pennon.context import Member
from pennon.headers.deadline import VALUE_LIMIT_BYTES, DeadlineForm
from pennon.headers.fields import UnknownHeaders
from pennon.headers.grammar import BAGGAGE, CONNECTION, CORRELATION_ID, OVERRIDE, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, ON_BEHALF_OF, OPAQUE_SYNTAX, TENANT_ID
from pennon.headers.report import Report
from pennon.headers.shown import Shown
from pennon.headers.std import FORWARDING
from pennon.headers.std import TENANT_ID as TENANT_FIELD
from pennon.headers.times import S_NS, UTC_SYNTAX
from pennon.headers.tracecontext import PARENT_SYNTAX, STATE_RESTARTED, STATE_SYNTAX, TRACE_RESTARTED

if TYPE_CHECKING:
    from pennon.headers.contract import Contract
    from pennon.headers.reading import Way

SHAPES_LIMIT_COUNT: Final = 256
CHECKS_LIMIT_COUNT: Final = 32
# Of one message's names: a stranger chooses them. With the above half a megabyte.
_NAMES_LIMIT_BYTES: Final = 2_048

_NOWHERE: Final = -1
_NO_LIMIT: Final = 1 << 30
_LOOKS_AROUND: Final = re.compile(r"\(\?<?[=!]")
# A class that takes line breaks would go on into the values behind; no value holds one.
_ANYTHING_BUT: Final = re.compile(r"(?<!\\)\[\^(?!\])")
_WHO: Final = (TENANT_ID, ACTOR_ID, ON_BEHALF_OF, ACTOR_TYPE)
_DUE: Final = DeadlineForm.ABSOLUTE

Names = tuple[bytes, ...]
Picked = Callable[[Sequence[bytes]], tuple[bytes, ...]]


class Check(msgspec.Struct, frozen=True):
    """One look at several values: an expression over them, a value a line.

    breaks: the line breaks between the values. limits: how long each of the first values may be, the others have none;
    looked at first, so that no expression sees more. parent, state, request_id, correlation_id, due: the group in which
    each begins; due: a deadline as `utc_ns` takes it, None where it is written in another way.
    fields: our name of a declared field -> its group.
    """

    fullmatch: Callable[[str], re.Match[str] | None]
    breaks: bytes
    limits: tuple[int, ...]
    parent: int
    state: int
    request_id: int
    correlation_id: int
    due: int
    fields: dict[str, int]


class Shape(msgspec.Struct, frozen=True):
    """What a message's names say about it.

    picked: the values that `check` looks at, in its order. names_bytes: of all names together. custom: where the fields
    stand that are no standard's, custom_bytes: their names. baggage, connection: where these stand.
    deadlines, forwarding: what stands where of them. cap_ns, max_skew_ns: the contract's; no cap: it has no deadlines.
    field_names, field_values: of what is kept, in order. identity: the groups of tenant, actor, for whom, and the
    actor's type; without any of them empty.
    report: what is said of such a message, if its baggage, as far as it has any, is taken as a whole.
    shown: which of its headers an application may see as they came.
    """

    picked: Picked
    check: Check
    names_bytes: int
    custom: tuple[int, ...]
    custom_bytes: int
    baggage: int
    connection: int
    deadlines: tuple[tuple[DeadlineForm, int], ...]
    cap_ns: int | None
    max_skew_ns: int
    forwarding: tuple[tuple[str, int], ...]
    field_names: tuple[str, ...]
    field_values: Callable[[Sequence[str]], tuple[str, ...]]
    identity: tuple[int, ...]
    report: Report
    shown: tuple[bool, ...]


class Remembered(msgspec.Struct, frozen=True):
    """What was seen in one way of reading, so that strangers forget nothing that is ours.

    shapes: by a message's names, None where there is none; checks: theirs. members: of baggage, as `admit` has them.
    """

    shapes: dict[Names, Shape | None] = {}  # msgspec copies them
    checks: dict[tuple[str, ...], Check | None] = {}
    members: dict[bytes, Member] = {}


def shape_of(contract: "Contract", way: "Way", names: Names, *, is_trusted: bool) -> Shape | None:
    """The shape of messages of these names, remembered; None if they have none."""
    shapes = way.remembered.shapes
    if names in shapes:
        return shapes[names]
    if sum(map(len, names)) > _NAMES_LIMIT_BYTES:
        return None
    if len(shapes) >= SHAPES_LIMIT_COUNT:
        shapes.clear()
    shape = shapes[names] = _worked_out(contract, way, names, is_trusted=is_trusted)
    return shape


def _worked_out(contract: "Contract", way: "Way", names: Names, *, is_trusted: bool) -> Shape | None:
    places = _places_of(contract, way, names, is_trusted=is_trusted)
    if places is None:
        return None
    barred = [name for name in places if (rule := way.rules.get(name)) is not None and rule.barred is not None]
    if any(name in barred or name not in places for name in _required(contract, way)):
        return None
    read = [name for name in places if name not in barred]
    looked_at = _looked_at(contract, read)
    check = _check_of(contract, way.remembered, looked_at)
    if check is None or (TRACESTATE in places and TRACEPARENT not in places):
        return None
    restarted = [name for name in (TRACESTATE, TRACEPARENT) if not is_trusted and name in places]
    added: tuple[str, ...] = () if is_trusted and TRACEPARENT in places else (TRACEPARENT,)
    if not (is_trusted and REQUEST_ID in places):
        added += (REQUEST_ID,)
    identity = {name: check.fields[name] for name in read if name in check.fields and way.rules[name].is_identity}
    kept = [name for name in read if name in check.fields and name not in identity]
    custom = [name for name in contract.reading.custom if name in places]
    policy = contract.deadline
    return Shape(
        picked=_picking([places[name] for name in looked_at]),
        check=check,
        names_bytes=sum(map(len, names)),
        custom=tuple(places[name] for name in custom),
        custom_bytes=sum(map(len, custom)),
        baggage=places.get(BAGGAGE, _NOWHERE),
        connection=places.get(CONNECTION, _NOWHERE),
        deadlines=tuple(
            (form, places[form])
            for form in (() if policy is None else policy.accept)
            if isinstance(form, DeadlineForm) and form in read
        ),
        cap_ns=None if policy is None else round(policy.cap_s * S_NS),
        max_skew_ns=0 if policy is None else round(policy.max_skew_s * S_NS),
        forwarding=tuple((name, places[name]) for name in FORWARDING if name in places),
        field_names=tuple(kept),
        field_values=_picking([check.fields[name] for name in kept]),
        identity=tuple([identity.get(name, _NOWHERE) for name in _WHO]) if identity else (),
        report=Report(
            tuple(name for name in read if name not in restarted and name != CONNECTION),
            added,
            (
                *(drop for name in barred if (drop := way.rules[name].barred) is not None),
                *({TRACESTATE: STATE_RESTARTED, TRACEPARENT: TRACE_RESTARTED}[name] for name in restarted),
            ),
        ),
        shown=tuple(map(Shown(contract, way).__getitem__, names)),
    )


def _places_of(contract: "Contract", way: "Way", names: Names, *, is_trusted: bool) -> dict[str, int] | None:
    """Our name -> where it stands; None where one stands twice, or something stands that is dealt with by itself."""
    places: dict[str, int] = {}
    for at, name in enumerate(names):
        low = name.lower()
        slot = way.slots.get(low)
        if slot is None:
            own = contract.reading.own.get(low)
            if own is not None and (own == OVERRIDE or not is_trusted):
                return None
            if own is None and contract.unknown is not UnknownHeaders.KEEP:
                return None
        elif slot and slot in places:
            return None
        elif slot:
            places[slot] = at
    return places


def _required(contract: "Contract", way: "Way") -> Sequence[str]:
    """The fields without which a request is not ordinary: those that this way reads."""
    return [name for name in contract.reading.required if name in way.rules]


def _picking(places: list[int]) -> Callable[[Sequence[AnyStr]], tuple[AnyStr, ...]]:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[at] for at in places])


def _looked_at(contract: "Contract", names: Sequence[str]) -> tuple[str, ...]:
    """Those of the names whose values one expression reads; what has no limit stands last."""
    parts = {name: part for name in names if (part := _part_of(contract, name)) is not None}
    return tuple(sorted(parts, key=lambda name: (parts[name][1] == _NO_LIMIT, name)))


def _check_of(contract: "Contract", remembered: Remembered, names: tuple[str, ...]) -> Check | None:
    if names in remembered.checks:
        return remembered.checks[names]
    if len(remembered.checks) >= CHECKS_LIMIT_COUNT:
        return None
    check = remembered.checks[names] = _compiled(contract, names)
    return check


def _compiled(contract: "Contract", names: tuple[str, ...]) -> Check | None:
    parts: list[str] = []
    groups: dict[str, int] = {}
    limits: list[int] = []
    group_count = 0
    for name in names:
        part, limit, its_count = _part_of(contract, name) or ("", _NO_LIMIT, 0)
        groups[name] = group_count
        parts.append(part)
        if limit != _NO_LIMIT:
            limits.append(limit)
        group_count += its_count
    declared = [contract.fields_by_name[name] for name in names if name in contract.fields_by_name]
    if any(_LOOKS_AROUND.search(syntax.pattern) for _, syntax in declared):
        # It would look at the lines of others.
        return None
    try:
        expression = re.compile("\n".join(parts))
    except re.error:
        # Flags within a declared syntax hold for a whole expression.
        return None
    if expression.groups != group_count:
        return None
    return Check(
        expression.fullmatch,
        b"\n" * (len(names) - 1),
        tuple(limits),
        parent=groups.get(TRACEPARENT, _NOWHERE),
        state=groups.get(TRACESTATE, _NOWHERE),
        request_id=groups.get(REQUEST_ID, _NOWHERE),
        correlation_id=groups.get(CORRELATION_ID, _NOWHERE),
        due=groups.get(_DUE, _NOWHERE),
        fields={name: group for name, group in groups.items() if name in contract.fields_by_name},
    )


def _part_of(contract: "Contract", name: str) -> tuple[str, int, int] | None:
    """A value's part of an expression, how long it may be, and how many groups; None for what is read by itself."""
    if name == TRACEPARENT:
        return PARENT_SYNTAX, _NO_LIMIT, 3
    if name == TRACESTATE:
        return f"({STATE_SYNTAX})", contract.budgets.trace_bytes, 1
    if name in (REQUEST_ID, CORRELATION_ID):
        return f"({contract.id_syntax})", _NO_LIMIT, 1
    if name == _DUE and contract.deadline is not None and _DUE in contract.deadline.accept:
        return rf"(?:{UTC_SYNTAX}|[^\n]*+)", VALUE_LIMIT_BYTES, 3
    if name not in contract.fields_by_name:
        return None
    field, syntax = contract.fields_by_name[name]
    if name in _WHO and syntax.pattern == TENANT_FIELD.syntax:
        return f"({OPAQUE_SYNTAX})", field.max_length, 1
    opaque = rf"(?={OPAQUE_SYNTAX}(?:\n|\Z))" if name in _WHO and name != ACTOR_TYPE else ""
    alone = _ANYTHING_BUT.sub(r"[^\\n", syntax.pattern)
    # White space around a value means nothing, and is taken off the long way. Atomic: when a value behind it is bad,
    # the ways in which this one could be read otherwise are not tried.
    return rf"({opaque}(?![ \t])(?>{alone})(?<![ \t]))", field.max_length, 1
