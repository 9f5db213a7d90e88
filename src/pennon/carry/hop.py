"""A hop, as every door makes it: headers become a request context, a request context becomes headers.

The header contract says what may cross; here its opaque members of ours meet the ledger.
"""

from typing import Final

import msgspec

from pennon.carry.reading import GroupFault, decode
from pennon.carry.wire import BUDGET_BYTES, CARRY_KEY
from pennon.carry.writing import encode
from pennon.context import Identity, Ledger, Member, RequestContext, Trace
from pennon.headers import (
    Contract,
    Downstream,
    Drop,
    DropReason,
    Extracted,
    Headers,
    Outgoing,
    Refusal,
    Report,
    extract,
    inject,
)

_CUT: Final = Drop(f"baggage:{CARRY_KEY}", DropReason.OVER_BUDGET)


class Arrival(msgspec.Struct, frozen=True):
    """What came in.

    report: what was taken, added and dropped. refusal: set if an HTTP request must not be handled.
    stranger_trace: what a stranger's trace context said, to link to.
    group_faults: one for each group of carried decisions that was malformed.
    """

    context: RequestContext
    report: Report
    refusal: Refusal | None
    stranger_trace: Trace | None
    group_faults: tuple[GroupFault, ...]


class Departure(Outgoing, frozen=True):
    """What leaves, and how many decisions did not fit the budget (then the report names our member as well)."""

    cut_count: int


def arrive(
    contract: Contract,
    headers: Headers,
    *,
    is_trusted: bool,
    identity: Identity,
    entropy: bytes,
    is_replay: bool = False,
    takes_override: bool = False,
) -> Arrival:
    """The context of a request or record, its ledger filled with what arrived.

    is_trusted: the sender has been verified as one of ours; of a stranger's nothing of ours is even decoded.
    entropy: 40 random bytes. is_replay: the record is processed again on purpose; a sender may say so as well.
    takes_override: this is a public boundary: the token of an override goes to the ledger, unverified.
    """
    extracted = extract(contract, headers, is_trusted=is_trusted, entropy=entropy, takes_override=takes_override)
    ledger = Ledger()
    ledger.override = extracted.override
    faults: tuple[GroupFault, ...] = ()
    if is_trusted and extracted.ours:
        values: list[str] = []
        foreign: list[Member] = []
        for member in extracted.ours:
            if member.key != CARRY_KEY:
                foreign.append(member)
            elif member.value:
                values.append(member.value)
        ledger.foreign = tuple(foreign)
        decoded = decode(".".join(values))
        ledger.arrived, ledger.was_cut, faults = decoded.arrived, decoded.was_cut, decoded.dropped
        is_replay = is_replay or decoded.is_replay
    context = _context_of(extracted, ledger, identity, is_replay=is_replay)
    return Arrival(context, extracted.report, extracted.refusal, extracted.stranger_trace, faults)


def depart(
    contract: Contract, downstream: Downstream | None, context: RequestContext | None, *, trace: Trace | None
) -> Departure:
    """What leaves for a downstream.

    downstream: None if the contract declares none for this host or topic: it gets nothing, and all of ours comes off.
    context: None outside a request. trace: this call's own; None: the request's.
    """
    if context is None:
        outgoing = inject(contract, downstream, trace=trace, request_id=None, correlation_id=None, baggage=(), ours=())
        return _departure(outgoing, 0)
    ours, cut_count = _ours_leaving(contract, downstream, context)
    outgoing = inject(
        contract,
        downstream,
        trace=context.trace if trace is None else trace,
        request_id=context.request_id,
        correlation_id=context.correlation_id,
        baggage=context.baggage,
        ours=ours,
        fields=context.fields,
    )
    return _departure(outgoing, cut_count)


def _context_of(extracted: Extracted, ledger: Ledger, identity: Identity, *, is_replay: bool) -> RequestContext:
    return RequestContext(
        trace=extracted.trace,
        request_id=extracted.request_id,
        ledger=ledger,
        correlation_id=extracted.correlation_id,
        caller_request_id=extracted.caller_request_id,
        identity=identity,
        baggage=extracted.baggage,
        is_replay=is_replay,
        fields=extracted.fields,
    )


def _ours_leaving(
    contract: Contract, downstream: Downstream | None, context: RequestContext
) -> tuple[tuple[Member, ...], int]:
    """Our members for this downstream, the decisions first, and how many decisions were cut."""
    if not contract.route(downstream).decisions:
        return (), 0
    ledger = context.ledger
    # A contract may allow less baggage than we would use; key and "=" count there.
    budget_bytes = min(BUDGET_BYTES, contract.baggage.max_bytes - len(CARRY_KEY) - 1)
    encoded = encode(ledger, budget_bytes=budget_bytes, is_replay=context.is_replay)
    own = (Member(CARRY_KEY, encoded.value),) if encoded.value else ()
    return own + ledger.foreign, encoded.cut_count


def _departure(outgoing: Outgoing, cut_count: int) -> Departure:
    report = outgoing.report
    if cut_count:
        report = msgspec.structs.replace(report, dropped=(*report.dropped, _CUT))
    return Departure(outgoing.set, outgoing.remove, report, cut_count)
