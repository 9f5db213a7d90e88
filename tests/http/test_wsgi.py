"""What the WSGI door alone does: a body that is made after the call, and what an environ does not tell."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from wsgiref.validate import validator

import pytest
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from pennon import ambient, counters
from pennon.context import Forwarded, RequestContext
from pennon.headers import (
    Category,
    Classification,
    Contract,
    DeadlinePolicy,
    Field,
    Inbound,
    Log,
    Propagate,
    Trust,
    mesh,
    networks,
    public,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.http import wsgi
from pennon.testing import ManualClock

TENANT = Field(
    "x-tenant-id",
    category=Category.SECURITY,
    owner="identity",
    syntax="[a-z]+",
    max_length=16,
    trust=Trust.MESH,
    caller_may_set=False,
    gateway_overwrites=False,
    downstream_may_forward=True,
    propagate=Propagate.NEVER,
    log=Log.HASH,
    classification=Classification.INTERNAL_ID,
    description="who pays",
)
LOCALE = replace(TENANT, name="x-locale", trust=Trust.CLIENT, caller_may_set=True)
SCORED = replace(TENANT, name="x_scored")
LIST = replace(TENANT, name="x-regions", syntax="[a-z,]+")
CONTRACT = Contract("test", version="1", owner="tests", fields=(TENANT, LOCALE, LIST, SCORED))
TRUSTED = mesh(verify=networks("127.0.0.0/8"))
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

Environ = Callable[..., dict[str, Any]]


class Server:
    """A server's side of one request; it checks that the door keeps to PEP 3333."""

    def __init__(self, app: Any, environ: dict[str, Any], **options: Any) -> None:
        self.started: list[tuple[str, dict[str, str]]] = []
        self.written: list[bytes] = []
        contract, boundary = options.pop("contract", CONTRACT), options.pop("boundary", public())
        self.body: Any = wsgi(app, contract, boundary=boundary, **options)(environ, self._start)

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        if exc_info is not None and self.written:
            raise exc_info[1]
        assert len({name.lower() for name, _ in headers}) == len(headers)
        self.started.append((status, {name.lower(): value for name, value in headers}))
        return self.written.append

    def finish(self) -> bytes:
        """Take all blocks and close."""
        try:
            return b"".join(self.body)
        finally:
            self.body.close()


def here() -> RequestContext:
    """The request's context."""
    context = ambient.current()
    assert context is not None, "no request context here"
    return context


class Blocks:
    """A body that says where its steps and its close were taken."""

    def __init__(self, steps: list[Any]) -> None:
        self._steps = iter(steps)
        self.contexts: list[RequestContext] = []
        self.closed: list[bool] = []

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.contexts.append(here())
        step = next(self._steps)
        if isinstance(step, Exception):
            raise step
        return bytes(step)

    def close(self) -> None:
        self.closed.append(here().ledger.is_sealed)


@pytest.mark.req(92, 93)
def test_context_lives_until_the_body_is_closed(environ: Environ) -> None:
    """Call, steps and close see one request; the thread that serves it sees none, before, between and after."""
    blocks = Blocks([b"one", b"two"])
    contexts: list[RequestContext] = []

    def app(_: Any, start_response: Any) -> Blocks:
        contexts.append(here())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return blocks

    server = Server(app, environ([]))
    seen = [ambient.current()]
    first = next(iter(server.body))
    seen.append(ambient.current())
    rest = server.finish()
    seen.append(ambient.current())

    assert b"onetwo" == first + rest
    assert [None] * 3 == seen
    assert contexts * 3 == blocks.contexts
    assert [False] == blocks.closed
    assert contexts[0].ledger.is_sealed


def test_generator_that_answers_late_is_served_alike(environ: Environ) -> None:
    """Nothing of it runs before the first step, start_response() neither."""
    contexts: list[RequestContext] = []

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        contexts.append(here())
        start_response("200 OK", [])
        yield b"one"
        contexts.append(here())
        yield b"two"

    server = Server(app, environ([]))
    assert [] == server.started
    assert b"onetwo" == server.finish()
    assert contexts[0] is contexts[1]
    assert contexts[0].request_id == server.started[0][1]["x-request-id"]


def test_closing_a_body_that_nobody_read_ends_the_request(environ: Environ) -> None:
    """As a server does whose client has gone."""
    contexts: list[RequestContext] = []

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        contexts.append(here())
        start_response("200 OK", [])
        return iter([b"one"])

    Server(app, environ([])).body.close()

    assert contexts[0].ledger.is_sealed


@pytest.mark.parametrize("fails_in", ["call", "step", "close"])
def test_failure_goes_on_to_the_server_and_ends_the_request(
    fails_in: str, environ: Environ, spans: InMemorySpanExporter
) -> None:
    """The body is closed all the same, and the error stands on the span."""
    contexts: list[RequestContext] = []

    class Broken(Blocks):
        def close(self) -> None:
            super().close()
            if fails_in == "close":
                raise ZeroDivisionError

    blocks = Broken([ZeroDivisionError()] if fails_in == "step" else [b"one"])

    def app(_: Any, start_response: Any) -> Blocks:
        contexts.append(here())
        if fails_in == "call":
            raise ZeroDivisionError
        start_response("200 OK", [])
        return blocks

    with pytest.raises(ZeroDivisionError):
        Server(app, environ([])).finish()

    assert contexts[0].ledger.is_sealed
    assert ([] if fails_in == "call" else [False]) == blocks.closed
    (span,) = spans.get_finished_spans()
    assert "ZeroDivisionError" == (span.attributes or {})["error.type"]


def test_steps_may_be_taken_in_another_thread(environ: Environ) -> None:
    """Some servers hand the body to another one."""
    blocks = Blocks([b"one"])

    def app(_: Any, start_response: Any) -> Blocks:
        start_response("200 OK", [])
        return blocks

    server = Server(app, environ([]))
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(server.finish()))
    thread.start()
    thread.join(60)

    assert [b"one"] == got
    assert blocks.contexts[0].ledger.is_sealed


@pytest.mark.req(93)
def test_requests_that_one_thread_serves_by_turns_do_not_mix(environ: Environ) -> None:
    """Each body has its own request."""
    bodies = [Blocks([b"one", b"two"]), Blocks([b"one", b"two"])]
    ids: list[str] = []

    def app(_: Any, start_response: Any) -> Blocks:
        start_response("200 OK", [])
        ids.append(here().request_id)
        return bodies[len(ids) - 1]

    servers = [Server(app, environ([])) for _ in bodies]
    for _ in range(2):
        for server in servers:
            next(server.body)
    for server in servers:
        server.body.close()

    assert [[each] * 2 for each in ids] == [[context.request_id for context in body.contexts] for body in bodies]


def test_write_goes_to_the_server(environ: Environ) -> None:
    """The old way to send, beside the body."""

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])(b"written")
        return [b"returned"]

    server = Server(app, environ([]))

    assert (b"returned", [b"written"]) == (server.finish(), server.written)


@pytest.mark.parametrize("is_late", [False, True])
def test_application_may_start_again_when_it_fails(is_late: bool, environ: Environ) -> None:
    """With exc_info, as an error page does; once something is sent, the server raises it."""

    def app(_: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("X-Request-Id", "its own")])
        if is_late:
            write(b"half")
        try:
            raise ZeroDivisionError
        except ZeroDivisionError as error:
            start_response("500 Sorry", [], (ZeroDivisionError, error, error.__traceback__))
        return [b"sorry"]

    if is_late:
        with pytest.raises(ZeroDivisionError):
            Server(app, environ([]))
        return
    server = Server(app, environ([]))
    assert b"sorry" == server.finish()
    assert ["200 OK", "500 Sorry"] == [status for status, _ in server.started]
    assert 1 == len({headers["x-request-id"] for _, headers in server.started})


def test_number_of_blocks_is_told_where_the_application_tells_it(environ: Environ) -> None:
    """From a single one a server makes the Content-Length."""

    def app(_: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"one"]

    server = Server(app, environ([]))
    assert 1 == len(server.body)
    server.finish()
    assert not hasattr(Server(lambda *_: iter(app(*_)), environ([])).body, "__len__")


def test_body_that_is_dropped_ends_the_request(environ: Environ, spans: InMemorySpanExporter) -> None:
    """A server must close it; one that does not leaves no ledger open and no span behind."""
    contexts: list[RequestContext] = []

    def app(_: Any, start_response: Any) -> Iterator[bytes]:
        contexts.append(here())
        start_response("200 OK", [])
        return iter([b"one"])

    Server(app, environ([]))

    assert contexts[0].ledger.is_sealed
    assert 1 == len(spans.get_finished_spans())


def test_door_keeps_to_the_protocol_on_both_sides(environ: Environ) -> None:
    """The standard library's validator stands before it and behind it."""

    @validator
    def app(inside: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"hello"]

    started: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.append(status)
        return lambda _: None

    sent = [(b"traceparent", PARENT), (b"baggage", b"a=1"), (b"x-request-id", b"theirs")]
    body: Any = validator(wsgi(app, CONTRACT, boundary=TRUSTED))(environ(sent), start_response)
    blocks = list(body)
    body.close()

    assert ([b"hello"], ["200 OK"]) == (blocks, started)


def test_environ_of_the_server_is_not_edited(environ: Environ) -> None:
    """It may log or reuse it."""
    given = environ([(b"baggage", b"a=1"), (b"X-Request-Id", b"theirs"), (b"Pennon-Decided", b"x")])
    before = dict(given)

    def app(inside: Any, start_response: Any) -> list[bytes]:
        inside["own"] = 1
        start_response("200 OK", [])
        return []

    Server(app, given).finish()

    assert before == given


def test_boundary_s_callables_see_the_request(environ: Environ) -> None:
    """Its path is text, whatever WSGI makes of it; its source is the environ."""
    seen: list[Inbound] = []

    def verify(inbound: Inbound) -> bool:
        seen.append(inbound)
        return True

    given = environ([], SCRIPT_NAME="/v1", PATH_INFO="/m\xc3\xbcller", REQUEST_METHOD="POST", CONTENT_TYPE="text/plain")
    Server(lambda _, start: (start("200 OK", []), [])[1], given, boundary=mesh(verify=verify)).finish()

    [inbound] = seen
    assert ("127.0.0.1", "POST", "/v1/müller", "text/plain") == (
        inbound.address,
        inbound.method,
        inbound.path,
        inbound.header("Content-Type"),
    )
    assert inbound.source is given


def taken(environ: dict[str, Any], **options: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """The declared fields that a verified caller's request brought, and what the application saw."""
    found: list[tuple[dict[str, str], dict[str, Any]]] = []

    def app(inside: Any, start_response: Any) -> list[bytes]:
        tenant = here().identity.tenant
        found.append((dict(here().fields) | ({} if tenant is None else {"x-tenant-id": tenant}), inside))
        start_response("200 OK", [])
        return []

    Server(app, environ, **{"boundary": TRUSTED, **options}).finish()
    return found[0]


def distrusted() -> int:
    """How much was dropped so far because only a verified caller may send it."""
    wanted = (counters.Count.HEADERS_DROPPED, "not_trusted")
    return sum(sample.total for sample in counters.samples() if (sample.name, sample.cause) == wanted)


@pytest.mark.req(17)
@pytest.mark.parametrize(
    ("software", "says", "is_taken"),
    [
        ("gunicorn/27.0.1", None, True),
        ("gunicorn/20.1.0", None, False),
        ("waitress", None, True),
        ("Werkzeug/3.1.3", None, True),
        ("Werkzeug/2.2.0", None, False),
        ("gevent/24.2 Python/3.11", None, True),
        ("WSGIServer/0.2 CPython/3.11.7", None, False),
        ("somebody's", None, False),
        ("", None, False),
        ("WSGIServer/0.2 CPython/3.11.7", True, True),
        ("gunicorn/27.0.1", False, False),
    ],
)
def test_twin_with_underscores_passes_for_no_declared_field(
    software: str, says: bool | None, is_taken: bool, environ: Environ
) -> None:
    """`X_Tenant_Id` looks like `X-Tenant-Id` here: unless the server keeps it away, neither is believed or shown."""
    before = distrusted()
    given = environ([(b"X_Tenant_Id", b"acme"), (b"X-Locale", b"de")], SERVER_SOFTWARE=software)

    fields, inside = taken(given, drops_underscores=says)

    assert {"x-locale": "de", **({"x-tenant-id": "acme"} if is_taken else {})} == fields
    assert is_taken == ("HTTP_X_TENANT_ID" in inside)
    assert is_taken == (before == distrusted())


@pytest.mark.req(11, 17)
@pytest.mark.parametrize(("software", "address"), [("gunicorn/27.0.1", "192.0.2.9"), ("WSGIServer/0.2", None)])
def test_twin_with_underscores_does_not_speak_for_a_proxy(software: str, address: str | None, environ: Environ) -> None:
    """Joined behind what a trusted proxy wrote, a client's own `X_Forwarded_For` would be read as the nearest's."""
    proxies = TrustedProxies(["127.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED])
    lines = [(b"X-Forwarded-For", b"192.0.2.9"), *([] if address else [(b"X_Forwarded_For", b"6.6.6.6")])]
    found: list[tuple[Forwarded | None, bool]] = []

    def app(inside: Any, start_response: Any) -> list[bytes]:
        found.append((here().forwarded, "HTTP_X_FORWARDED_FOR" in inside))
        start_response("200 OK", [])
        return []

    Server(app, environ(lines, SERVER_SOFTWARE=software), contract=replace(CONTRACT, proxies=proxies)).finish()

    assert [(None if address is None else Forwarded(address), address is not None)] == found


@pytest.mark.parametrize("is_trusted", [True, False])
def test_field_that_is_declared_with_an_underscore_is_judged_too(is_trusted: bool, environ: Environ) -> None:
    """It arrives as if it had a dash; who may not set it does not get it past the door by that."""
    given = environ([(b"x_scored", b"high")])
    boundary = TRUSTED if is_trusted else public()

    fields, inside = taken(given, boundary=boundary)

    assert ({"x_scored": "high"} if is_trusted else {}) == fields
    assert is_trusted == ("HTTP_X_SCORED" in inside)


def test_boundary_s_callables_do_not_see_a_twin_either(environ: Environ) -> None:
    """They would believe it."""
    seen: list[str | None] = []

    def verify(inbound: Inbound) -> bool:
        seen.append(inbound.header("X-Tenant-Id"))
        return True

    given = environ([(b"X_Tenant_Id", b"acme")], SERVER_SOFTWARE="WSGIServer/0.2")
    Server(lambda _, start: (start("200 OK", []), [])[1], given, boundary=mesh(verify=verify)).finish()

    assert [None] == seen


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"acme", b"acme"], {"x-tenant-id": "acme"}),
        ([b"acme", b"evil"], {}),
        ([b"acme"] * 20, {}),
        ([b"acme,evil"], {}),
        ([b"acme", b" acme"], {}),
    ],
)
def test_field_that_repeats_is_judged_as_by_asgi(
    lines: list[bytes], expected: dict[str, str], environ: Environ
) -> None:
    """Equal copies of it, up to a few, are one."""
    assert expected == taken(environ([(b"X-Tenant-Id", line) for line in lines]))[0]


@pytest.mark.req(60, 64, 67)
@pytest.mark.parametrize("software", ["gunicorn/27.0.1", "WSGIServer/0.2"])
@pytest.mark.parametrize("twin", [b"X-Request-Timeout-Ms", b"X_Request_Timeout_Ms"])
@pytest.mark.parametrize("copies_count", [1, 20])
def test_deadline_that_repeats_is_the_soonest(copies_count: int, twin: bytes, software: str, environ: Environ) -> None:
    """A client's line, or its twin with underscores, takes nothing from the gateway's word, wherever it stands."""
    clock = ManualClock()
    clients, gateways = [(twin, b"99999")] * copies_count, [(b"X-Request-Timeout-Ms", b"1000")]
    left: list[int] = []

    def app(_: Any, start_response: Any) -> list[bytes]:
        deadline = here().deadline
        assert deadline is not None
        left.append(deadline.remaining_ns(clock.monotonic_ns()))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return []

    contract = replace(CONTRACT, deadline=DeadlinePolicy(accept=["x-request-timeout-ms"], cap_s=30))
    for sent in (clients + gateways, gateways + clients):
        given = environ(sent, SERVER_SOFTWARE=software)
        Server(app, given, contract=contract, boundary=TRUSTED, clock=clock).finish()

    assert [10**9] * 2 == left


@pytest.mark.req(60)
def test_more_deadlines_than_a_request_may_have_headers_are_refused(environ: Environ) -> None:
    """As by ASGI; reading them all would be a stranger's way to keep us busy."""
    contract = replace(CONTRACT, deadline=DeadlinePolicy(accept=["grpc-timeout"], cap_s=30))
    server = Server(lambda *_: [], environ([(b"grpc-timeout", b"1S")] * 101), contract=contract, boundary=TRUSTED)

    assert "431" == server.started[0][0][:3]


def test_field_whose_syntax_has_commas_is_taken_as_it_stands(environ: Environ) -> None:
    """It may be a list, or two lines: that cannot be told."""
    assert {"x-regions": "eu,us"} == taken(environ([(b"X-Regions", b"eu"), (b"X-Regions", b"us")]))[0]


def test_text_that_is_no_latin_1_raises_nothing(environ: Environ) -> None:
    """WSGI forbids it; a careless middleware may still put it there, or a number."""
    given = {**environ([]), "HTTP_X_TENANT_ID": "\u20ac", "HTTP_BAGGAGE": "k=\u20ac", "HTTP_X_NUMBER": 7}

    assert {} == taken(given)[0]


def test_server_span_continues_a_verified_caller(environ: Environ, spans: InMemorySpanExporter) -> None:
    """Its parent is the caller's span; it says who asked what, and how that was answered."""
    contexts: list[RequestContext] = []

    def app(_: Any, start_response: Any) -> list[bytes]:
        contexts.append(here())
        start_response("503 Sorry", [])
        return []

    given = environ([(b"traceparent", PARENT)], PATH_INFO="/x", QUERY_STRING="token=secret", SERVER_PORT="8001")
    Server(app, given, boundary=TRUSTED).finish()

    (span,) = spans.get_finished_spans()
    attributes = dict(span.attributes or {})
    assert span.parent is not None
    assert (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7) == (span.parent.trace_id, span.parent.span_id)
    assert f"{span.context.span_id:016x}" == contexts[0].trace.span_id
    assert ("GET", SpanKind.SERVER, "ERROR") == (span.name, span.kind, span.status.status_code.name)
    assert (503, "/x", 8001, "127.0.0.1") == (
        attributes["http.response.status_code"],
        attributes["url.path"],
        attributes["server.port"],
        attributes["client.address"],
    )
    assert contexts[0].request_id == attributes["pennon.request_id"]
    assert "secret" not in str(attributes)


def test_instrumented_application_has_one_server_span(environ: Environ, spans: InMemorySpanExporter) -> None:
    """OpenTelemetry's, continued from a verified caller, with our attributes; also where a method leads to it."""

    class Framework:
        def __init__(self) -> None:
            self.wsgi_app = OpenTelemetryMiddleware(self._serve)

        def _serve(self, _: Any, start_response: Any) -> list[bytes]:
            start_response("200 OK", [])
            return []

        def __call__(self, inside: Any, start_response: Any) -> Any:
            return self.wsgi_app(inside, start_response)

    Server(Framework().__call__, environ([(b"traceparent", PARENT)]), boundary=TRUSTED).finish()

    (span,) = spans.get_finished_spans()
    assert span.parent is not None
    assert 0x00F067AA0BA902B7 == span.parent.span_id
    assert ("traceparent",) == (span.attributes or {})["pennon.headers.took"]
