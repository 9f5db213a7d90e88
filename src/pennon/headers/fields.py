"""The parts of a contract: what is declared about a header, about baggage, and about who may get what.

They are plain values; `Contract` checks them, all at once.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from typing import Final

from pennon.headers.deadline import DeadlineForm
from pennon.headers.values import listed, ranked

MAX_BAGGAGE_BYTES: Final = 1_024
MAX_BAGGAGE_MEMBERS: Final = 16
# W3C Baggage, "Limits": what a platform must be ready to take. Above it a request is refused, not cut.
WIRE_MAX_BYTES: Final = 8_192
# RFC 6585 §5: Request Header Fields Too Large.
TOO_LARGE_STATUS: Final = 431


class Category(StrEnum):
    """What a header is for. Every header belongs to exactly one."""

    PROTOCOL = "protocol"
    OBSERVABILITY = "observability"
    EXECUTION = "execution"
    ROUTING = "routing"
    SECURITY = "security"
    EVOLUTION = "evolution"
    CONCURRENCY = "concurrency"


class Trust(StrEnum):
    """Whose word counts for a field. Anybody else's is dropped."""

    CLIENT = "client"
    """Anybody's."""
    GATEWAY = "gateway"
    """The gateway's; hence it is taken from verified callers only."""
    MESH = "mesh"
    """Any verified service's."""


class Propagate(StrEnum):
    """Where a received field is sent on to."""

    NEVER = "never"
    PER_DOWNSTREAM = "per_downstream"
    """To the downstreams that name it."""
    ALWAYS = "always"
    """To every declared downstream that is not external."""


class Log(StrEnum):
    """How a field may stand in a log line."""

    NEVER = "never"
    REDACTED = "redacted"
    HASH = "hash"
    CLEAR = "clear"


class Classification(StrEnum):
    """How much a field's value gives away."""

    PUBLIC = "public"
    INTERNAL = "internal"
    INTERNAL_ID = "internal_id"
    PERSONAL = "personal"
    SECRET = "secret"  # noqa: S105  # a class of fields


PRIVATE: Final = (Classification.PERSONAL, Classification.SECRET)
"""The classes whose values stay where they were received."""


class UnknownHeaders(StrEnum):
    """What happens to headers that neither the contract nor `std` names."""

    KEEP = "keep"
    """The application sees them; no door sends them on or writes them anywhere."""
    DROP = "drop"
    """The application does not see them."""
    REJECT = "reject"
    """The request is refused with 400. A record is handled without them."""


class Limits(StrEnum):
    """Whether a request that breaks a limit is turned away.

    A limit is a budget, what may stand there at all (`UnknownHeaders.REJECT`), what must (`Field.required`), and the
    floor of a deadline. Whom a service believes, and what it strips, is no limit.
    """

    ENFORCE = "enforce"
    """It is answered with the limit's status, and not handled."""
    OBSERVE = "observe"
    """It is counted, noted, and handled as a record is: without what was over the limit."""


class UnknownMembers(StrEnum):
    """What happens to baggage members that the allow list does not name."""

    KEEP_IN_MESH = "keep_in_mesh"
    """Kept from verified callers, dropped from strangers."""
    DROP = "drop"
    """Dropped from everybody."""


@dataclass(frozen=True, slots=True)
class Field:
    """The declaration of one header of yours. Nothing about it has a default but the last two: each is a decision.

    name: on HTTP; compared without case, sent in lower case. kafka: on records; None: the same.
    owner: who answers for it. syntax: a regular expression that the whole value matches. max_length: in bytes.
    trust, caller_may_set, gateway_overwrites: a value is taken from a verified caller; from a stranger only if trust
        is CLIENT, it may set the field, and no gateway overwrites it.
    downstream_may_forward: False: who received it keeps it to itself, whatever `propagate` says.
    log, classification: for whoever logs; a field that is PUBLIC is also left alone where you set it by hand on a
        request to a host that may not get it from us.
    required: a request in which the field is missing, or its value does not count, is refused with 400; a record is
        handled without it, and says so. Where the boundary's `identity` tells who asks, its headers need not be there.
    """

    name: str
    _: KW_ONLY
    category: Category
    owner: str
    syntax: str
    max_length: int
    trust: Trust
    caller_may_set: bool
    gateway_overwrites: bool
    downstream_may_forward: bool
    propagate: Propagate
    log: Log
    classification: Classification
    description: str
    kafka: str | None = None
    required: bool = False

    @property
    def is_open(self) -> bool:
        """Whether a stranger's value is taken."""
        return self.trust is Trust.CLIENT and self.caller_may_set and not self.gateway_overwrites


@dataclass(frozen=True, slots=True)
class BaggageKey:
    """What may stand under a key of baggage: hints of few different values, not ids and not business data.

    key: as it stands in the header; with "*" at its end, every key that begins so ("exp.*").
    enum: the values. syntax: a regular expression that the whole value matches. One of the two; None: anything.
    max_length: in characters, decoded; None: what the policy's max_bytes leaves. A value that does not fit is dropped.
    max_values: how many different values a process is to see; more are counted, and kept. None: any number.
    classification: what is PERSONAL or SECRET cannot be declared: baggage goes to every service.
    """

    key: str
    _: KW_ONLY
    enum: Sequence[str] | None = None
    syntax: str | None = None
    max_length: int | None = None
    max_values: int | None = None
    classification: Classification = Classification.INTERNAL
    description: str = ""

    def __post_init__(self) -> None:
        if self.enum is not None:
            object.__setattr__(self, "enum", listed(self.enum))


@dataclass(frozen=True, slots=True, kw_only=True)
class BaggagePolicy:
    """How much baggage is kept, and whose.

    max_bytes, max_members: of what is kept, decoded, ours included; whole members go: unknown ones first, then the
        allow list from its end, each from the last received; ours go last.
    wire_max_bytes: of the header as received, all lines together; above it a request is refused with refuse_status,
        and a record's baggage is dropped.
    allow: what is known to this contract, most important first: keys, or what may stand under them. Keys that begin
        with "pennon" are known everywhere.
    """

    max_bytes: int = MAX_BAGGAGE_BYTES
    max_members: int = MAX_BAGGAGE_MEMBERS
    wire_max_bytes: int = WIRE_MAX_BYTES
    allow: Sequence[str | BaggageKey] = ()
    on_unknown: UnknownMembers = UnknownMembers.KEEP_IN_MESH
    refuse_status: int = TOO_LARGE_STATUS

    def __post_init__(self) -> None:
        object.__setattr__(self, "allow", ranked(self.allow))


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """How much room headers get, by group.

    total_bytes, total_count: of a message's headers together, ours or not, names and values. custom_bytes: of the
        fields that are not standard, names and values. trace_bytes: of tracestate; whole members are cut (W3C).
    A request over one of the first three is refused with 431 that names "headers" or "custom"; a record is handled, its
    custom fields without the last declared ones. What leaves is cut in the same way.
    """

    total_bytes: int = 16_384
    total_count: int = 100
    custom_bytes: int = 2_048
    trace_bytes: int = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often a failed call is made again: where that is safe, while the deadline leaves time.

    attempts: the first one included. initial_s, max_s: between them, exponential, with jitter.
    """

    attempts: int = 3
    initial_s: float = 0.1
    max_s: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """When a downstream is left alone: after so many failures in a row, for so long."""

    failures: int = 5
    rest_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Downstream:
    """A host or topic that we call or write to, and what it may get.

    host: "posts.internal"; with a port ("127.0.0.1:8001") only that port; "*.pay.internal" is every name below
        pay.internal, at any depth, not itself. topic: a Kafka topic. One of the two.
    external: somebody else's: it gets neither decisions nor baggage, nor fields that it does not name.
    trace, request_id, correlation_id, baggage, decisions: whether it gets these.
    fields: names of declared fields that it gets beside those that go everywhere.
    decides: what it decides and says so in its response's `Pennon-Decided` joins the caller's ledger. A host of ours.
    tenant, actor: whether it gets x-tenant-id; x-actor-id, x-actor-type and x-on-behalf-of. The contract declares them.
    deadline: the form in which it is told how long we wait; None: not. A topic is told none.
    audience: it gets identity as a signed `Pennon-Context` for this audience, where the door has a signer.
    retries, breaker: how calls to it are guarded (`pennon.http.Guard`); None: not.
    """

    name: str
    _: KW_ONLY
    host: str | None = None
    topic: str | None = None
    external: bool = False
    trace: bool = True
    request_id: bool = True
    correlation_id: bool = True
    baggage: bool = True
    decisions: bool = True
    fields: Sequence[str] = ()
    decides: bool = False
    tenant: bool = False
    actor: bool = False
    deadline: DeadlineForm | None = None
    audience: str | None = None
    retries: Retries | None = None
    breaker: Breaker | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", listed(self.fields))
