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
from pennon.headers.baggage import READ_LIMIT_COUNT
from pennon.headers.carrier import Headers
from pennon.headers.deadline import DeadlineForm, left_ns, left_until, soonest
from pennon.headers.extracted import Extracted
from pennon.headers.grammar import BAGGAGE, PLAIN_CONNECTIONS
from pennon.headers.identity import whole_identity
from pennon.headers.ids import new_request_id
from pennon.headers.proxies import Behind, client_behind
from pennon.headers.reading import Way
from pennon.headers.report import DropReason, Report
from pennon.headers.shapes import Check, Shape, shape_of
from pennon.headers.times import utc_ns
from pennon.headers.tracecontext import begun_trace, nonzero
from pennon.headers.work import chain_steps, shares_of

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

_NOBODY: Final = Identity()
_NOT_BEHIND: Final = Behind()
_CHAIN_LIMIT_BYTES: Final = 384
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
_ABSOLUTE: Final = DeadlineForm.ABSOLUTE


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
    names, values = zip(*headers)  # noqa: B905  # of each one both; asking whether costs 0.15 µs
    shape = way.remembered.shapes.get(names) or shape_of(contract, way, names, is_trusted=is_trusted)
    if shape is None or not _is_within(contract, shape, values):
        return None
    check = shape.check
    groups = _checked(check, shape.picked(values))
    if groups is None:
        return None
    deadline = None
    if monotonic_ns is not None and shape.cap_ns is not None:
        deadline = _deadline(shape, shape.cap_ns, groups, values, now_ns, monotonic_ns)
        if deadline is None:
            return None
    identity = _identity(shape.identity, groups) if shape.identity else _NOBODY
    behind = _NOT_BEHIND if contract.proxies is None else _behind(contract, shape, values, peer)
    baggage = NOTHING
    if shape.baggage >= 0:
        lines, members = (values[shape.baggage],), way.remembered.members
        room = READ_LIMIT_COUNT
        if behind.elements:
            # Such a chain has fewer bytes than would count, and baggage comes before tracestate.
            room = shares_of(contract.baggage, chain=chain_steps(behind.elements, 0), baggage=0, state=0).members
        baggage = admit(
            lines, contract.baggage, contract.priorities, is_trusted=is_trusted, remembered=members, limit_count=room
        )
    if identity is None or behind.dropped or baggage.is_too_long:
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
        tuple(zip(shape.field_names, shape.field_values(groups))),  # noqa: B905  # as above
        _report(shape, baggage),
        None,
        stranger_trace,
        None,
        identity,
        deadline,
        behind.client,
        (),
        shape.shown,
    )


def _is_within(contract: "Contract", shape: Shape, values: Sequence[bytes]) -> bool:
    """Whether the message is within its budgets, and names nothing that concerned its connection alone."""
    try:
        # A third of what the sum of their lengths costs.
        total_bytes = shape.names_bytes + len(b"".join(values))
    except TypeError:
        # A record's header may have no value.
        return False
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
    # The line breaks are ours, and there are no others: no value reaches into the next.
    if wire.translate(None, _PRINTABLE) != check.breaks:
        return None
    match = check.fullmatch(wire.decode())
    return None if match is None else match.groups()


def _deadline(
    shape: Shape, cap_ns: int, groups: Sequence[Any], values: Sequence[bytes], now_ns: int, monotonic_ns: int
) -> Deadline | None:
    """Until when; None if one that was said does not count."""
    said: list[tuple[DeadlineForm, int]] = []
    due = shape.check.due
    for form, at in shape.deadlines:
        if form is _ABSOLUTE and groups[due] is not None:
            left = left_until(utc_ns(*groups[due : due + 3]), now_ns, shape.max_skew_ns)
        else:
            left = left_ns(form, values[at], now_ns, shape.max_skew_ns)
        if isinstance(left, DropReason):
            return None
        said.append((form, left))
    return soonest(said, cap_ns, monotonic_ns)


def _identity(places: Sequence[int], groups: Sequence[Any]) -> Identity | None:
    """Who asks; None if not all that was said counts."""
    tenant, actor, on_behalf_of, actor_type = places
    return whole_identity(
        groups[tenant] if tenant >= 0 else None,
        groups[actor] if actor >= 0 else None,
        groups[on_behalf_of] if on_behalf_of >= 0 else None,
        groups[actor_type] if actor_type >= 0 else None,
    )


def _behind(contract: "Contract", shape: Shape, values: Sequence[bytes], peer: str | None) -> Behind:
    return client_behind(peer, {name: (values[at],) for name, at in shape.forwarding}, contract.proxies)


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
    report = shape.report
    if not (baggage.members or baggage.ours or shape.baggage < 0):
        report = Report(tuple([name for name in report.took if name != BAGGAGE]), report.added, report.dropped)
    return Report(report.took, report.added, baggage.dropped + report.dropped) if baggage.dropped else report
