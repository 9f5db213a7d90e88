"""A hop's way out, as every door makes it: a request context becomes headers."""

from typing import Final

from msgspec import structs

from pennon.carry.wire import BUDGET_BYTES, CARRY_KEY
from pennon.carry.writing import encode
from pennon.context import Member, RequestContext, Trace
from pennon.headers import Contract, Downstream, Drop, DropReason, Outgoing, inject
from pennon.headers.egress import write_at_length
from pennon.headers.written import write_ordinary

# A contract may allow less baggage than we would use; key and "=" count there.
_KEY_BYTES: Final = len(CARRY_KEY) + 1
_CUT: Final = Drop(f"baggage:{CARRY_KEY}", DropReason.OVER_BUDGET)


class Departure(Outgoing, frozen=True):
    """What leaves, and how many decisions did not fit the budget (then the report names our member as well)."""

    cut_count: int = 0


def depart(
    contract: Contract,
    downstream: Downstream | None,
    context: RequestContext | None,
    *,
    trace: Trace | None,
    timeout_ns: int | None = None,
    now_ns: int = 0,
    signed: str | None = None,
) -> Departure:
    """What leaves for a downstream.

    downstream: None if the contract declares none for this host or topic: it gets nothing, and all of ours comes off.
    context: None outside a request. trace: this call's own; None: the request's.
    timeout_ns: how long the call may take from now_ns (wall clock) on; None: no limit. It is told where the contract
    says in which form. signed: a signed context for this downstream.
    """
    if context is None:
        outgoing = inject(
            contract,
            downstream,
            trace=trace,
            request_id=None,
            correlation_id=None,
            baggage=(),
            ours=(),
            timeout_ns=timeout_ns,
            now_ns=now_ns,
            signed=signed,
        )
        return _departure(outgoing)
    here = context.trace if trace is None else trace
    route = contract.route(downstream)
    ours, cut_count = _ours_leaving(contract, context) if route.decisions else ((), 0)
    departure = None
    if downstream is not None and signed is None:
        departure = write_ordinary(
            Departure,
            contract,
            route,
            here,
            context.request_id,
            context.correlation_id,
            context.baggage,
            ours,
            context.fields,
            context.identity,
            timeout_ns,
            now_ns,
        )
    if departure is None:
        outgoing = write_at_length(
            contract,
            route,
            here,
            context.request_id,
            context.correlation_id,
            context.baggage,
            ours,
            context.fields,
            context.identity,
            timeout_ns,
            now_ns,
            signed,
        )
        departure = _departure(outgoing)
    return _with_cut(departure, cut_count) if cut_count else departure


def _ours_leaving(contract: Contract, context: RequestContext) -> tuple[tuple[Member, ...], int]:
    """Our members, the decisions first, and how many decisions were cut."""
    ledger = context.ledger
    room_bytes = contract.baggage.max_bytes - _KEY_BYTES
    encoded = encode(ledger, budget_bytes=min(BUDGET_BYTES, room_bytes), is_replay=context.is_replay)
    own = (Member(CARRY_KEY, encoded.value),) if encoded.value else ()
    return own + ledger.foreign, encoded.cut_count


def _departure(outgoing: Outgoing) -> Departure:
    return Departure(outgoing.names, outgoing.values, outgoing.remove, outgoing.report)


def _with_cut(departure: Departure, cut_count: int) -> Departure:
    report = structs.replace(departure.report, dropped=(*departure.report.dropped, _CUT))
    return structs.replace(departure, report=report, cut_count=cut_count)
