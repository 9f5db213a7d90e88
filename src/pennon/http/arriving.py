"""What the doors do alike at which requests come in, whether by ASGI or by WSGI."""

import os
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

from msgspec import structs

from pennon import counters, otel
from pennon.carry import Arrival, arrive
from pennon.context import Identity, RequestContext
from pennon.headers import ENTROPY_BYTES, Boundary, Contract, Drop, Inbound, Report
from pennon.http.hooks import is_app_hooked

_FAILED_STATUS: Final = 500

AppT = TypeVar("AppT")


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
    ) -> None:
        self.app = app
        self._contract = contract
        self._boundary = boundary
        self._makes_spans = spans
        self._decide = decide

    @property
    def contract(self) -> Contract:
        """The one that it speaks."""
        return self._contract

    @property
    def boundary(self) -> Boundary:
        """Who is believed at it."""
        return self._boundary

    def _admit(self, inbound: Inbound, doubted: Sequence[Drop] = ()) -> tuple[Arrival, bool]:
        """What came in, and whether its sender is believed. Of a refused request nobody's identity is asked.

        doubted: what was not let through to be read at all.
        """
        is_trusted = self._boundary.believes(inbound, unasked=False)
        arrival = arrive(
            self._contract,
            inbound.headers,
            is_trusted=is_trusted,
            identity=Identity(),
            entropy=os.urandom(ENTROPY_BYTES),
            takes_override=self._boundary.is_public,
        )
        if doubted:
            report = structs.replace(arrival.report, dropped=(*doubted, *arrival.report.dropped))
            arrival = structs.replace(arrival, report=report)
        counters.count_arrival(arrival)
        if arrival.refusal is None and self._boundary.identity is not None:
            identity = self._boundary.identity_of(inbound, is_trusted=is_trusted)
            arrival = structs.replace(arrival, context=structs.replace(arrival.context, identity=identity))
        return arrival, is_trusted

    def _span(self, inbound: Inbound, arrival: Arrival, scheme: str, peer: dict[str, otel.AttributeValue]) -> otel.Span:
        # Looked up at the first request, not before: an application may be instrumented after it was wrapped, and
        # Starlette's builds its middlewares no later than now.
        if self._makes_spans is None:
            self._makes_spans = not is_app_hooked(self.app)
        if not self._makes_spans:
            return otel.SILENT
        return otel.server_span(
            inbound.method or "GET",
            path=inbound.path or "",
            scheme=scheme,
            trace=arrival.context.trace,
            link=arrival.stranger_trace,
            extra={**peer, **_ids(arrival.context)},
        )


def note_answer(span: otel.Span, report: Report, context: RequestContext, status: int | None) -> None:
    """Say on whichever span there is what the crossing did, and how it was answered (None: not by a status)."""
    if span is otel.SILENT:
        otel.note_here(report, _ids(context))
        return
    span.note(report)
    if status is not None:
        span.attribute("http.response.status_code", status)
        if status >= _FAILED_STATUS:
            span.fail(str(status))


def peer_attributes(
    version: str, client: str | None, server: str | None, port: int | None
) -> dict[str, otel.AttributeValue]:
    """Who is connected, by the semantic conventions' names. version: of HTTP, e.g. "1.1"; None: not known."""
    known = {"client.address": client, "server.address": server, "server.port": port}
    return {"network.protocol.version": version, **{key: value for key, value in known.items() if value is not None}}


def _ids(context: RequestContext) -> dict[str, otel.AttributeValue]:
    """What somebody who looks for this request in a trace store has at hand: what its response named."""
    ids: dict[str, otel.AttributeValue] = {"pennon.request_id": context.request_id}
    if context.correlation_id is not None:
        ids["pennon.correlation_id"] = context.correlation_id
    return ids
