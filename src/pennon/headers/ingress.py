"""Extract: what a request's or record's headers tell us, as far as its sender is believed.

Rules. Sizes are counted before anything is parsed. Each header is judged by itself: a bad one never takes another with
it (but for tracestate, which means nothing without traceparent). No bytes raise. From a verified sender the trace is
continued and ids are kept; for a stranger the trace begins anew and its request id is only noted.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.context import Member, Trace
from pennon.headers.admission import NOTHING, Admitted, admit
from pennon.headers.carrier import Headers
from pennon.headers.contract import Contract
from pennon.headers.fields import TOO_LARGE_STATUS
from pennon.headers.grammar import (
    BAGGAGE,
    CORRELATION_ID,
    OVERRIDE,
    OWN,
    OWS,
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
    agree,
    is_visible,
    visible,
)
from pennon.headers.ids import new_request_id, parse_id
from pennon.headers.report import Drop, DropReason, Refusal, Report
from pennon.headers.tracecontext import (
    RANDOM,
    TraceParent,
    fit_tracestate,
    format_tracestate,
    parse_traceparent,
    parse_tracestate,
)

# A trace id of 16 bytes, a span id of 8, a request id of 16.
ENTROPY_BYTES: Final = 40

# A signed token with a key id, a flag, a variant and a unit is about 500; the rest is room for long unit keys.
OVERRIDE_MAX_BYTES: Final = 2_048

_ALL: Final = "headers"


class Extracted(msgspec.Struct, frozen=True):
    """What came in.

    trace: where this hop stands: its own span id is new, parent_span_id the verified caller's.
    request_id: the verified caller's, else a new one. caller_request_id: a stranger's own; for logs only.
    correlation_id: as received, from anybody; None if there was none or it was invalid.
    baggage: members that were kept, without ours. ours: those whose key begins with "pennon",
        in order; from strangers none, and theirs were never decoded.
    fields: name (lower-case) and value of declared fields, as far as this sender may set them.
    refusal: set if the request must not be handled; for a record it may be ignored, the rest is usable.
    stranger_trace: what a stranger's traceparent said, to link to: its span_id is the caller's span.
    override: the token of an override, as it came; nobody has verified it.
    """

    trace: Trace
    request_id: str
    correlation_id: str | None
    caller_request_id: str | None
    baggage: tuple[Member, ...]
    ours: tuple[Member, ...]
    fields: tuple[tuple[str, str], ...]
    report: Report
    refusal: Refusal | None
    stranger_trace: Trace | None
    override: str | None = None


def extract(
    contract: Contract, headers: Headers, *, is_trusted: bool, entropy: bytes, takes_override: bool = False
) -> Extracted:
    """Read headers under a contract.

    is_trusted: the sender has been verified as one of ours.
    entropy: 40 random bytes, for the ids that are new.
    takes_override: this is a public boundary, where a tester may show a token; elsewhere it is dropped.
    Raises: ValueError if entropy is of another length; nothing for any headers.
    """
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"entropy: {len(entropy)} bytes; {ENTROPY_BYTES} are needed")
    return _Crossing(contract, headers, is_trusted=is_trusted, entropy=entropy).extracted(takes_override=takes_override)


class _Crossing:
    """One extraction under way: the values found by name, and the report as it grows."""

    __slots__ = ("_added", "_contract", "_dropped", "_entropy", "_found", "_is_trusted", "_refusal", "_took")

    def __init__(self, contract: Contract, headers: Headers, *, is_trusted: bool, entropy: bytes) -> None:
        self._contract = contract
        self._is_trusted = is_trusted
        self._entropy = entropy
        self._took: list[str] = []
        self._added: list[str] = []
        self._dropped: list[Drop] = []
        self._refusal: Refusal | None = None
        self._found = self._gathered(headers)

    def extracted(self, *, takes_override: bool) -> Extracted:
        if not self._is_trusted:
            found = self._found.keys() - {OVERRIDE}
            self._dropped += [Drop(name, DropReason.NOT_TRUSTED) for name in OWN if name in found]
        override = self._override(is_taken=takes_override) if OVERRIDE in self._found else None
        trace, stranger_trace = self._trace()
        request_id, caller_request_id = self._request_id()
        correlation_id = self._id(CORRELATION_ID)
        baggage = self._baggage() if BAGGAGE in self._found else NOTHING
        return Extracted(
            trace=trace,
            request_id=request_id,
            correlation_id=correlation_id,
            caller_request_id=caller_request_id,
            baggage=baggage.members,
            ours=baggage.ours,
            fields=self._fields(),
            report=Report(tuple(self._took), tuple(self._added), tuple(self._dropped)),
            refusal=self._refusal,
            stranger_trace=stranger_trace,
            override=override,
        )

    def _gathered(self, headers: Headers) -> dict[str, list[bytes]]:
        """The values of the headers that the contract knows, by our name for them; all headers are counted."""
        contract = self._contract
        slots, budgets = contract.slots, contract.budgets
        found: dict[str, list[bytes]] = {}
        total_bytes = 0
        for name, value in headers:
            total_bytes += len(name)
            if value is None:
                continue
            total_bytes += len(value)
            slot = slots.get(name.lower())
            if slot is not None:
                found.setdefault(slot, []).append(value)
        if len(headers) > budgets.total_count:
            self._refuse(_ALL, f"{budgets.total_count} headers", TOO_LARGE_STATUS, DropReason.TOO_MANY)
        elif total_bytes > budgets.total_bytes:
            self._refuse(_ALL, f"{budgets.total_bytes} bytes", TOO_LARGE_STATUS, DropReason.TOO_LONG)
        return found

    def _trace(self) -> tuple[Trace, Trace | None]:
        parent = self._parent()
        entropy = self._entropy
        span_id = _nonzero(entropy[16:24].hex())
        if parent is not None and self._is_trusted:
            self._took.append(TRACEPARENT)
            return Trace(parent.trace_id, span_id, parent.parent_id, parent.flags, self._state()), None
        self._added.append(TRACEPARENT)
        if TRACESTATE in self._found:
            self._drop(TRACESTATE, DropReason.RESTARTED)
        # Not sampled: nobody here has decided to record; all 16 bytes are random.
        trace = Trace(_nonzero(entropy[:16].hex()), span_id, None, RANDOM, "")
        if parent is None:
            return trace, None
        self._drop(TRACEPARENT, DropReason.RESTARTED)
        return trace, Trace(parent.trace_id, parent.parent_id, None, parent.flags, "")

    def _parent(self) -> TraceParent | None:
        values = self._found.get(TRACEPARENT)
        if values is None:
            return None
        if len(values) > 1:
            self._drop(TRACEPARENT, DropReason.REPEATED)
            return None
        parent = parse_traceparent(values[0])
        if parent is None:
            self._drop(TRACEPARENT, DropReason.MALFORMED)
        return parent

    def _state(self) -> str:
        values = self._found.get(TRACESTATE)
        if values is None:
            return ""
        parsed = parse_tracestate(values)
        fitted = fit_tracestate(parsed.members)
        self._dropped += parsed.dropped
        self._dropped += fitted.dropped
        if fitted.members:
            self._took.append(TRACESTATE)
        return format_tracestate(fitted.members)

    def _request_id(self) -> tuple[str, str | None]:
        """This request's id, and what a stranger calls it."""
        given = self._id(REQUEST_ID)
        if given is not None and self._is_trusted:
            return given, None
        self._added.append(REQUEST_ID)
        return new_request_id(self._entropy[24:]), given

    def _override(self, *, is_taken: bool) -> str | None:
        """The token, if it may stand here and stands once; equal copies count as several."""
        values = self._found[OVERRIDE]
        token = values[0].strip(OWS)
        if not is_taken:
            reason = DropReason.MISPLACED
        elif len(values) > 1:
            reason = DropReason.REPEATED
        elif len(token) > OVERRIDE_MAX_BYTES:
            reason = DropReason.TOO_LONG
        elif not is_visible(token):
            reason = DropReason.MALFORMED
        else:
            self._took.append(OVERRIDE)
            return token.decode()
        self._drop(OVERRIDE, reason)
        return None

    def _id(self, name: str) -> str | None:
        values = self._found.get(name)
        if values is None:
            return None
        if not agree(values):
            self._drop(name, DropReason.REPEATED)
            return None
        parsed = parse_id(values[0])
        if parsed is None:
            self._drop(name, DropReason.MALFORMED)
        else:
            self._took.append(name)
        return parsed

    def _baggage(self) -> Admitted:
        policy = self._contract.baggage
        admitted = admit(self._found[BAGGAGE], policy, self._contract.priorities, is_trusted=self._is_trusted)
        self._dropped += admitted.dropped
        if admitted.is_too_long:
            self._refuse(BAGGAGE, f"{policy.wire_max_bytes} bytes", policy.refuse_status, DropReason.TOO_LONG)
        elif admitted.members or admitted.ours:
            self._took.append(BAGGAGE)
        return admitted

    def _fields(self) -> tuple[tuple[str, str], ...]:
        declared = self._contract.fields_by_name
        if not declared:
            return ()
        taken = []
        for name, values in self._found.items():
            if name in declared:
                value = self._field(name, values)
                if value is not None:
                    self._took.append(name)
                    taken.append((name, value))
        return tuple(taken)

    def _field(self, name: str, values: Sequence[bytes]) -> str | None:
        declared, syntax = self._contract.fields_by_name[name]
        reason = None
        value = values[0].strip(OWS)
        text = visible(value) if len(value) <= declared.max_length else None
        if not (self._is_trusted or declared.is_open):
            reason = DropReason.NOT_TRUSTED
        elif not agree(values):
            reason = DropReason.REPEATED
        elif len(value) > declared.max_length:
            reason = DropReason.TOO_LONG
        elif text is None or syntax.fullmatch(text) is None:
            reason = DropReason.MALFORMED
        if reason is not None:
            self._drop(name, reason)
            return None
        return text

    def _drop(self, name: str, reason: DropReason) -> None:
        self._dropped.append(Drop(name, reason))

    def _refuse(self, name: str, limit: str, status: int, reason: DropReason) -> None:
        self._drop(name, reason)
        if self._refusal is None:
            self._refusal = Refusal(status, name, limit)


def _nonzero(digits: str) -> str:
    """The id, or 1 in place of 0, which W3C reserves for "none"."""
    return digits if digits.strip("0") else digits[:-1] + "1"
