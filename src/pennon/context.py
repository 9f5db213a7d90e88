"""The frozen values that every room shares: units, answers, decisions, the request context and its ledger.

Here live shapes only. The codecs and the rules for them live above: `headers` reads and writes trace context,
ids and baggage, `flags` makes answers, `carry` judges and encodes decisions. The one mutable thing is `Ledger`:
what the tasks and threads of a request must share is one append-only object that the frozen context refers to.
"""

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from types import MappingProxyType
from typing import Annotated, Any, Final, NewType

import msgspec

DEFAULT_UNIT_KIND: Final = "user"

# Five ids of different scope, never interchangeable: of a trace, of one span of it, of one hop's request, of a business
# conversation, and of one deed that must not be done twice.
TraceId = NewType("TraceId", str)
SpanId = NewType("SpanId", str)
RequestId = NewType("RequestId", str)
CorrelationId = NewType("CorrelationId", str)
IdempotencyKey = NewType("IdempotencyKey", str)

# 1,024 decisions in one request are far above any real one; it bounds a loop that asks for every follower of a
# famous author. Beyond it decisions are still made, they are no longer remembered, and that is counted.
LEDGER_LIMIT_COUNT: Final = 1_024

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Reason(StrEnum):
    """Why an answer is what it is: OpenFeature's words and three of ours; lower case on OpenTelemetry."""

    STATIC = "STATIC"
    DEFAULT = "DEFAULT"
    TARGETING_MATCH = "TARGETING_MATCH"
    SPLIT = "SPLIT"
    DISABLED = "DISABLED"
    ERROR = "ERROR"
    CARRIED = "CARRIED"
    KILLED = "KILLED"
    OVERRIDE = "OVERRIDE"


class ErrorCode(StrEnum):
    """OpenFeature's error codes: what went wrong in an answer whose reason is ERROR."""

    FLAG_NOT_FOUND = "FLAG_NOT_FOUND"
    TYPE_MISMATCH = "TYPE_MISMATCH"
    TARGETING_KEY_MISSING = "TARGETING_KEY_MISSING"
    PROVIDER_NOT_READY = "PROVIDER_NOT_READY"
    PARSE_ERROR = "PARSE_ERROR"
    GENERAL = "GENERAL"


class Origin(IntEnum):
    """How a decision was made. The numbers are the wire's (docs/reference/wire.md)."""

    SPLIT = 0
    REST = 1
    RULE = 2
    FALLTHROUGH = 3
    OFF = 4
    OVERRIDE = 5
    KILL = 6


class Unit(msgspec.Struct, frozen=True, gc=False):
    """The thing that is bucketed: `user` 7 is not `account` 7."""

    kind: str
    key: str


class Environment(msgspec.Struct, frozen=True, gc=False):
    """Which environment a ruleset belongs to.

    id: 40 random bits, drawn once.
    key: its name for people, e.g. "production".
    salt: goes into unit fingerprints; holds no ":".
    """

    id: Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)]
    key: str
    salt: str


# gc=False, here and for decisions: built at a flag's first use in a request, and nothing that they hold refers back.
class Answer(msgspec.Struct, frozen=True, gc=False):
    """What the engine returns. Prebuilt when a flag is compiled and shared by all who ask: never edited.

    value: the variant's value; None for ERROR (the caller's default takes its place).
    variant, variant_id: None for ERROR.
    origin: how it was made; None for ERROR.
    rule: id of the rule that served it, if one did.
    revision: of the flag record (raised to the kill's where an overlay killed it); 0 if the flag is unknown.
    """

    flag: str
    value: Any
    variant: str | None
    variant_id: int | None
    reason: Reason
    origin: Origin | None
    rule: str | None
    revision: int
    error: ErrorCode | None = None


class Scope(msgspec.Struct, frozen=True):
    """What all decisions about one flag at one floor have in common. Built once per compiled flag, shared.

    floor: the flag's effective void floor: carried decisions of a lower revision are void.
    key: the fields, and whether the flag is killed, as one string whose hash is cached; with the unit key it is the
        ledger's key, so a kill, a raised floor or another epoch opens a new place and the old entry stays, unread.
    """

    environment: Environment
    epoch: int
    flag_id: int
    unit_kind: str
    floor: int
    carry: bool
    key: str


class Decision(msgspec.Struct, frozen=True, gc=False):
    """An answer that has entered a ledger, or one that was carried in.

    unit_key: None if the ask named no unit; such a decision holds within its request and never leaves it.
    decided_ns: wall clock, since 1970.
    revision: max(revision of the flag's record, effective floor), or the carried one's.
    """

    answer: Answer
    scope: Scope
    unit_key: str | None
    decided_ns: int
    origin: Origin | None
    revision: int


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One decision as the wire carries it, before any ruleset has been asked about it.

    environment: 40 bits. epoch: 24 bits. fingerprint: 24 bits of the unit. decided_min: minutes since 1970.
    flag_id: 24 bits. variant_id: 8 bits.
    """

    environment: int
    epoch: int
    fingerprint: int
    decided_min: int
    flag_id: int
    variant_id: int
    origin: Origin
    revision: int


class Ledger:
    """A request's record of decisions, shared by all its tasks and threads.

    arrived: (environment id, flag id) -> the wire's entries; those of one epoch and unit by ascending revision.
    made: (Scope.key, unit key) -> decision, in the order made. Entered by `dict.setdefault`, which is atomic: the first
        decision wins whichever task or thread asks, without a lock. Only a kill or an override takes one away again.
    returned: those of the arrived entries that a callee's response brought, in the order they came.
    withdrawn: the decisions that were taken away again.
    override: the text of an override token that a public boundary was shown, unverified; None where none was, "" once
        it is sealed: one look tells the shortest path that neither is the case.
    foreign: baggage members of later versions, as they came; forwarded untouched.
    is_sealed: set when the door closes; from then on nothing enters.
    was_cut: a hop dropped decisions for the wire's budget.
    ruleset: of the first ask that a decision had to be made for; by it a later one tells that a floor was raised.
    encoded: what `carry` has written of all this, and of which state; its own memory.
    """

    __slots__ = (
        "__weakref__", "arrived", "encoded", "foreign", "is_sealed", "made", "override", "returned", "ruleset",
        "was_cut", "withdrawn",
    )  # fmt: skip

    def __init__(self) -> None:
        self.arrived: dict[tuple[int, int], tuple[Entry, ...]] = {}
        self.made: dict[tuple[str, str | None], Decision] = {}
        self.returned: list[Entry] = []
        self.override: str | None = None
        self.foreign: tuple[Member, ...] = ()
        self.is_sealed = False
        self.was_cut = False
        self.withdrawn: list[Decision] = []
        self.ruleset: Any = None
        self.encoded: tuple[object, Any] | None = None

    def enter(self, decision: Decision) -> Decision:
        """The decision that holds: this one, or an earlier one for the same scope and unit."""
        place = (decision.scope.key, decision.unit_key)
        if self.is_sealed or len(self.made) >= LEDGER_LIMIT_COUNT:
            return self.made.get(place, decision)
        return self.made.setdefault(place, decision)

    def withdraw(self, decision: Decision) -> None:
        """Take a decision away that was made: the next ask decides anew."""
        place = (decision.scope.key, decision.unit_key)
        if not self.is_sealed and self.made.get(place) is decision:
            self.made.pop(place, None)
            self.withdrawn.append(decision)

    def seal(self) -> None:
        """Close it: an evaluation under way finishes, and its decision goes nowhere. The token is forgotten."""
        self.is_sealed = True
        self.override = ""


class Trace(msgspec.Struct, frozen=True, gc=False):
    """Where this hop stands in its trace (W3C Trace Context level 2).

    trace_id: 32 lower-case hex digits, not all zero. span_id: 16, this hop's own.
    parent_span_id: the caller's; None where the trace begins here.
    flags: 0…255; bit 0 sampled, bit 1 random.
    state: the tracestate header's value, "" if none.
    """

    trace_id: TraceId
    span_id: SpanId
    parent_span_id: SpanId | None
    flags: int
    state: str


class Member(msgspec.Struct, frozen=True, gc=False):
    """One baggage member, decoded.

    properties: what stood after the first ";", exactly as received, "" if nothing did.
    """

    key: str
    value: str
    properties: str = ""


class ActorType(StrEnum):
    """What acts; the header `X-Actor-Type` says it in these words."""

    HUMAN = "HUMAN"
    SERVICE = "SERVICE"
    """A service on its own account, or somebody's machine user."""
    SYSTEM = "SYSTEM"
    """Work that is nobody's any more; the actor is `system:<name>`."""
    SUPPORT = "SUPPORT"
    """Somebody of the operator's who acts as a user: `on_behalf_of` says as whom."""


class Identity(msgspec.Struct, frozen=True):
    """What a boundary's `identity` callable knows of a caller from what has been verified.

    tenant, actor, on_behalf_of: opaque ids, never names or addresses. actor: who really acts; on_behalf_of: for whom,
        where that is somebody else (delegation, or a supporter who acts as a user).
    units: kind -> key, e.g. {"user": "7", "account": "acme"}.
    attributes: of the request's own unit, for clauses.
    """

    tenant: str | None = None
    actor: str | None = None
    units: Mapping[str, str] = _NOTHING
    attributes: Mapping[str, Any] = _NOTHING
    actor_type: ActorType | None = None
    on_behalf_of: str | None = None


class Deadline(msgspec.Struct, frozen=True, gc=False):
    """Until when whoever asked will wait.

    due_ns: by the monotonic clock of this process. form: the header in which it came, lower-case; None: nobody said
    one, the service's cap is all. is_capped: the caller would wait longer than this service may take.
    """

    due_ns: int
    form: str | None = None
    is_capped: bool = False

    def remaining_ns(self, monotonic_ns: int) -> int:
        """What is left; negative when it is over."""
        return self.due_ns - monotonic_ns

    def is_over(self, monotonic_ns: int) -> bool:
        """Whether it has come."""
        return monotonic_ns >= self.due_ns


class Forwarded(msgspec.Struct, frozen=True):
    """Whom the nearest trusted proxy speaks for.

    address: as it is usually written; None: nobody trusted knows it. identifier: what stands there instead, "_hidden"
    or "unknown". proto, host, port: scheme (lower-case), host and port that the client asked; None: not told.
    """

    address: str | None
    identifier: str | None = None
    proto: str | None = None
    host: str | None = None
    port: int | None = None


class RequestContext(msgspec.Struct, frozen=True):
    """The envelope of one request or record, built once when it comes in.

    request_id: of this hop's request; correlation_id: of the business conversation, None if nobody began one.
    caller_request_id: what a stranger called its request; for logs only.
    baggage: the members that were kept, without ours. fields: name and value of declared fields that were taken.
    is_replay: the record is processed again on purpose; its decisions never count as exposures.
    deadline: None where the contract declares none, and for records. forwarded: who asked behind trusted proxies; None
        where the contract declares no proxies, or the peer is none of them: then the peer itself asked.
    """

    trace: Trace
    request_id: RequestId
    ledger: Ledger
    correlation_id: CorrelationId | None = None
    caller_request_id: RequestId | None = None
    identity: Identity = Identity()
    baggage: tuple[Member, ...] = ()
    is_replay: bool = False
    fields: tuple[tuple[str, str], ...] = ()
    deadline: Deadline | None = None
    forwarded: Forwarded | None = None
