"""The headers that leave as they mostly do, written at one go.

Their values are put together, a value a line, and looked at by one regular expression: if each is what its name stands
for, they leave as they are. Whatever has to be left out, encoded, cut or reported is left to the long way (`egress`);
of what is ordinary both say the same (tests/headers/test_written.py).
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from pennon.context import ActorType, CorrelationId, Identity, Member, RequestId, Trace
from pennon.headers.baggage import PLAIN_SYNTAX
from pennon.headers.deadline import format_deadline
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, IDENTITY_NAMES, TENANT_ID
from pennon.headers.ids import ID_SYNTAX
from pennon.headers.report import Report
from pennon.headers.routes import Plan, Route
from pennon.headers.tracecontext import MEMBERS_LIMIT_COUNT, PARENT_SYNTAX, RANDOM, SAMPLED, STATE_SYNTAX

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

# A route's plans differ by which of its headers a request has. Expressions are dear to compile: so many and no more.
PLANS_LIMIT_COUNT: Final = 64

_KNOWN_FLAGS: Final = SAMPLED | RANDOM
_TEXT: Final = "[ -~]*+"
_SYNTAXES: Final = {
    TRACEPARENT: PARENT_SYNTAX,
    TRACESTATE: f"{STATE_SYNTAX}(?:,{STATE_SYNTAX}){{0,{MEMBERS_LIMIT_COUNT - 1}}}",
    BAGGAGE: PLAIN_SYNTAX,
    TENANT_ID: ID_SYNTAX,
    ACTOR_ID: ID_SYNTAX,
}
_TRACESTATE: Final = TRACESTATE.encode()
_BAGGAGE: Final = BAGGAGE.encode()
_NOBODY: Final = Identity()
# Who acts on somebody's behalf is looked at twice.
_PLAIN_TYPES: Final = (ActorType.HUMAN, ActorType.SERVICE, ActorType.SYSTEM, None)
# No header's value: what says it is left to the long way.
_UNFIT: Final = "\n"
_NO_LIMIT: Final = 1 << 30


class Outgoing(msgspec.Struct, frozen=True):
    """What to do to the headers that leave: take off all whose name, without case, is in `remove`, then put on `set`.

    names: of what is put on, lower-case, each once. values: theirs, in the same order.
    remove: lower-case too; `names` are among them.
    """

    names: tuple[bytes, ...]
    values: Sequence[bytes]
    remove: frozenset[bytes]
    report: Report

    @property
    def set(self) -> tuple[tuple[bytes, bytes], ...]:
        """Name and value of what is put on."""
        return tuple(zip(self.names, self.values, strict=True))


OutgoingT = TypeVar("OutgoingT", bound=Outgoing)


def write_ordinary(
    kind: type[OutgoingT],
    contract: "Contract",
    route: Route,
    trace: Trace | None,
    request_id: RequestId,
    correlation_id: CorrelationId | None,
    baggage: Sequence[Member],
    ours: Sequence[Member],
    fields: Sequence[tuple[str, str]],
    identity: Identity,
    timeout_ns: int | None,
    now_ns: int,
) -> OutgoingT | None:
    """What `inject` says of a request whose headers may all leave as they are; None of every other. kind: as what."""
    said: dict[str, str] = {}
    if route.trace and trace is not None:
        said[TRACEPARENT] = f"00-{trace.trace_id}-{trace.span_id}-0{trace.flags & _KNOWN_FLAGS}"
        if trace.state:
            said[TRACESTATE] = trace.state if len(trace.state) <= contract.budgets.trace_bytes else _UNFIT
    members = [*(ours if route.decisions else ()), *(baggage if route.baggage else ())]
    if members:
        policy = contract.baggage
        # A semicolon is never plain.
        listed = ",".join([";" if each.properties else f"{each.key}={each.value}" for each in members])
        is_fit = len(members) == listed.count("=") <= policy.max_members and len(listed) <= policy.max_bytes
        said[BAGGAGE] = listed if is_fit else _UNFIT
    if route.request_id:
        said[REQUEST_ID] = request_id
    if correlation_id is not None and route.correlation_id:
        said[CORRELATION_ID] = correlation_id
    if timeout_ns is not None and route.deadline is not None:
        said[route.deadline_name] = format_deadline(route.deadline, timeout_ns, now_ns=now_ns).decode()
    if (fields or identity is not _NOBODY) and not _say_custom(said, route, fields, identity):
        return None
    names = tuple(said)
    plan = route.plans.get(names) or _planned(contract, route, names)
    text = "\n".join(said.values())
    if plan is None or len(text) > plan.room_bytes or plan.syntax.fullmatch(text) is None:
        return None
    return kind(plan.wires, text.encode().split(b"\n"), plan.remove, plan.report)


def _say_custom(said: dict[str, str], route: Route, fields: Sequence[tuple[str, str]], identity: Identity) -> bool:
    """Say the declared fields and who asks, as far as the route grants it; whether it can be said so simply."""
    granted_fields, granted = route.fields, route.identity
    if granted_fields:
        for name, value in fields:
            if name in granted_fields:
                said[name] = value  # noqa: PERF403  # a comprehension is a call more
    if not granted or identity is _NOBODY:
        return True
    if identity.on_behalf_of is not None or identity.actor_type not in _PLAIN_TYPES:
        return False
    if identity.tenant is not None and TENANT_ID in granted:
        said[TENANT_ID] = identity.tenant
    if identity.actor is not None and ACTOR_ID in granted:
        said[ACTOR_ID] = identity.actor
    if identity.actor_type is not None and ACTOR_TYPE in granted:
        said[ACTOR_TYPE] = identity.actor_type
    return True


def _planned(contract: "Contract", route: Route, names: tuple[str, ...]) -> Plan | None:
    """How headers of these names are written from now on; None: there are none, or plans enough."""
    if not names or len(route.plans) >= PLANS_LIMIT_COUNT:
        return None
    wires = {name: route.fields.get(name) or route.identity.get(name) or name.encode() for name in names}
    # A tracestate belongs to its traceparent; and baggage that was copied in is not what this request holds.
    off = {*wires.values(), _BAGGAGE, *([_TRACESTATE] if TRACEPARENT in wires else [])}
    custom = [wire for name, wire in wires.items() if name in route.fields or name in IDENTITY_NAMES]
    # All values together are more than the custom ones: within it, these are within the budget.
    room_bytes = contract.budgets.custom_bytes - sum(map(len, custom)) if custom else _NO_LIMIT
    syntaxes = {**_SYNTAXES, REQUEST_ID: contract.id_syntax, CORRELATION_ID: contract.id_syntax}
    plan = route.plans[names] = Plan(
        syntax=re.compile("\n".join(f"(?:{syntaxes.get(name, _TEXT)})" for name in names)),
        wires=tuple(wires.values()),
        remove=route.withheld.union(off),
        report=Report((), tuple(wire.decode() for wire in wires.values()), ()),
        room_bytes=room_bytes,
    )
    return plan
