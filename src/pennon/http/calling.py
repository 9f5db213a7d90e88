"""What the doors do alike from which requests go out, whichever client sends them.

A client's door says where a call goes and what its author has set; it gets back what to take off and put on, and hands
in the response's headers. It edits nothing of its caller's.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import msgspec
from msgspec import structs

from pennon import otel
from pennon.carry import Departure
from pennon.headers import DECIDED, Contract
from pennon.http.leaving import has_own_trace, headers_leaving
from pennon.http.returning import Call
from pennon.http.types import RawHeaders

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_FAILED_STATUS: Final = 400


class Going(msgspec.Struct, frozen=True):
    """A request that is about to go.

    host: lower-case ASCII, IPv6 without brackets; "" if there is none. port: None: the scheme's own.
    path: without the query, which may hold secrets. own: the headers as its author set them.
    """

    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    own: RawHeaders


class Crossing:
    """A call under way. `outgoing`: what to take off its headers, then to put on."""

    __slots__ = ("_call", "_span", "outgoing")

    def __init__(self, span: otel.Span, call: Call, outgoing: Departure) -> None:
        self.outgoing = outgoing
        self._span = span
        self._call = call

    def came_back(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        """Take what the response says was decided; whether it says so, and the header is to come off it."""
        said = self._call.take(headers)
        if said.was_taken:
            self._span.note(structs.replace(self.outgoing.report, took=(DECIDED,)))
        self._span.attribute("http.response.status_code", status)
        if status >= _FAILED_STATUS:
            self._span.fail(str(status))
        return said.was_there


@contextmanager
def crossing(contract: Contract, going: Going, *, is_hooked_around: bool, is_hooked_within: bool) -> Iterator[Crossing]:
    """The call, in the context that what is inside may see.

    is_hooked_around, is_hooked_within: whether an instrumentation stands around the door, and whether one does within.
    """
    port = going.port or _DEFAULT_PORTS.get(going.scheme)
    downstream = contract.downstream_for_host(going.host, port)
    # The hook within writes the header of its own span. It may, if nobody else has made the span and this host may
    # have the trace.
    own_trace = has_own_trace(going.own)
    may_trace = downstream is not None and downstream.trace
    hook_traces = is_hooked_within and not is_hooked_around and may_trace and not own_trace
    span = otel.SILENT if is_hooked_around or hook_traces else _span(going, port)
    call = Call(downstream)
    with span:
        outgoing = headers_leaving(
            contract,
            downstream,
            going.own,
            trace=span.trace,
            # A hook around us wrote it, not the caller: then it may leave only where the trace may.
            keeps_trace=own_trace and (may_trace or not is_hooked_around),
        )
        span.note(outgoing.report)
        with otel.outbound(is_silenced=not hook_traces):
            yield Crossing(span, call, outgoing)


def _span(going: Going, port: int | None) -> otel.Span:
    host = f"[{going.host}]" if ":" in going.host else going.host
    # A port that was not said, or is the scheme's own, is left out.
    place = host if port in (None, _DEFAULT_PORTS.get(going.scheme)) else f"{host}:{port}"
    return otel.client_span(going.method, url=f"{going.scheme}://{place}{going.path}", host=going.host, port=port)
