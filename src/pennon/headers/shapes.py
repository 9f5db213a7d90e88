"""The shape of a message: what the names of its headers alone say about it, for whoever reads it in one way.

Worked out when such a message first comes: which values are to be looked at, by which expression, and what is to be
said of the others whatever they hold. `ordinary` reads by it. A message that cannot be read so has no shape.

What is remembered is bounded, for strangers and for ours apart. Shapes are cheap: when there are too many, all are
forgotten. Expressions are dear to compile, so there are so many and no more.
"""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Final

import msgspec

from pennon.context import Member
from pennon.headers.deadline import DeadlineForm
from pennon.headers.fields import UnknownHeaders
from pennon.headers.grammar import BAGGAGE, CONNECTION, CORRELATION_ID, OVERRIDE, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, ON_BEHALF_OF, OPAQUE_SYNTAX, TENANT_ID
from pennon.headers.report import Drop
from pennon.headers.std import FORWARDING
from pennon.headers.times import S_NS
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

Names = tuple[bytes, ...]
Picked = Callable[[Sequence[bytes]], tuple[bytes, ...]]


class Check(msgspec.Struct, frozen=True):
    """One look at several values: an expression over them, a value a line.

    limits: how long each value may be; looked at first, so that no expression sees more. parent, state, request_id,
    correlation_id: the group in which each begins.
    fields: our name of a declared field -> its group.
    """

    fullmatch: Callable[[str], re.Match[str] | None]
    line_count: int
    limits: tuple[int, ...]
    parent: int
    state: int
    request_id: int
    correlation_id: int
    fields: dict[str, int]


class Shape(msgspec.Struct, frozen=True):
    """What a message's names say about it.

    picked: the values that `check` looks at, in its order. names_bytes: of all names together. custom: where the fields
    stand that are no standard's, custom_bytes: their names. baggage, connection: where these stand.
    deadlines, forwarding: what stands where of them. cap_ns, max_skew_ns: the contract's; no cap: it has no deadlines.
    took: our names of what counts, in order. fields: name and group of what is kept, in order. identity: the groups of
    tenant, actor, for whom, and the actor's type; without any of them empty.
    added: our names of what this hop makes anew. dropped: what does not count.
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
    took: tuple[str, ...]
    fields: tuple[tuple[str, int], ...]
    identity: tuple[int, ...]
    added: tuple[str, ...]
    dropped: tuple[Drop, ...]


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
    looked_at = tuple(sorted(name for name in read if _part_of(contract, name) is not None))
    check = _check_of(contract, way.remembered, looked_at)
    if check is None or (TRACESTATE in places and TRACEPARENT not in places):
        return None
    restarted = [name for name in (TRACESTATE, TRACEPARENT) if not is_trusted and name in places]
    added: tuple[str, ...] = () if is_trusted and TRACEPARENT in places else (TRACEPARENT,)
    if not (is_trusted and REQUEST_ID in places):
        added += (REQUEST_ID,)
    identity = {name: check.fields[name] for name in read if name in check.fields and way.rules[name].is_identity}
    kept = [(name, check.fields[name]) for name in read if name in check.fields]
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
        took=tuple(name for name in read if name not in restarted and name != CONNECTION),
        fields=tuple((name, group) for name, group in kept if not way.rules[name].is_identity),
        identity=tuple([identity.get(name, _NOWHERE) for name in _WHO]) if identity else (),
        added=added,
        dropped=(
            *(drop for name in barred if (drop := way.rules[name].barred) is not None),
            *({TRACESTATE: STATE_RESTARTED, TRACEPARENT: TRACE_RESTARTED}[name] for name in restarted),
        ),
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


def _picking(places: list[int]) -> Picked:
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[at] for at in places])


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
        max(1, len(names)),
        tuple(limits),
        parent=groups.get(TRACEPARENT, _NOWHERE),
        state=groups.get(TRACESTATE, _NOWHERE),
        request_id=groups.get(REQUEST_ID, _NOWHERE),
        correlation_id=groups.get(CORRELATION_ID, _NOWHERE),
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
    if name not in contract.fields_by_name:
        return None
    field, syntax = contract.fields_by_name[name]
    opaque = rf"(?={OPAQUE_SYNTAX}(?:\n|\Z))" if name in _WHO and name != ACTOR_TYPE else ""
    alone = _ANYTHING_BUT.sub(r"[^\\n", syntax.pattern)
    # White space around a value means nothing, and is taken off the long way. Atomic: when a value behind it is bad,
    # the ways in which this one could be read otherwise are not tried.
    return rf"({opaque}(?![ \t])(?>{alone})(?<![ \t]))", field.max_length, 1
