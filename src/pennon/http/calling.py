"""What the doors do alike from which requests go out, whichever client sends them.

A client's door says where a call goes and what its author has set; it gets back what to take off and put on and how
long the call may take, and hands in the response's headers. It edits nothing of its caller's.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, NoReturn, Self

from msgspec import structs

from pennon import ambient, otel
from pennon.carry import Departure
from pennon.clock import SYSTEM_CLOCK
from pennon.context import Deadline, Identity, RequestContext
from pennon.counters import Count, count
from pennon.deadlines import CallLimit, Overdue
from pennon.errors import DeadlineExceeded
from pennon.headers import DECIDED, Contract, Downstream
from pennon.headers.times import MS_NS, S_NS
from pennon.http.attempts import note_response
from pennon.http.leaving import NOTHING_SET, USUALLY_SET, Own, headers_leaving
from pennon.http.returning import NOTHING_SAID, take
from pennon.http.types import RawHeaders, Signer

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FAILED_STATUS: Final = 400
_NOBODY: Final = Identity()
# What no contract declares.
_UNASKED: Final = Downstream("unasked")
# Who calls more hosts than this, a crawler say, asks the contract each time anew.
_HOSTS_LIMIT_COUNT: Final = 1_024
_EXCEEDED: Final = ("pennon.deadline.exceeded", True)


def expect(client: object, *kinds: type) -> None:
    """Nothing, if the client is one of these. Raises: TypeError that says what it is, and what is wanted."""
    if not isinstance(client, kinds):
        found = f"{type(client).__module__}.{type(client).__qualname__}"
        wanted = " or ".join(f"{kind.__module__.partition('.')[0]}.{kind.__name__}" for kind in kinds)
        raise TypeError(f"client: {found} is no {wanted}; each library has a door of its own")


class Terms:
    """What a client's calls are under: the contract, and who signs identity for downstreams that want it so."""

    __slots__ = ("_downstreams", "contract", "limit", "signer")

    def __init__(self, contract: Contract, signer: Signer | None = None) -> None:
        self.contract = contract
        self._downstreams: dict[tuple[str, int | None], Downstream | None] = {}
        self.limit = CallLimit(contract.deadline)
        self.signer = signer
        otel.export_counters()

    def downstream_at(self, host: str, port: int | None) -> Downstream | None:
        """As the contract says, and remembered: a client calls few hosts again and again."""
        downstream = self._downstreams.get((host, port), _UNASKED)
        if downstream is _UNASKED:
            if len(self._downstreams) >= _HOSTS_LIMIT_COUNT:
                self._downstreams.clear()
            downstream = self._downstreams[host, port] = self.contract.downstream_for_host(host, port)
        return downstream


class Crossing:
    """A call under way, entered with `with` for as long as what is inside runs.

    outgoing: what to take off its headers, then to put on. timeout_s: how long it may take; None: no limit.
    """

    __slots__ = (
        "_began_ns",
        "_context",
        "_downstream",
        "_host",
        "_limit",
        "_outbound",
        "_span",
        "outgoing",
        "timeout_s",
    )

    outgoing: Departure
    timeout_s: float | None

    def __init__(
        self,
        terms: Terms,
        *,
        method: str,
        scheme: str,
        host: str,
        port: int | None,
        path: Callable[[], str],
        own: RawHeaders,
        hooks: Callable[[], tuple[bool, bool]],
    ) -> None:
        """Begin it.

        host: lower-case ASCII, IPv6 without brackets; "" if there is none. port: None: the scheme's own.
        path: gives it without the query, which may hold secrets. own: of the headers that their author set those of
            `LOOKED_AT`, lower-case.
        hooks: whether an instrumentation stands around the door, and whether one does within; asked where it matters.
        Raises: DeadlineExceeded: there is no time left for it.
        """
        port = port or _DEFAULT_PORTS.get(scheme)
        self._host = host
        self._downstream = downstream = terms.downstream_at(host, port)
        self._context = context = ambient.current()
        self._limit = terms.limit
        self._began_ns = SYSTEM_CLOCK.now_ns()
        hand = NOTHING_SET if own == USUALLY_SET else Own(own)
        is_idle = otel.is_idle()
        is_hooked_around, is_hooked_within = (False, False) if is_idle and not hand.has_trace else hooks()
        # The hook within writes the header of its own span. It may, if nobody else has made the span and this host may
        # have the trace.
        may_trace = downstream is not None and downstream.trace
        hook_traces = is_hooked_within and not is_hooked_around and may_trace and not hand.has_trace
        is_silent = is_idle or is_hooked_around or hook_traces
        self._span = span = otel.SILENT if is_silent else _span(method, scheme, host, port, path())
        self._outbound: AbstractContextManager[None] | None = None
        if span is not otel.SILENT:
            span.__enter__()
        try:
            self.timeout_s = timeout_ns = None
            if context is not None and context.deadline is not None:
                timeout_ns = self._limited(context.deadline)
            signed = None if terms.signer is None else _signed(terms.signer, downstream, context)
            self.outgoing = headers_leaving(
                terms.contract,
                downstream,
                hand,
                context,
                trace=None if span is otel.SILENT else span.trace,
                # A hook around us wrote it, not the caller: then it may leave only where the trace may.
                keeps_trace=hand.has_trace and (may_trace or not is_hooked_around),
                is_idle=is_idle,
                timeout_ns=timeout_ns,
                now_ns=self._began_ns,
                signed=signed,
            )
            if span is not otel.SILENT:
                span.note(self.outgoing.report)
        except BaseException as error:
            span.__exit__(type(error), error, error.__traceback__)
            raise
        if not is_idle:
            self._outbound = otel.outbound(is_silenced=not hook_traces)

    def __enter__(self) -> Self:
        if self._outbound is not None:
            self._outbound.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._outbound is not None:
                self._outbound.__exit__(kind, error, traceback)
        finally:
            if self._span is not otel.SILENT:
                self._span.__exit__(kind, error, traceback)

    def came_back(self, status: int, headers: Sequence[tuple[bytes, bytes]]) -> bool:
        """Take what the response says was decided; whether it says so, and the header is to come off it.

        headers: at least those of `SAID` among the response's.
        """
        note_response()
        said = take(self._downstream, self._context, self._began_ns, headers) if headers else NOTHING_SAID
        span = self._span
        if span is not otel.SILENT:
            if said.was_taken:
                span.note(structs.replace(self.outgoing.report, took=(DECIDED,)))
            span.attribute("http.response.status_code", status)
            if status >= _FAILED_STATUS:
                span.fail(str(status))
        return said.was_there

    def keep_to_deadline(self) -> None:
        """Give up if the time that the deadline left has passed by now. Raises: DeadlineExceeded."""
        context = self._context
        if context is not None and context.deadline is not None and self._limit.is_over(context.deadline):
            self.ran_out()

    def ran_out(self, error: BaseException | None = None) -> NoReturn:
        """The time that the deadline left has passed; error: by which the client says that it has given up.

        Raises: DeadlineExceeded in place of the client's error. Whoever handles a slow downstream must not take this
        for one: nobody waits for the answer any more, so there is nothing to try again. A circuit looks at `was_sent`.
        """
        self._exceeded(Overdue.GIVEN_UP)
        text = f"{self._host}: no answer in the {self.timeout_s:.3f} s that the deadline left"
        raise DeadlineExceeded(text, was_sent=True) from error

    def _limited(self, deadline: Deadline) -> int:
        """How long the call may take, ns."""
        timeout_ns = self._limit.timeout_ns(deadline)
        if timeout_ns is None:
            self._exceeded(Overdue.UNSENT)
            raise DeadlineExceeded(f"{self._host}: too little time is left for a call; nothing was sent")
        self.timeout_s = timeout_ns / S_NS
        if self._span is not otel.SILENT:
            self._span.attribute("pennon.deadline_left_ms", timeout_ns // MS_NS)
        return timeout_ns

    def _exceeded(self, cause: Overdue) -> None:
        count(Count.DEADLINE_EXCEEDED, cause)
        if self._span is otel.SILENT:
            otel.attribute_here(*_EXCEEDED)
        else:
            self._span.attribute(*_EXCEEDED)


def _signed(signer: Signer, downstream: Downstream | None, context: RequestContext | None) -> str | None:
    if downstream is None:
        return None
    # Outside a request nobody asks, but one of ours calls.
    return signer.signed(_NOBODY if context is None else context.identity, downstream.audience)


def _span(method: str, scheme: str, host: str, port: int | None, path: str) -> otel.Span:
    shown = f"[{host}]" if ":" in host else host
    # A port that was not said, or is the scheme's own, is left out.
    place = shown if port in (None, _DEFAULT_PORTS.get(scheme)) else f"{shown}:{port}"
    return otel.client_span(method, url=f"{scheme}://{place}{path}", host=host, port=port)
