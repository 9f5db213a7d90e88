"""What may go to one downstream, worked out once when the contract is built.

House rules: an undeclared downstream gets nothing of ours, and what somebody copied in by hand of ours is taken off:
our headers, the ids, the baggage whole (it is internal, and our member is in it), the tracestate (anybody's notes),
every declared field that is not public. A traceparent set by hand stays there: a trace id gives nothing away, and
whoever set it meant it. At a declared one, what the contract withholds is taken off in the same way, and what it sends
takes the place of what stood there.

Who asks and until when is never anybody's copy: identity is written from what has been verified, a deadline from what
is left of it. By hand neither leaves, but for a deadline in the form that is declared.

To an application behind WSGI - and _ are one (PEP 3333): of a name that is ours the other spellings never leave.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Final

import msgspec

from pennon.headers.deadline import DeadlineForm
from pennon.headers.fields import Classification, Downstream, Field, Propagate
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, OWN, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.headers.identity import IDENTITY_NAMES, TENANT_ID
from pennon.headers.report import Report


class Plan(msgspec.Struct, frozen=True):
    """How headers of some names leave: worked out when they first do, see `written`.

    syntax: of their values, a value a line. room_bytes: how long these may be together.
    wires: the names on the wire, of the same order. remove, report: as in `Outgoing`.
    """

    syntax: re.Pattern[str]
    wires: tuple[bytes, ...]
    remove: frozenset[bytes]
    report: Report
    room_bytes: int


class Route(msgspec.Struct, frozen=True):
    """What one downstream gets, and what is taken off a request to it.

    fields, identity: name -> wire name of the fields that it gets, and of the headers that say who asks, as declared.
    deadline, deadline_name: the form in which it is told until when, and its header.
    is_told_signed: it gets identity as a signed context, where there is one.
    withheld: wire names always taken off. plans: by our names of the headers that leave together.
    """

    trace: bool = False
    request_id: bool = False
    correlation_id: bool = False
    baggage: bool = False
    decisions: bool = False
    fields: dict[str, bytes] = {}  # msgspec copies it
    identity: dict[str, bytes] = {}
    deadline: DeadlineForm | None = None
    deadline_name: str = ""
    is_told_signed: bool = False
    withheld: frozenset[bytes] = frozenset()
    plans: dict[tuple[str, ...], Plan] = {}


_TRACE: Final = (TRACEPARENT, TRACESTATE)
# Never as somebody copied them: ours, and who asks and until when.
_NEVER_BY_HAND: Final = (*OWN, *IDENTITY_NAMES, *DeadlineForm)
_SEPARATOR: Final = re.compile("[-_]")
# 64 spellings, and the built-in names have 5 at most. More: the route's set doubles with each.
_SPELLED_LIMIT_COUNT: Final = 6


def route_to(downstream: Downstream | None, fields: Sequence[Field]) -> Route:
    """The route to a downstream of a contract with these fields; None: to an undeclared one."""
    sent = {each.name.lower(): _wire_name(each, downstream) for each in fields if _may_have(downstream, each)}
    withheld: set[str] = {*_NEVER_BY_HAND, *_withheld_standard(downstream)}
    for each in fields:
        name = each.name.lower()
        if (name not in sent and each.classification is not Classification.PUBLIC) or name in IDENTITY_NAMES:
            withheld |= {name, (each.kafka or each.name).lower()}
    if downstream is None:
        return Route(withheld=_in_all_spellings(withheld, but=set()))
    granted = {REQUEST_ID, CORRELATION_ID, *(wire.decode() for wire in sent.values())} - withheld
    if downstream.deadline is not None:
        granted.add(downstream.deadline)
    is_ours = not downstream.external
    return Route(
        trace=downstream.trace,
        request_id=downstream.request_id,
        correlation_id=downstream.correlation_id,
        baggage=downstream.baggage and is_ours,
        decisions=downstream.decisions and is_ours,
        fields={name: wire for name, wire in sent.items() if name not in IDENTITY_NAMES},
        identity=_identity_to(downstream, {each.name.lower(): each for each in fields}, sent),
        deadline=downstream.deadline,
        deadline_name="" if downstream.deadline is None else downstream.deadline.value,
        is_told_signed=downstream.audience is not None,
        withheld=_in_all_spellings(withheld | granted, but=granted),
    )


def _withheld_standard(downstream: Downstream | None) -> set[str]:
    if downstream is None:
        return {TRACESTATE, BAGGAGE, REQUEST_ID, CORRELATION_ID}
    withheld = set() if downstream.trace else set(_TRACE)
    if not downstream.request_id:
        withheld.add(REQUEST_ID)
    if not downstream.correlation_id:
        withheld.add(CORRELATION_ID)
    if downstream.external or not (downstream.baggage or downstream.decisions):
        withheld.add(BAGGAGE)
    return withheld


def _identity_to(downstream: Downstream, declared: Mapping[str, Field], sent: Mapping[str, bytes]) -> dict[str, bytes]:
    """Who asks, as far as it goes there: by `tenant` or `actor`, by name, or because it goes everywhere."""
    names = {}
    for name in IDENTITY_NAMES:
        field = declared.get(name)
        is_granted = downstream.tenant if name == TENANT_ID else downstream.actor
        if field is None or (downstream.external and field.classification is not Classification.PUBLIC):
            continue
        if is_granted or name in sent:
            names[name] = _wire_name(field, downstream)
    return names


def _may_have(downstream: Downstream | None, declared: Field) -> bool:
    """Whether the field goes there when it was received here."""
    if downstream is None or not declared.downstream_may_forward or declared.propagate is Propagate.NEVER:
        return False
    if declared.name.lower() in {name.lower() for name in downstream.fields}:
        return True
    return declared.propagate is Propagate.ALWAYS and not downstream.external


def _wire_name(declared: Field, downstream: Downstream | None) -> bytes:
    is_topic = downstream is not None and downstream.topic is not None
    name = (declared.kafka or declared.name) if is_topic else declared.name
    return name.lower().encode()


def _in_all_spellings(names: set[str], *, but: set[str]) -> frozenset[bytes]:
    return frozenset(spelled.encode() for name in names for spelled in _spellings(name) if spelled not in but)


def _spellings(name: str) -> Iterator[str]:
    """The name with - or _ at each place that has either; of more than six, the rest is as it is written, or alike."""
    yield from (name.replace("_", "-"), name.replace("-", "_"))
    first, *others = _SEPARATOR.split(name, maxsplit=_SPELLED_LIMIT_COUNT)
    for separators in product("-_", repeat=len(others)):
        yield first + "".join(separator + part for separator, part in zip(separators, others, strict=True))
