"""Hops: what is known of one span at a glance, and what it says when it is looked at.

Most spans are never looked at. So a hop keeps its span in the bytes that it has on the wire, which also bounds it
exactly, and beside them only what lists, search and live events need.
"""

from collections.abc import Iterable, Mapping
from itertools import zip_longest
from typing import Any, Final

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

# Where the doors and the client put what is shown.
USER: Final = "enduser.id"
REQUEST_ID: Final = "pennon.request_id"
CORRELATION_ID: Final = "pennon.correlation_id"
CONVERSATION_ID: Final = "messaging.message.conversation_id"
TOOK: Final = "pennon.headers.took"
ADDED: Final = "pennon.headers.added"
DROPPED: Final = "pennon.headers.dropped"
DROP_REASONS: Final = "pennon.headers.drop_reasons"
# Of `pennon.<name>` those that say who acts for whom.
IDENTITY: Final = ("tenant", "actor", "actor_type", "on_behalf_of")
DEADLINE_LEFT: Final = "pennon.deadline_left_ms"
LATE: Final = "pennon.deadline.exceeded"
EVALUATION: Final = "feature_flag.evaluation"
OTHER_UNIT: Final = "pennon.unit.other"
UNMET: Final = "pennon.prerequisite.unmet"

KINDS: Final = ("internal", "internal", "server", "client", "producer", "consumer")

# How a decision was made, by the reason that is on its event; any other reason is an answer of this hop's own.
_HOW: Final[Mapping[str, str]] = {
    "carried": "carried",
    "killed": "killed",
    "override": "override",
    "disabled": "switched off",
    "error": "failed",
}
DECIDED_HERE: Final = "decided here"

# Names, users and ids; the longest that our contracts allow is 128.
NAME_LIMIT_CHARACTERS: Final = 200

# Lists within lists are no attributes of the semantic conventions; what is deeper is shown as a mark.
_DEPTH_LIMIT_COUNT: Final = 3
_DEEPER: Final = "…"


class Decided(msgspec.Struct, frozen=True):
    """One evaluation event. at_ns: since 1970, by the service's clock.

    other: the kind of unit, where it was decided for another than the request's own. unmet: the flag that took it down.
    """

    flag: str
    variant: str | None
    reason: str
    at_ns: int
    other: str | None
    unmet: str | None

    @property
    def how(self) -> str:
        """In the page's words."""
        return _HOW.get(self.reason, DECIDED_HERE)


class Hop(msgspec.Struct, frozen=True):
    """One span. parent_span_id: None for a root. began_ns, ended_ns: since 1970.

    is_deciding: whether it has evaluation events. span: the message's bytes.
    """

    trace_id: str
    span_id: str
    parent_span_id: str | None
    service: str
    began_ns: int
    ended_ns: int
    is_error: bool
    user: str | None
    request_id: str | None
    correlation_id: str | None
    is_deciding: bool
    span: bytes


class Detail(msgspec.Struct, frozen=True):
    """What a span says beyond the glance. headers: None where the span is no crossing of a door.

    identity: who acts for whom, as the service's contract lets it be said; None where nobody is known.
    deadline_left_ms: of a request when it came in, of a call what it was given; None where there is none.
    is_late: it was refused, not sent or given up, because nobody would have waited.
    uncounted: events that the span has lost, here or where it was made; decisions may be among them.
    """

    name: str
    kind: str
    status: str
    status_message: str
    headers: dict[str, Any] | None
    identity: dict[str, str] | None
    deadline_left_ms: int | None
    is_late: bool
    decisions: tuple[Decided, ...]
    uncounted: int
    attributes: dict[str, Any]


def decisions_of(hop: Hop) -> tuple[Decided, ...]:
    """What was decided in it, by time."""
    return _decisions_in(Span.FromString(hop.span)) if hop.is_deciding else ()


def detail_of(hop: Hop) -> Detail:
    """All of a hop's span."""
    span = Span.FromString(hop.span)
    attributes = {pair.key: value_of(pair.value) for pair in span.attributes}
    return Detail(
        name=span.name,
        kind=KINDS[span.kind] if span.kind < len(KINDS) else "internal",
        status={Status.STATUS_CODE_ERROR: "error", Status.STATUS_CODE_OK: "ok"}.get(span.status.code, "unset"),
        status_message=span.status.message,
        headers=_headers(attributes),
        identity=_identity(attributes),
        deadline_left_ms=_deadline_left_ms(attributes),
        is_late=attributes.pop(LATE, False) is True,
        decisions=_decisions_in(span),
        uncounted=span.dropped_events_count,
        attributes=dict(sorted(attributes.items())),
    )


def value_of(value: AnyValue, depth: int = 0) -> Any:
    """An attribute's value as JSON has it; bytes as their hex digits."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return _DEEPER if depth >= _DEPTH_LIMIT_COUNT else [value_of(v, depth + 1) for v in value.array_value.values]
    if kind == "kvlist_value":
        pairs: Iterable[KeyValue] = value.kvlist_value.values
        return _DEEPER if depth >= _DEPTH_LIMIT_COUNT else {pair.key: value_of(pair.value, depth + 1) for pair in pairs}
    if kind == "bytes_value":
        return value.bytes_value.hex()
    return None if kind is None else getattr(value, kind)


def _decisions_in(span: Span) -> tuple[Decided, ...]:
    made = []
    for event in span.events:
        said = {pair.key: pair.value.string_value[:NAME_LIMIT_CHARACTERS] for pair in event.attributes}
        # Before the conventions settled, the variant was called so; other SDKs still write it.
        variant = said.get("feature_flag.result.variant") or said.get("feature_flag.variant")
        reason = said.get("feature_flag.result.reason") or "unknown"
        if flag := said.get("feature_flag.key"):
            at_ns = event.time_unix_nano or span.start_time_unix_nano
            other, unmet = said.get(OTHER_UNIT) or None, said.get(UNMET) or None
            made.append(Decided(flag, variant, reason.lower(), at_ns, other, unmet))
    return tuple(sorted(made, key=lambda decided: decided.at_ns))


def _headers(attributes: dict[str, Any]) -> dict[str, Any] | None:
    """The crossing's report, taken out of the attributes."""
    found = [attributes.pop(name, None) for name in (TOOK, ADDED, DROPPED, DROP_REASONS)]
    if all(names is None for names in found):
        return None
    took, added, dropped, reasons = map(_texts, found)
    pairs = zip_longest(dropped, reasons[: len(dropped)], fillvalue="")
    return {"took": took, "added": added, "dropped": [{"name": name, "reason": reason} for name, reason in pairs]}


def _identity(attributes: dict[str, Any]) -> dict[str, str] | None:
    found = {name: attributes.pop(f"pennon.{name}", None) for name in IDENTITY}
    said = {name: value[:NAME_LIMIT_CHARACTERS] for name, value in found.items() if isinstance(value, str)}
    return said or None


def _deadline_left_ms(attributes: dict[str, Any]) -> int | None:
    left_ms = attributes.pop(DEADLINE_LEFT, None)
    return left_ms if isinstance(left_ms, int) and not isinstance(left_ms, bool) else None


def _texts(names: Any) -> list[str]:
    return [str(name) for name in names] if isinstance(names, list) else []
