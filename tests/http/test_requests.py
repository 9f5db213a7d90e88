"""What the door of a requests session alone does; what it has in common with the others is in test_clients.py."""

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import wrapt
from opentelemetry import trace
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.propagate import inject
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.auth import HTTPDigestAuth
from urllib3 import HTTPConnectionPool

import pennon.http
from pennon import ambient
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream

CONTRACT = Contract("test", version="1", owner="tests", downstreams=(Downstream("posts", host="posts.internal"),))
NOTHING = Contract("none", version="1", owner="tests")


class Wire(BaseAdapter):
    """An adapter that keeps what it is to send, and answers what it is told."""

    def __init__(self, answer: Callable[[requests.PreparedRequest], requests.Response] | None = None) -> None:
        super().__init__()
        self.sent: list[requests.PreparedRequest] = []
        self.named: dict[str, Any] = {}
        self.is_closed = False
        self._answer = answer

    def send(self, request: requests.PreparedRequest, *_: Any, **named: Any) -> requests.Response:
        self.sent.append(request)
        self.named = named
        response = requests.Response() if self._answer is None else self._answer(request)
        response.status_code = response.status_code or 204
        response.request, response.url = request, request.url or ""
        response.connection = self  # type: ignore[assignment]  # as HTTPAdapter does
        return response

    def close(self) -> None:
        self.is_closed = True


def session_over(wire: BaseAdapter, contract: Contract = CONTRACT) -> requests.Session:
    """A session behind the door."""
    session = requests.Session()
    session.mount("http://", wire)
    return pennon.http.requests(session, contract)


@pytest.fixture(autouse=True)
def serving() -> Iterator[RequestContext]:
    """A request being served."""
    with ambient.entered(
        RequestContext(Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, ""), RequestId("req-1"), Ledger())
    ) as entered:
        yield entered


def test_response_is_the_caller_s_request_s() -> None:
    """It shows nothing of what was added, and can be sent again."""
    wire = Wire()
    session = session_over(wire)
    prepared = session.prepare_request(requests.Request("GET", "http://posts.internal/", headers={"x-own": "1"}))
    before = dict(prepared.headers)
    response = session.send(prepared, timeout=3, stream=True)

    assert response.request is prepared
    assert before == dict(prepared.headers)
    assert "req-1" == wire.sent[0].headers["x-request-id"]
    assert (3, True) == (wire.named["timeout"], wire.named["stream"])


def test_error_names_the_caller_s_request() -> None:
    """Whoever catches it and sends that again, elsewhere, sends nothing of ours."""

    def fail(request: requests.PreparedRequest) -> requests.Response:
        raise requests.ConnectionError("nobody there", request=request)

    with pytest.raises(requests.ConnectionError) as raised:
        session_over(Wire(fail)).get("http://posts.internal/")

    assert raised.value.request is not None
    assert "x-request-id" not in raised.value.request.headers


def test_wrapping_twice_takes_the_new_contract() -> None:
    """There is one door, not two that undo each other's work; the session is the same."""
    wire = Wire()
    session = session_over(wire, NOTHING)
    assert session is pennon.http.requests(session, CONTRACT)
    session.get("http://posts.internal/")

    assert "req-1" == wire.sent[0].headers["x-request-id"]


def test_adapters_are_wrapped_where_they_are_mounted() -> None:
    """Each keeps its place, and is closed with the session."""
    default, mounted = Wire(), Wire()
    session = requests.Session()
    session.mount("http://", default)
    session.mount("http://posts.internal", mounted)
    pennon.http.requests(session, CONTRACT)
    session.get("http://posts.internal/")
    session.close()

    assert ([], 1) == (default.sent, len(mounted.sent))
    assert default.is_closed
    assert mounted.is_closed


def test_digest_authentication_s_second_try_passes_the_door() -> None:
    """It is sent past the session, by the response's own connection."""

    def answer(request: requests.PreparedRequest) -> requests.Response:
        response = requests.Response()
        response.raw = _Raw()
        if "Authorization" not in request.headers:
            response.status_code = 401
            response.headers["www-authenticate"] = 'Digest realm="r", nonce="n", qop="auth"'
        return response

    wire = Wire(answer)
    session_over(wire).get("http://posts.internal/", auth=HTTPDigestAuth("user", "secret"))

    assert [False, True] == ["Authorization" in sent.headers for sent in wire.sent]
    assert ["req-1", "req-1"] == [sent.headers["x-request-id"] for sent in wire.sent]


class _Raw:
    """What urllib3 would have received: nothing."""

    _original_response = None

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    def read(self, *_: Any, **__: Any) -> bytes:
        return b""

    def release_conn(self) -> None:
        pass

    close = release_conn


@pytest.mark.parametrize("url", ["http://posts.internal:99999/", "http://[/", "mock://posts.internal/", "nothing"])
def test_address_that_cannot_be_read_is_the_adapter_s_affair(url: str) -> None:
    """The door raises nothing about it, and takes it for undeclared."""
    wire = Wire()
    request = requests.PreparedRequest()
    request.prepare(method="GET", url="http://posts.internal/")
    request.url = url
    door = session_over(wire).get_adapter("http://posts.internal/")
    door.send(request)

    assert url == wire.sent[0].url


def test_wrapped_session_can_be_pickled() -> None:
    """As a session can that is handed to another process."""
    session = pickle.loads(pickle.dumps(pennon.http.requests(requests.Session(), CONTRACT)))

    assert isinstance(session.get_adapter("http://posts.internal/").inner, HTTPAdapter)


@pytest.fixture
def _hooked() -> Iterator[None]:
    RequestsInstrumentor().instrument()
    yield
    RequestsInstrumentor().uninstrument()


@pytest.mark.usefixtures("_hooked")
def test_instrumented_session_has_one_client_span(spans: InMemorySpanExporter) -> None:
    """The instrumentation's; its trace leaves for the declared host, and for no other, a redirect's neither."""

    def answer(request: requests.PreparedRequest) -> requests.Response:
        response = requests.Response()
        response.raw = _Raw()
        if request.url == "http://posts.internal/away":
            response.status_code = 307
            response.headers["location"] = "http://elsewhere.example/away"
        return response

    wire = Wire(answer)
    session = session_over(wire)
    session.get("http://posts.internal/")
    (span,) = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    session.get("http://elsewhere.example/")
    session.get("http://posts.internal/away")

    assert "opentelemetry.instrumentation.requests" in str(span.instrumentation_scope)
    own = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03"
    assert own == wire.sent[0].headers["traceparent"]
    assert [True, False, True, False] == ["traceparent" in sent.headers for sent in wire.sent]
    assert [True, False, True, False] == ["x-request-id" in sent.headers for sent in wire.sent]


@pytest.fixture
def _hooked_within(monkeypatch: pytest.MonkeyPatch) -> None:
    """What OpenTelemetry's instrumentation of urllib3 does."""

    def urlopen(wrapped: Any, _pool: Any, arguments: Any, named: Any) -> Any:
        if not is_http_instrumentation_enabled():
            return wrapped(*arguments, **named)
        with trace.get_tracer("urllib3").start_as_current_span("GET", kind=SpanKind.CLIENT):
            inject(named["headers"])
            return wrapped(*arguments, **named)

    original = HTTPConnectionPool.urlopen
    monkeypatch.setattr(HTTPConnectionPool, "urlopen", wrapt.FunctionWrapper(original, urlopen))


@pytest.mark.usefixtures("_hooked_within")
@pytest.mark.parametrize("may_trace", [True, False])
def test_instrumented_urllib3_makes_the_span_where_the_trace_may_go(
    may_trace: bool, serve: Callable[..., str], spans: InMemorySpanExporter
) -> None:
    """Within the door: one span; where the host may not have the trace the door makes it, and nothing is written."""
    received: list[dict[bytes, bytes]] = []

    async def host(scope: Any, _receive: Any, send: Any) -> None:
        received.append(dict(scope["headers"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    place = serve(host)
    downstream = Downstream("host", host=place, trace=may_trace)
    with pennon.http.requests(
        requests.Session(), Contract("test", version="1", owner="tests", downstreams=(downstream,))
    ) as session:
        session.get(f"http://{place}/")

    (span,) = [span for span in spans.get_finished_spans() if span.kind is SpanKind.CLIENT]
    assert may_trace == ("urllib3" in str(span.instrumentation_scope and span.instrumentation_scope.name))
    (got,) = received
    expected = f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03".encode()
    assert (expected if may_trace else None) == got.get(b"traceparent")
    assert b"req-1" == got[b"x-request-id"]
