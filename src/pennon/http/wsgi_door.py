"""The door of a WSGI application (PEP 3333): as the ASGI door, but that a response's body is made after the call.

The application runs in a copy of the thread's context variables, its call, the steps of its body and its close alike.
So all of them see the request, the thread that serves it sees nothing, whoever iterates and whatever goes wrong.
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import ExitStack
from contextvars import copy_context
from http import HTTPStatus
from types import TracebackType
from typing import Any, TypeVar, cast
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from pennon import ambient, otel
from pennon.clock import Clock
from pennon.context import RequestContext
from pennon.headers import Boundary, Contract, Drop, DropReason, Inbound, Refusal
from pennon.http.arriving import Admission, Door, note_answer, peer_attributes
from pennon.http.environ import Reading, key_of, tells_names_apart
from pennon.http.refusal import refusing
from pennon.http.rewriting import ids_of, is_hidden_outside, written_inside, written_outside
from pennon.http.types import RawHeaders

T = TypeVar("T")
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]
TextHeaders = list[tuple[str, str]]


class WsgiDoor(Door[WSGIApplication]):
    """What `wsgi` returns: a WSGI application; `app` is the one inside."""

    def __init__(
        self,
        app: WSGIApplication,
        contract: Contract,
        boundary: Boundary,
        *,
        spans: bool | None,
        decide: Callable[[], object] | None,
        clock: Clock,
        drops_underscores: bool | None,
    ) -> None:
        super().__init__(app, contract, boundary, spans=spans, decide=decide, clock=clock)
        self._drops_underscores = drops_underscores
        self._reading = Reading(contract)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        inbound, doubted = self._inbound_of(environ)
        admission = self._admit(inbound, doubted)
        arrival = admission.arrival
        if arrival.refusal is not None and not admission.is_late:
            return _refused(start_response, arrival.refusal, arrival.context)
        span = self._span(inbound, arrival, environ.get("wsgi.url_scheme", "http"), _peer)
        context = span.placing(arrival.context)
        if arrival.refusal is not None:
            with span:
                note_answer(span, admission, context, arrival.refusal.status)
                return _refused(start_response, arrival.refusal, context)
        inside = self._seen_inside(environ, admission, context)
        answer = _Answer(start_response, context, admission, span)

        def begin() -> Iterable[bytes]:
            if self._decide is not None:
                self._decide()
            return self.app(inside, answer.start)

        serving = _Serving(span, context)
        try:
            blocks = serving.call(begin)
        except BaseException:
            serving.end()
            raise
        return _SizedBody(serving, blocks) if hasattr(blocks, "__len__") else _Body(serving, blocks)

    def _inbound_of(self, environ: WSGIEnvironment) -> tuple[Inbound, list[Drop]]:
        """The request as a boundary's callables see it, and the fields that may be a twin's."""
        headers: list[tuple[bytes, bytes | None]] = []
        doubted = []
        doubtful = () if self._tells_names_apart(environ) else self._reading.doubtful
        for name, value in self._reading.headers_in(environ):
            if name in doubtful:
                # It counts among the headers; nobody gets to read it.
                headers.append((name, None))
                doubted.append(Drop(self._contract.slots[name], DropReason.NOT_TRUSTED))
            else:
                headers += [(name, line) for line in self._reading.lines_of(name, value)]
        inbound = Inbound(
            address=environ.get("REMOTE_ADDR") or None,
            method=environ.get("REQUEST_METHOD", "GET"),
            path=_path_of(environ),
            topic=None,
            headers=tuple(headers),
            source=environ,
        )
        return inbound, doubted

    def _tells_names_apart(self, environ: WSGIEnvironment) -> bool:
        return tells_names_apart(environ) if self._drops_underscores is None else self._drops_underscores

    def _seen_inside(self, environ: WSGIEnvironment, admission: Admission, context: RequestContext) -> WSGIEnvironment:
        """A new environ: the server's own may be logged or used again."""
        shown = self._shown(admission)
        inside = {
            key: value for key, value in environ.items() if (name := self._reading.name_of(key)) is None or shown[name]
        }
        for name, value in written_inside(context, ids_of(context)):
            inside[key_of(name)] = value.decode("latin-1")
        return inside


class _Answer:
    """One request's way back, as `_Exchange` is ASGI's."""

    def __init__(
        self, start_response: StartResponse, context: RequestContext, admission: Admission, span: otel.Span
    ) -> None:
        self._start = start_response
        self._context = context
        self._admission = admission
        self._span = span

    def start(self, status: str, headers: TextHeaders, exc_info: ExcInfo | None = None, /) -> Any:
        """start_response() as the application has it; once more, with exc_info, where it failed half-way."""
        kept = [(name, value) for name, value in headers if not is_hidden_outside(_folded(name))]
        kept += _as_text(written_outside(self._context, ids_of(self._context), tells=self._admission.is_trusted))
        note_answer(self._span, self._admission, self._context, _number_of(status))
        return self._start(status, kept) if exc_info is None else self._start(status, kept, exc_info)


class _Serving:
    """One request under way, in context variables of its own."""

    def __init__(self, span: otel.Span, context: RequestContext) -> None:
        self._here = copy_context()
        self._entered = ExitStack()
        self._failure: BaseException | None = None
        self._here.run(self._entered.enter_context, span)
        self._here.run(self._entered.enter_context, ambient.entered(context))

    def call(self, step: Callable[[], T]) -> T:
        """Take a step of the application's; what it raises goes on, and will stand on the span."""
        try:
            return self._here.run(step)
        except BaseException as error:
            self._failure = error
            raise

    def end(self) -> None:
        """Seal the ledger and end the span; once more does nothing."""
        failure, self._failure = self._failure, None
        if failure is None:
            self._here.run(self._entered.close)
        else:
            self._here.run(self._entered.__exit__, type(failure), failure, failure.__traceback__)

    def __del__(self) -> None:
        # Against PEP 3333 somebody dropped the body without closing it.
        self.end()


class _Body:
    """A response's body as the server gets it. Its close, which PEP 3333 promises, ends the request."""

    def __init__(self, serving: _Serving, blocks: Iterable[bytes]) -> None:
        self._serving = serving
        self._blocks = blocks
        self._steps: Iterator[bytes] | None = None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        block = self._serving.call(self._step)
        if block is None:
            raise StopIteration
        return block

    def close(self) -> None:
        """Close the application's body, also where it failed, and end the request."""
        try:
            close: Callable[[], object] | None = getattr(self._blocks, "close", None)
            if close is not None:
                self._serving.call(close)
        finally:
            self._serving.end()

    def _step(self) -> bytes | None:
        if self._steps is None:
            self._steps = iter(self._blocks)
        return next(self._steps, None)


class _SizedBody(_Body):
    """One that says how many blocks it has: of a single one a server may tell the length."""

    def __len__(self) -> int:
        return len(cast("Sized", self._blocks))


def _refused(start_response: StartResponse, refusal: Refusal, context: RequestContext) -> list[bytes]:
    headers, body = refusing(refusal, context)
    status = HTTPStatus(refusal.status)
    start_response(f"{status.value} {status.phrase}", _as_text(headers))
    return [body]


def _as_text(headers: RawHeaders) -> TextHeaders:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]


def _folded(name: str) -> bytes:
    return name.lower().encode("latin-1", "replace")


def _number_of(status: str) -> int | None:
    return int(status[:3]) if status[:3].isdecimal() else None


def _path_of(environ: WSGIEnvironment) -> str:
    """WSGI has the path as Latin-1 of its bytes, which are UTF-8."""
    path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _peer(environ: WSGIEnvironment) -> dict[str, otel.AttributeValue]:
    version = str(environ.get("SERVER_PROTOCOL", "HTTP/1.1")).removeprefix("HTTP/")
    port = str(environ.get("SERVER_PORT", ""))
    client, server = environ.get("REMOTE_ADDR") or None, environ.get("SERVER_NAME") or None
    return peer_attributes(version, client, server, int(port) if port.isdecimal() else None)
