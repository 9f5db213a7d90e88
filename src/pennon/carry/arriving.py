"""A hop's way in, as every door makes it: headers become a request context.

The header contract says what may cross; here its opaque members of ours meet the ledger.
"""

import msgspec

from pennon.carry.reading import GroupFault, decode
from pennon.carry.wire import CARRY_KEY
from pennon.context import Identity, Ledger, Member, RequestContext, Trace
from pennon.headers import Contract, Extracted, Headers, Refusal, Report, extract


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
