"""A hop's way in, as every door makes it: headers become a request context.

The header contract says what may cross; here its opaque members of ours meet the ledger.
"""

import msgspec

from pennon.carry.reading import GroupFault, decode
from pennon.carry.wire import CARRY_KEY
from pennon.carry.writing import remember_arrived
from pennon.context import Identity, Ledger, Member, RequestContext, Trace
from pennon.headers import Contract, Headers, Refusal, Report, extract


class Arrival(msgspec.Struct, frozen=True):
    """What came in.

    report: what was taken, added and dropped. refusal: set if an HTTP request must not be handled.
    stranger_trace: what a stranger's trace context said, to link to.
    group_faults: one for each group of carried decisions that was malformed.
    spoiled, shown: as `Extracted` has them.
    """

    context: RequestContext
    report: Report
    refusal: Refusal | None
    stranger_trace: Trace | None
    group_faults: tuple[GroupFault, ...]
    spoiled: tuple[str, ...] = ()
    shown: tuple[bool, ...] | None = None


def arrive(
    contract: Contract,
    headers: Headers,
    *,
    is_trusted: bool,
    identity: Identity | None,
    entropy: bytes,
    is_replay: bool = False,
    takes_override: bool = False,
    now_ns: int = 0,
    monotonic_ns: int | None = None,
    peer: str | None = None,
    stops: bool = False,
    is_record: bool = False,
) -> Arrival:
    """The context of a request or record, its ledger filled with what arrived.

    is_trusted: the sender has been verified as one of ours; of a stranger's nothing of ours is even decoded.
    identity: who asks; None: nobody else knows, so that a verified sender's declared identity headers say it.
    entropy: 40 random bytes. is_replay: the record is processed again on purpose; a sender may say so as well.
    takes_override: this is a public boundary: the token of an override goes to the ledger, unverified.
    now_ns, monotonic_ns, peer, stops, is_record: as for `extract`.
    """
    extracted = extract(
        contract,
        headers,
        is_trusted=is_trusted,
        entropy=entropy,
        takes_override=takes_override,
        takes_identity=identity is None,
        now_ns=now_ns,
        monotonic_ns=monotonic_ns,
        peer=peer,
        stops=stops,
        is_record=is_record,
    )
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
        value = ".".join(values)
        decoded = decode(value)
        ledger.arrived, ledger.was_cut, faults = decoded.arrived, decoded.was_cut, decoded.dropped
        if decoded.is_plain:
            remember_arrived(ledger, value)
        is_replay = is_replay or decoded.is_replay
    context = RequestContext(
        trace=extracted.trace,
        request_id=extracted.request_id,
        ledger=ledger,
        correlation_id=extracted.correlation_id,
        caller_request_id=extracted.caller_request_id,
        identity=extracted.identity if identity is None else identity,
        baggage=extracted.baggage,
        is_replay=is_replay,
        fields=extracted.fields,
        deadline=extracted.deadline,
        forwarded=extracted.forwarded,
    )
    return Arrival(
        context,
        extracted.report,
        extracted.refusal,
        extracted.stranger_trace,
        faults,
        extracted.spoiled,
        extracted.shown,
    )
