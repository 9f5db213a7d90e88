"""What the doors do alike at which requests come in, whether by ASGI or by WSGI."""

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any, Final, Generic, Self, TypeVar

import msgspec
from msgspec import structs

from pennon import counters, otel
from pennon.carry import Arrival, arrive
from pennon.clock import Clock
from pennon.context import Deadline, Identity, RequestContext
from pennon.counters import Count
from pennon.entropy import draw_entropy
from pennon.headers import Boundary, Contract, Drop, Inbound, Limits, Refusal
from pennon.headers.report import LATE_STATUS
from pennon.headers.shown import Shown
from pennon.http.hooks import is_app_hooked
from pennon.http.valve import DeadlineValve, Lateness

_FAILED_STATUS: Final = 500
# On the span of a request that came too late, whether it was refused or not.
_LATE: Final = "pennon.deadline.exceeded"
# On the span of a request that is served although it broke a limit: which one.
_OBSERVED: Final = "pennon.headers.observed"
_UNASKED: Final = Identity()

AppT = TypeVar("AppT")


class Admission(msgspec.Struct, frozen=True):
    """What came in, under which contract, and how it stands.

    is_trusted: its sender is believed. is_late: its deadline is as good as over.
    """

    contract: Contract
    arrival: Arrival
    is_trusted: bool
    is_late: bool = False


class Door(Generic[AppT]):
    """An application behind a contract and a boundary; `app` is the one inside."""

    def __init__(
        self,
        app: AppT,
        contract: Contract,
        boundary: Boundary,
        *,
        spans: bool | None,
        decide: Callable[[], object] | None,
        clock: Clock,
    ) -> None:
        self.app = app
        self._contract = contract
        self._boundary = boundary
        self._makes_spans = spans
        self._decide = decide
        self._clock = clock
        self._valve = _valve_of(contract)
        self._stops = contract.limits is Limits.ENFORCE
        self._has_crowds = contract.priorities.has_crowds
        reading, takes_identity = contract.reading, boundary.identity is None
        self._shown_to_strangers = Shown(contract, reading.way(is_trusted=False, takes_identity=takes_identity))
        self._shown_to_ours = Shown(contract, reading.way(is_trusted=True, takes_identity=takes_identity))
        otel.export_counters()

    def before(self, app: AppT) -> Self:
        """A door like this one before another application; it has seen no request yet."""
        other = copy(self)
        other.app = app
        other._valve = _valve_of(self._contract)  # noqa: SLF001  # it is of this class
        return other

    @property
    def contract(self) -> Contract:
        """The one that it speaks."""
        return self._contract

    @property
    def boundary(self) -> Boundary:
        """Who is believed at it."""
        return self._boundary

    def _admit(self, inbound: Inbound, doubted: Sequence[Drop] = ()) -> Admission:
        """What came in. Of a refused request nobody's identity is asked.

        doubted: what was not let through to be read at all.
        """
        boundary, valve = self._boundary, self._valve
        is_trusted = boundary.believes(inbound, unasked=False)
        now_ns, monotonic_ns = 0, None
        if valve is not None:
            now_ns, monotonic_ns = self._clock.now_ns(), self._clock.monotonic_ns()
        arrival = arrive(
            self._contract,
            inbound.headers,
            is_trusted=is_trusted,
            identity=None if boundary.identity is None else _UNASKED,
            entropy=draw_entropy(),
            takes_override=boundary.is_public,
            now_ns=now_ns,
            monotonic_ns=monotonic_ns,
            peer=inbound.address,
            stops=self._stops,
        )
        if doubted:
            report = structs.replace(arrival.report, dropped=(*doubted, *arrival.report.dropped))
            spoiled = (*[drop.name for drop in doubted], *arrival.spoiled)
            arrival = structs.replace(arrival, report=report, spoiled=spoiled, shown=None)
        refusal = arrival.refusal
        if refusal is not None and refusal.is_missing and _is_preflight(inbound):
            arrival = structs.replace(arrival, refusal=None)
        counters.count_arrival(arrival)
        if arrival.refusal is not None:
            arrival = self._judged(arrival)
            if arrival.refusal is not None:
                return Admission(self._contract, arrival, is_trusted)
        is_late = False
        deadline = arrival.context.deadline
        if valve is not None and deadline is not None and monotonic_ns is not None:
            lateness = valve.lateness(deadline, monotonic_ns)
            if lateness is not None:
                is_late = True
                arrival = self._spared_or_refused(arrival, deadline, lateness)
        if self._has_crowds:
            counters.count_values(arrival.context.baggage, self._contract.priorities)
        if boundary.identity is not None and arrival.refusal is None:
            identity = boundary.identity_of(inbound, is_trusted=is_trusted) or _UNASKED
            arrival = structs.replace(arrival, context=structs.replace(arrival.context, identity=identity))
        return Admission(self._contract, arrival, is_trusted, is_late)

    def _spared_or_refused(self, arrival: Arrival, deadline: Deadline, lateness: Lateness) -> Arrival:
        """The arrival of a request that is late."""
        policy = self._contract.deadline
        if policy is None or lateness is Lateness.SPARED:
            counters.count(Count.DEADLINE_SPARED)
            return arrival
        refusal = Refusal(LATE_STATUS, deadline.form or "deadline", f"{policy.floor_s} s")
        arrival = self._judged(structs.replace(arrival, refusal=refusal))
        if arrival.refusal is not None:
            counters.count(Count.DEADLINE_REFUSED)
        return arrival

    def _judged(self, arrival: Arrival) -> Arrival:
        """The arrival, to be served all the same where limits are only observed; of several the first is noted."""
        refusal = arrival.refusal
        if refusal is None or self._stops:
            return arrival
        counters.count(Count.HEADERS_OBSERVED, refusal.broken)
        report = structs.replace(arrival.report, observed=arrival.report.observed or refusal)
        return structs.replace(arrival, report=report, refusal=None)

    def _shown(self, admission: Admission) -> Shown:
        """Which of the request's headers the application sees as they came."""
        shown = self._shown_to_ours if admission.is_trusted else self._shown_to_strangers
        spoiled = admission.arrival.spoiled
        return shown.without(spoiled) if spoiled else shown

    def _span(
        self, inbound: Inbound, arrival: Arrival, scheme: str, peer: Callable[[Any], dict[str, otel.AttributeValue]]
    ) -> otel.Span:
        """The request's span. peer: what its source says of who is connected; asked only where there will be a span."""
        # Looked up at the first request, not before: an application may be instrumented after it was wrapped, and
        # Starlette's builds its middlewares no later than now.
        if self._makes_spans is None:
            self._makes_spans = not is_app_hooked(self.app)
        if not self._makes_spans or not otel.is_recording():
            return otel.SILENT
        return otel.server_span(
            inbound.method or "GET",
            path=inbound.path or "",
            scheme=scheme,
            trace=arrival.context.trace,
            link=arrival.stranger_trace,
            extra={**_connected(peer(inbound.source), arrival.context), **_said(self._contract, arrival.context)},
        )


def _valve_of(contract: Contract) -> DeadlineValve | None:
    return None if contract.deadline is None else DeadlineValve(contract.deadline)


def _is_preflight(inbound: Inbound) -> bool:
    """Whether a browser asks what it may send, in a request that itself can hold none of it (Fetch, "CORS")."""
    return inbound.method == "OPTIONS" and inbound.header("access-control-request-method") is not None


def note_answer(span: otel.Span, admission: Admission, context: RequestContext, status: int | None) -> None:
    """Say on whichever span there is what the crossing did, and how it was answered (None: not by a status)."""
    report = admission.arrival.report
    if span is otel.SILENT:
        if otel.is_recording():
            otel.note_here(report, {**_said(admission.contract, context), **dict(_limits(admission))})
        return
    span.note(report)
    for key, value in _limits(admission):
        span.attribute(key, value)
    if status is not None:
        span.attribute("http.response.status_code", status)
        if status >= _FAILED_STATUS:
            span.fail(str(status))


def _limits(admission: Admission) -> Iterator[tuple[str, otel.AttributeValue]]:
    """What the request broke, and was served all the same; of a late one, that it was, also where it was refused."""
    observed = admission.arrival.report.observed
    if observed is not None:
        yield _OBSERVED, observed.broken.value
    if admission.is_late:
        yield _LATE, True


def peer_attributes(
    version: str, client: str | None, server: str | None, port: int | None
) -> dict[str, otel.AttributeValue]:
    """Who is connected, by the semantic conventions' names. version: of HTTP, e.g. "1.1"; None: not known."""
    known = {"client.address": client, "server.address": server, "server.port": port}
    return {"network.protocol.version": version, **{key: value for key, value in known.items() if value is not None}}


def _connected(peer: dict[str, otel.AttributeValue], context: RequestContext) -> dict[str, otel.AttributeValue]:
    """Who is connected; a trusted proxy is not the client, whose own address is personal and stays off."""
    if context.forwarded is not None and "client.address" in peer:
        peer["network.peer.address"] = peer.pop("client.address")
    return peer


def _said(contract: Contract, context: RequestContext) -> dict[str, otel.AttributeValue]:
    """What somebody who looks for it in a trace store has at hand, what its response named; and whose work it is."""
    # Imported here: nobody pays for it who makes no spans.
    from pennon.logs.spans import whose

    ids: dict[str, otel.AttributeValue] = {"pennon.request_id": context.request_id, **whose(contract, context)}
    if context.correlation_id is not None:
        ids["pennon.correlation_id"] = context.correlation_id
    return ids
