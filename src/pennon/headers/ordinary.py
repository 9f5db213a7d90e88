"""The ordinary message, which nearly every one is: read at one look.

A message is ordinary if each header that means something here stands once, and none of them is to be dropped for what
it says. By its shape (`shapes`) its values are picked and checked by one regular expression, a value a line. What is
not ordinary is left to the long way (`ingress`), which knows what is wrong with it; of an ordinary message both say the
same (tests/headers/test_ordinary.py).
"""

from collections.abc import Sequence
from operator import gt
from typing import TYPE_CHECKING, Any, Final

from pennon.context import Deadline, Identity, SpanId, Trace
from pennon.headers.admission import NOTHING, Admitted, admit
from pennon.headers.carrier import Headers
from pennon.headers.deadline import DeadlineForm, left_ns, soonest
from pennon.headers.extracted import Extracted
from pennon.headers.grammar import BAGGAGE, PLAIN_CONNECTIONS
from pennon.headers.identity import whole_identity
from pennon.headers.ids import new_request_id
from pennon.headers.proxies import Behind, client_behind
from pennon.headers.reading import Way
from pennon.headers.report import DropReason, Report
from pennon.headers.shapes import Check, Shape, shape_of
from pennon.headers.tracecontext import begun_trace, nonzero

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

_NOBODY: Final = Identity()
_NOT_BEHIND: Final = Behind()
_CHAIN_LIMIT_BYTES: Final = 384
_PRINTABLE_LINES: Final = b"\n" + bytes(range(0x20, 0x7F))


def read_ordinary(
    contract: "Contract",
    way: Way,
    headers: Headers,
    *,
    is_trusted: bool,
    entropy: bytes,
    now_ns: int,
    monotonic_ns: int | None,
    peer: str | None,
) -> Extracted | None:
    """What `extract` says of an ordinary message; None for every other."""
    if not headers or len(headers) > contract.budgets.total_count:
        return None
    names, values = zip(*headers, strict=True)
    shape = shape_of(contract, way, names, is_trusted=is_trusted)
    if shape is None or None in values or not _is_within(contract, shape, values):
        return None
    check = shape.check
    groups = _checked(check, shape.picked(values))
    if groups is None:
        return None
    deadline = None
    if monotonic_ns is not None and shape.cap_ns is not None:
        deadline = _deadline(shape, shape.cap_ns, values, now_ns, monotonic_ns)
    identity = _identity(shape, groups) if shape.identity else _NOBODY
    behind = _NOT_BEHIND if contract.proxies is None else _behind(contract, shape, values, peer)
    baggage = NOTHING if shape.baggage < 0 else _baggage(contract, way, values[shape.baggage], is_trusted=is_trusted)
    if isinstance(deadline, DropReason) or identity is None or behind.dropped or baggage.is_too_long:
        return None
    trace, stranger_trace = _traces(check, groups, entropy, is_trusted=is_trusted)
    given_id = groups[check.request_id] if check.request_id >= 0 else None
    return Extracted(
        trace,
        given_id if is_trusted and given_id is not None else new_request_id(entropy[24:]),
        groups[check.correlation_id] if check.correlation_id >= 0 else None,
        None if is_trusted else given_id,
        baggage.members,
        baggage.ours,
        tuple([(name, groups[group]) for name, group in shape.fields]),
        _report(shape, baggage),
        None,
        stranger_trace,
        None,
        identity,
        deadline,
        behind.client,
    )


def _is_within(contract: "Contract", shape: Shape, values: Sequence[bytes]) -> bool:
    """Whether the message is within its budgets, and names nothing that concerned its connection alone."""
    total_bytes = shape.names_bytes + sum(map(len, values))
    budgets = contract.budgets
    if total_bytes > budgets.custom_bytes and (
        total_bytes > budgets.total_bytes
        or shape.custom_bytes + sum([len(values[at]) for at in shape.custom]) > budgets.custom_bytes
    ):
        return False
    if shape.forwarding and sum([len(values[at]) for _, at in shape.forwarding]) > _CHAIN_LIMIT_BYTES:
        # It takes long to walk, and would be walked again if it ended badly.
        return False
    return shape.connection < 0 or values[shape.connection] in PLAIN_CONNECTIONS


def _checked(check: Check, picked: tuple[bytes, ...]) -> Sequence[Any] | None:
    """The groups of values that are all good."""
    if any(map(gt, map(len, picked), check.limits)):
        return None
    wire = b"\n".join(picked)
    # So many line breaks and no more: each is one of ours, and no value reaches into the next.
    if wire.translate(None, _PRINTABLE_LINES) or wire.count(b"\n") != check.line_count - 1:
        return None
    match = check.fullmatch(wire.decode())
    return None if match is None else match.groups()


def _deadline(
    shape: Shape, cap_ns: int, values: Sequence[bytes], now_ns: int, monotonic_ns: int
) -> Deadline | DropReason:
    """Until when, or why one that was said does not count."""
    said: list[tuple[DeadlineForm, int]] = []
    for form, at in shape.deadlines:
        remaining_ns = left_ns(form, values[at], now_ns, shape.max_skew_ns)
        if isinstance(remaining_ns, DropReason):
            return remaining_ns
        said.append((form, remaining_ns))
    return soonest(said, cap_ns, monotonic_ns)


def _identity(shape: Shape, groups: Sequence[Any]) -> Identity | None:
    """Who asks; None if not all that was said counts."""
    tenant, actor, on_behalf_of, actor_type = [None if group < 0 else groups[group] for group in shape.identity]
    return whole_identity(tenant, actor, on_behalf_of, actor_type)


def _behind(contract: "Contract", shape: Shape, values: Sequence[bytes], peer: str | None) -> Behind:
    return client_behind(peer, {name: (values[at],) for name, at in shape.forwarding}, contract.proxies)


def _baggage(contract: "Contract", way: Way, value: bytes, *, is_trusted: bool) -> Admitted:
    members = way.remembered.members
    return admit((value,), contract.baggage, contract.priorities, is_trusted=is_trusted, remembered=members)


def _traces(check: Check, groups: Sequence[Any], entropy: bytes, *, is_trusted: bool) -> tuple[Trace, Trace | None]:
    """Where this hop stands, and what a stranger said of it."""
    span_id = SpanId(nonzero(entropy[16:24].hex()))
    if check.parent < 0:
        return begun_trace(entropy, span_id), None
    trace_id, parent_id, flags = groups[check.parent : check.parent + 3]
    if not is_trusted:
        return begun_trace(entropy, span_id), Trace(trace_id, parent_id, None, int(flags), "")
    return Trace(trace_id, span_id, parent_id, int(flags), groups[check.state] if check.state >= 0 else ""), None


def _report(shape: Shape, baggage: Admitted) -> Report:
    if baggage.members or baggage.ours or shape.baggage < 0:
        took = shape.took
    else:
        took = tuple([name for name in shape.took if name != BAGGAGE])
    return Report(took, shape.added, baggage.dropped + shape.dropped if baggage.dropped else shape.dropped)
