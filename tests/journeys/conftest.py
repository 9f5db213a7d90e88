"""Spans as a sender makes them, the app behind a real uvicorn, and a real control plane beside it."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from pennon.control import Author, Role
from pennon.journeys import ControlPlane, Memory, create_app
from pennon.journeys.hops import Hop
from pennon.journeys.otlp import JSON, decode
from pennon.journeys.spans import hop_of, hops_of
from pennon.server import create_app as create_control_plane
from pennon.store import open_store
from pennon.sync import FrameReader

DEADLINE_S = 60.0
PAGE_TOKEN = "the page's token"
SAMPLE = Path(__file__).parent / "sample_trace.json"
BEGAN_NS = 1_795_267_082_000_000_000
MS = 1_000_000

MakeHop = Callable[..., Hop]
Serving = Callable[[Any], AbstractContextManager[str]]


def make_span(number: int = 1, *, trace: int = 1, parent: int = 0, start_ms: float = 0, ms: float = 1) -> Span:
    """A span by small numbers."""
    began_ns = BEGAN_NS + round(start_ms * MS)
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=f"span {number}",
        start_time_unix_nano=began_ns,
        end_time_unix_nano=began_ns + round(ms * MS),
    )


@pytest.fixture(scope="session", autouse=True)
def patient_control() -> Iterator[None]:
    """A machine that stands still is no control plane that does not answer."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("pennon.journeys.control.CALL_TIMEOUT_S", DEADLINE_S)
        yield


@pytest.fixture(scope="session")
def span() -> Callable[..., Span]:
    """`make_span`, for tests that put more on a span."""
    return make_span


@pytest.fixture(scope="session")
def hop() -> MakeHop:
    """A hop of `make_span`, with attributes by name and a service."""

    def make(number: int = 1, *, service: str = "gateway", is_error: bool = False, **members: Any) -> Hop:
        attributes = {name: members.pop(name) for name in list(members) if "." in name}
        span = make_span(number, **members)
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
        span.status.code = 2 if is_error else 0  # type: ignore[assignment]
        made = hop_of(span, service)
        assert isinstance(made, Hop), made
        return made

    return make


@pytest.fixture(scope="session")
def request_of() -> Callable[..., ExportTraceServiceRequest]:
    """A request with these spans of one service."""

    def make(*spans: Span, service: str = "gateway") -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        part = request.resource_spans.add()
        part.resource.attributes.add(key="service.name").value.string_value = service
        part.scope_spans.add().spans.extend(spans)
        return request

    return make


@pytest.fixture
def sample() -> list[Hop]:
    """The hops of the sample trace: gateway, posts, Kafka, feed."""
    hops = list(hops_of(decode(SAMPLE.read_bytes(), JSON)))
    assert all(isinstance(each, Hop) for each in hops)
    return [each for each in hops if isinstance(each, Hop)]


class Journeys:
    """The served app: its memory, and a client that behaves as the page does."""

    def __init__(self, url: str, memory: Memory) -> None:
        self.url = url
        self.memory = memory
        self.http = httpx.Client(base_url=url, timeout=DEADLINE_S)

    def close(self) -> None:
        """Hang up."""
        self.http.close()

    def send(self, body: bytes, **headers: str) -> httpx.Response:
        """Export a body; protobuf unless `content_type` says otherwise."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post("/v1/traces", content=body, headers={"content-type": "application/x-protobuf", **named})

    def send_sample(self) -> None:
        """The sample trace, as JSON."""
        answer = self.send(SAMPLE.read_bytes(), content_type=JSON)
        assert (200, {}) == (answer.status_code, answer.json())

    def change(self, flag: str, deed: str, body: object = None, **headers: Any) -> httpx.Response:
        """What the page's buttons do."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            f"/api/flags/{flag}/{deed}",
            json={} if body is None else body,
            headers={"x-page-token": PAGE_TOKEN, "origin": self.url, "sec-fetch-site": "same-origin", **named},
        )

    @contextmanager
    def live(self) -> Iterator[Iterator[tuple[str, Any]]]:
        """The events of the live stream: name and data."""
        with self.http.stream("GET", "/api/live") as response:
            assert 200 == response.status_code
            yield _events(response)


ServeApp = Callable[[ControlPlane | None], AbstractContextManager[Journeys]]


def _events(response: httpx.Response) -> Iterator[tuple[str, Any]]:
    reader = FrameReader()
    for chunk in response.iter_bytes():
        for frame in reader.feed(chunk):
            yield frame.name, json.loads(frame.data)


@pytest.fixture
def journeys(serve_app: ServeApp) -> Iterator[Journeys]:
    """The app without a control plane."""
    with serve_app(None) as served:
        yield served


@pytest.fixture(scope="module")
def shared_journeys(serve_app: ServeApp) -> Iterator[Journeys]:
    """The same, one for all tests of a module."""
    with serve_app(None) as served:
        yield served


@pytest.fixture(scope="session")
def serve_app(serving: Serving) -> ServeApp:
    """The app in front of a control plane of one's own, for as long as a block lasts."""

    @contextmanager
    def in_front_of(control: ControlPlane | None) -> Iterator[Journeys]:
        memory = Memory(limit_journeys=100)
        app = create_app(memory=memory, control=control, page_token=PAGE_TOKEN)
        with serving(app) as url, closing(Journeys(url, memory)) as served:
            yield served

    return in_front_of


@pytest.fixture
def free_url() -> str:
    """An address of this machine where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return "http://{}:{}".format(*probe.getsockname())


class Plane:
    """A real control plane with one environment and an author."""

    def __init__(self, url: str, store: Any) -> None:
        self.url = url
        self.store = store
        self.by = Author("somebody else")
        self.environment_id = store.create_project("default", environments=["production"])[0].environment.id
        self.admin_token = self.token(Role.ADMIN, None)
        self.sdk_token = self.token(Role.SDK, "production")

    def token(self, role: Role, environment: str | None) -> str:
        """A new token."""
        made = self.store.create_token(name="test", role=role, project="default", environment=environment)
        return str(made.secret)

    def flag(self, key: str, *variants: str, exposes: bool = False) -> None:
        """A new flag of texts; the last variant is its off variant."""
        listed = [{"key": variant, "value": variant} for variant in variants]
        document = {"key": key, "type": "string", "variants": listed, "exposes": exposes}
        self.store.create_flag("default", document, by=self.by)

    def settings(self, key: str) -> Any:
        """What production serves of a flag."""
        return self.store.settings("default", "production", key)


@pytest.fixture
def plane(tmp_path: Path, serving: Serving) -> Iterator[Plane]:
    """A control plane behind a real uvicorn."""
    with _control_plane(tmp_path, serving) as served:
        yield served


@pytest.fixture
def with_plane(plane: Plane, serve_app: ServeApp) -> Iterator[Journeys]:
    """The app in front of that control plane."""
    with serve_app(ControlPlane(plane.url, token=plane.admin_token)) as served:
        yield served


@pytest.fixture(scope="module")
def with_empty_plane(
    tmp_path_factory: pytest.TempPathFactory, serving: Serving, serve_app: ServeApp
) -> Iterator[Journeys]:
    """The app in front of a control plane without flags, one for all tests of a module."""
    with (
        _control_plane(tmp_path_factory.mktemp("empty"), serving) as plane,
        serve_app(ControlPlane(plane.url, token=plane.admin_token)) as served,
    ):
        yield served


@contextmanager
def _control_plane(folder: Path, serving: Serving) -> Iterator[Plane]:
    with closing(open_store(f"sqlite:///{folder}/pennon.db")) as store, serving(create_control_plane(store)) as url:
        yield Plane(url, store)
