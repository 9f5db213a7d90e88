"""What a request's or record's headers came to: the value that reading them gives."""

import msgspec

from pennon.context import CorrelationId, Deadline, Forwarded, Identity, Member, RequestId, Trace
from pennon.headers.report import Refusal, Report


class Extracted(msgspec.Struct, frozen=True):
    """What came in.

    trace: where this hop stands: its own span id is new, parent_span_id the verified caller's.
    request_id: the verified caller's, else a new one. caller_request_id: a stranger's own; for logs only.
    correlation_id: as received, from anybody; None if there was none or it was invalid.
    baggage: members that were kept, without ours. ours: those whose key begins with "pennon",
        in order; from strangers none, and theirs were never decoded.
    fields: name (lower-case) and value of declared fields, as far as this sender may set them; who asks is not among
        them. Of a list that came in several lines they are joined by ", ".
    refusal: set if the request must not be handled; for a record it may be ignored, the rest is usable.
    stranger_trace: what a stranger's traceparent said, to link to: its span_id is the caller's span.
    override: the token of an override, as it came; nobody has verified it.
    identity: what a verified caller's declared identity headers say.
    deadline: None where the contract declares none, and without readings of the clocks.
    forwarded: who asked behind trusted proxies; None where the contract declares none, or the peer is none of them.
    spoiled: the names of headers that were dropped for what they said, so that nobody else should read them either.
    shown: which of the headers an application may see as they came, in their order; None: `Shown` knows by their names.
    """

    trace: Trace
    request_id: RequestId
    correlation_id: CorrelationId | None
    caller_request_id: RequestId | None
    baggage: tuple[Member, ...]
    ours: tuple[Member, ...]
    fields: tuple[tuple[str, str], ...]
    report: Report
    refusal: Refusal | None
    stranger_trace: Trace | None
    override: str | None = None
    identity: Identity = Identity()
    deadline: Deadline | None = None
    forwarded: Forwarded | None = None
    spoiled: tuple[str, ...] = ()
    shown: tuple[bool, ...] | None = None
