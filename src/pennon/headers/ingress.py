"""Extract: what a request's or record's headers tell us, as far as its sender is believed.

Rules. Sizes are counted before anything is parsed. Each header is judged by itself: a bad one never takes another with
it (but for tracestate, which means nothing without traceparent). No bytes raise. From a verified sender the trace is
continued, ids are kept, and declared identity headers say who asks; for a stranger the trace begins anew and its
request id is only noted. What concerns one connection is never kept.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from pennon.context import CorrelationId, Deadline, Forwarded, RequestId, SpanId, Trace
from pennon.headers.admission import NOTHING, Admitted, admit
from pennon.headers.carrier import Headers
from pennon.headers.contract import Contract
from pennon.headers.deadline import read_deadline
from pennon.headers.extracted import Extracted
from pennon.headers.grammar import (
    BAGGAGE,
    CORRELATION_ID,
    OVERRIDE,
    OWS,
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
    agree,
    is_visible,
)
from pennon.headers.identity import IDENTITY_NAMES
from pennon.headers.ids import new_request_id, parse_id
from pennon.headers.ordinary import read_ordinary
from pennon.headers.proxies import client_behind
from pennon.headers.reading import Way
from pennon.headers.report import Drop, DropReason, Refusal, Report
from pennon.headers.std import FORWARDING
from pennon.headers.tracecontext import (
    STATE_RESTARTED,
    TRACE_RESTARTED,
    TraceParent,
    begun_trace,
    nonzero,
    parse_traceparent,
    read_tracestate,
)
from pennon.headers.valuing import Valuing
from pennon.headers.work import MEMBER_STEPS, STATE_STEPS, UNSHARED, chain_steps, list_steps, shares_of

# A trace id of 16 bytes, a span id of 8, a request id of 16.
ENTROPY_BYTES: Final = 40

# A signed token with a key id, a flag, a variant and a unit is about 500; the rest is room for long unit keys.
OVERRIDE_MAX_BYTES: Final = 2_048

_MISSING_STATUS: Final = 400


IdT = TypeVar("IdT")


def extract(
    contract: Contract,
    headers: Headers,
    *,
    is_trusted: bool,
    entropy: bytes,
    takes_override: bool = False,
    takes_identity: bool = True,
    now_ns: int = 0,
    monotonic_ns: int | None = None,
    peer: str | None = None,
    stops: bool = False,
    is_record: bool = False,
) -> Extracted:
    """Read headers under a contract.

    is_trusted: the sender has been verified as one of ours.
    entropy: 40 random bytes, for the ids that are new.
    takes_override: this is a public boundary, where a tester may show a token; elsewhere it is dropped.
    takes_identity: nobody else says who asks, so that a verified caller's identity headers do.
    now_ns, monotonic_ns: wall clock, since 1970, and the clock for intervals; None: no deadline is read.
    peer: the address of who is connected to us, for what proxies say; None if unknown.
    stops: a refused request is not handled, so that the rest of one that is over a budget is not read. A record is.
    is_record: they are a record's, where a field's name on records counts as well.
    Raises: ValueError if entropy is of another length; nothing for any headers.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy: {len(entropy)} bytes; {ENTROPY_BYTES} are needed")
    reading = contract.record_reading if is_record else contract.reading
    way = reading.way(is_trusted=is_trusted, takes_identity=takes_identity)
    ordinary = read_ordinary(
        contract,
        way,
        headers,
        is_trusted=is_trusted,
        entropy=entropy,
        now_ns=now_ns,
        monotonic_ns=monotonic_ns,
        peer=peer,
    )
    if ordinary is not None:
        return ordinary
    crossing = _Crossing(contract, way, is_trusted=is_trusted, entropy=entropy)
    crossing.gather(headers, stops=stops)
    if crossing.refusal is None or not stops:
        crossing.read_others(now_ns, monotonic_ns, peer, takes_override=takes_override)
        if contract.reading.required:
            crossing.require(takes_identity=takes_identity)
    return crossing.extracted()


class _Crossing(Valuing):
    """One extraction under way: what was found, and what it came to."""

    __slots__ = ("_added", "_baggage", "_chain", "_deadline", "_entropy", "_forwarded", "_override", "_shares")

    def __init__(self, contract: Contract, way: Way, *, is_trusted: bool, entropy: bytes) -> None:
        super().__init__(contract, way, is_trusted=is_trusted)
        self._entropy = entropy
        self._added: list[str] = []
        self._baggage = NOTHING
        self._deadline: Deadline | None = None
        self._forwarded: Forwarded | None = None
        self._override: str | None = None
        self._chain = 0
        self._shares = UNSHARED

    def read_others(self, now_ns: int, monotonic_ns: int | None, peer: str | None, *, takes_override: bool) -> None:
        """Everything that a request which is not handled needs not: trace and ids are read in any case."""
        if self.own:
            self._read_own(takes_override=takes_override)
        if monotonic_ns is not None and self._contract.deadline is not None:
            self._read_deadline(now_ns, monotonic_ns)
        if self._contract.proxies is not None:
            self._read_proxies(peer)
        self._share()
        if BAGGAGE in self.found:
            self._baggage = self._read_baggage()
        if self._way.rules:
            self.read_fields()

    def require(self, *, takes_identity: bool) -> None:
        """Refuse a request without what it must have; a record is told of."""
        for name in self._contract.reading.required:
            is_here = name in self.found and name not in self.lost
            if is_here or (name in IDENTITY_NAMES and not takes_identity):
                continue
            self.dropped.append(Drop(name, DropReason.MISSING))
            if self.refusal is None:
                self.refusal = Refusal(_MISSING_STATUS, name, is_missing=True)

    def extracted(self) -> Extracted:
        trace, stranger_trace = self._trace()
        request_id, caller_request_id = self._request_id()
        correlation_id = self._id(CORRELATION_ID, CorrelationId) if CORRELATION_ID in self.found else None
        baggage = self._baggage
        lost = self.lost
        took = tuple([name for name in self.found if name not in lost]) if lost else tuple(self.found)
        return Extracted(
            trace,
            request_id,
            correlation_id,
            caller_request_id,
            baggage.members,
            baggage.ours,
            self.fields,
            Report(took, tuple(self._added), tuple(self.dropped)),
            self.refusal,
            stranger_trace,
            self._override,
            self.identity,
            self._deadline,
            self._forwarded,
            tuple(self.spoiled),
        )

    def _trace(self) -> tuple[Trace, Trace | None]:
        parent = self._parent() if TRACEPARENT in self.found else None
        entropy = self._entropy
        span_id = SpanId(nonzero(entropy[16:24].hex()))
        if parent is not None and self._is_trusted:
            state = self._state() if TRACESTATE in self.found else ""
            return Trace(parent.trace_id, span_id, parent.parent_id, parent.flags, state), None
        self._added.append(TRACEPARENT)
        if TRACESTATE in self.found:
            self.dropped.append(STATE_RESTARTED)
            self.lost.append(TRACESTATE)
        trace = begun_trace(entropy, span_id)
        if parent is None:
            return trace, None
        self.dropped.append(TRACE_RESTARTED)
        self.lost.append(TRACEPARENT)
        return trace, Trace(parent.trace_id, parent.parent_id, None, parent.flags, "")

    def _parent(self) -> TraceParent | None:
        if TRACEPARENT in self.more:
            self.spoil(TRACEPARENT, DropReason.REPEATED)
            return None
        parent = parse_traceparent(self.found[TRACEPARENT])
        if parent is None:
            self.spoil(TRACEPARENT, DropReason.MALFORMED)
        return parent

    def _state(self) -> str:
        if not self._shares.reads_state:
            self.spoil(TRACESTATE, DropReason.TOO_MANY)
            return ""
        read = read_tracestate(self.lines(TRACESTATE), limit_chars=self._contract.budgets.trace_bytes)
        self.dropped += read.dropped
        if not read.value:
            self.lost.append(TRACESTATE)
            self.spoiled.append(TRACESTATE)
        return read.value

    def _request_id(self) -> tuple[RequestId, RequestId | None]:
        """This request's id, and what a stranger calls it."""
        given = self._id(REQUEST_ID, RequestId) if REQUEST_ID in self.found else None
        if given is not None and self._is_trusted:
            return given, None
        self._added.append(REQUEST_ID)
        return new_request_id(self._entropy[24:]), given

    def _id(self, name: str, kind: Callable[[str], IdT]) -> IdT | None:
        if name in self.more and not agree(self.more[name]):
            self.spoil(name, DropReason.REPEATED)
            return None
        parsed = parse_id(self.found[name])
        if parsed is None:
            self.spoil(name, DropReason.MALFORMED)
            return None
        holds_business_id = self._contract.holds_business_id
        if holds_business_id is not None and holds_business_id(parsed):
            self.spoil(name, DropReason.BUSINESS_ID)
            return None
        return kind(parsed)

    def _read_own(self, *, takes_override: bool) -> None:
        """A stranger's count for nothing, but for an override at a public boundary; of ours the rest is not read."""
        for name, lines in self.own.items():
            if name == OVERRIDE:
                self._override = self._token(lines, is_taken=takes_override)
            elif not self._is_trusted:
                self.dropped.append(Drop(name, DropReason.NOT_TRUSTED))

    def _token(self, lines: Sequence[bytes], *, is_taken: bool) -> str | None:
        """The token, if it may stand here and stands once; equal copies count as several."""
        token = lines[0].strip(OWS)
        if not is_taken:
            reason = DropReason.MISPLACED
        elif len(lines) > 1:
            reason = DropReason.REPEATED
        elif len(token) > OVERRIDE_MAX_BYTES:
            reason = DropReason.TOO_LONG
        elif not is_visible(token):
            reason = DropReason.MALFORMED
        else:
            self.found[OVERRIDE] = token
            return token.decode()
        self.dropped.append(Drop(OVERRIDE, reason))
        return None

    def _read_deadline(self, now_ns: int, monotonic_ns: int) -> None:
        policy = self._contract.deadline
        if policy is None:
            return
        # What does not count from this sender is dropped by its rule.
        said = {form: self.lines(form) for form in policy.accept if form in self.found and form not in self._way.rules}
        read = read_deadline(said, policy, is_trusted=self._is_trusted, now_ns=now_ns, monotonic_ns=monotonic_ns)
        self._deadline = read.deadline
        for drop in read.dropped:
            self.spoil(drop.name, drop.reason)
            if drop.name in read.took:
                # Of lines that disagree the soonest counts; nobody else should guess which.
                self.lost.remove(drop.name)

    def _read_proxies(self, peer: str | None) -> None:
        proxies = self._contract.proxies
        said = {name: self.lines(name) for name in FORWARDING if name in self.found}
        if self.was_cut and proxies is not None and proxies.trusted.hold_text(peer):
            # The nearest proxy's word may stand last. Without it nobody knows, and what is left may be the client's.
            self._forwarded = Forwarded(None)
            for name in said:
                self.spoil(name, DropReason.TOO_MANY)
            return
        behind = client_behind(peer, said, proxies)
        self._forwarded = behind.client
        self._chain = chain_steps(behind.elements, sum([len(line) for lines in said.values() for line in lines]))
        for drop in behind.dropped:
            self.spoil(drop.name, drop.reason)

    def _share(self) -> None:
        """Divide what is left of the work that one message may be."""
        self._shares = shares_of(
            self._contract.baggage,
            chain=self._chain,
            baggage=list_steps(self.lines(BAGGAGE), MEMBER_STEPS) if BAGGAGE in self.found else 0,
            # A stranger's is not read.
            state=list_steps(self.lines(TRACESTATE), STATE_STEPS)
            if self._is_trusted and TRACESTATE in self.found
            else 0,
        )

    def _read_baggage(self) -> Admitted:
        policy = self._contract.baggage
        admitted = admit(
            self.lines(BAGGAGE),
            policy,
            self._contract.priorities,
            is_trusted=self._is_trusted,
            remembered=self._way.remembered.members,
            limit_count=self._shares.members,
        )
        self.dropped += admitted.dropped
        if admitted.is_too_long:
            self.refuse(BAGGAGE, f"{policy.wire_max_bytes} bytes", policy.refuse_status, DropReason.TOO_LONG)
        if not (admitted.members or admitted.ours):
            self.lost.append(BAGGAGE)
        return admitted
