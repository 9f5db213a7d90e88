"""What the HTTP doors cost; CPU time of this thread.

    make bench ARGS=http

First a production request, in (`ingress.py`) and out (`egress.py`), each with its bar. Then what carrying costs per
hop, by how many decisions there are. In process: the application and the transport inside do nothing and are taken off,
so that what is left is the doors' own work. The request is one of a mesh: 14 headers, a trace, two ids, three foreign
members and some decisions of ours. Measured without an OpenTelemetry SDK, and with one that records every span and
keeps none.
"""

import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_ns, keep, machine, median_ns
from benchmarks.http import egress, ingress

import pennon.http
from pennon import ambient
from pennon.carry import encode_entries
from pennon.context import Entry, Origin, RequestContext
from pennon.headers import BaggagePolicy, Contract, Downstream, mesh, networks

CONTRACT: Final = Contract(
    "bench",
    version="1",
    owner="bench",
    baggage=BaggagePolicy(allow=("region", "tier", "exp")),
    downstreams=(Downstream("posts", host="posts.internal"),),
)
BOUNDARY: Final = mesh(verify=networks("127.0.0.0/8"))
PLAIN: Final = ("host", "accept", "accept-encoding", "user-agent", "content-type", "content-length", "authorization")


def scope_of(decision_count: int) -> dict[str, Any]:
    """A request with so many carried decisions."""
    entries = [Entry(7, 9, 0xABCDEF, 29_000_000, flag, 1, Origin.SPLIT, 41) for flag in range(decision_count)]
    ours = f",pennon={encode_entries(entries).value}" if entries else ""
    headers = [
        *((name.encode(), b"some-ordinary-value") for name in PLAIN),
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-forwarded-proto", b"https"),
        (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        (b"tracestate", b"vendor=opaque"),
        (b"x-request-id", b"01JD9Z6T7Q2V4W8X5Y3N1M0K9P"),
        (b"x-correlation-id", b"corr_01JD9Z6T7Q2V4W8X5Y3N1M0K9P"),
        (b"baggage", f"region=eu,tier=free,exp=b{ours}".encode()),
    ]
    peers = {"client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 8001)}
    return {"type": "http", "method": "GET", "path": "/posts", "scheme": "http", "headers": headers, **peers}


async def application(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers at once."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(_message: Any) -> None:
    pass


def serve(app: Any, scope: dict[str, Any]) -> None:
    """One request without an event loop, since nothing in it waits."""
    call: Coroutine[Any, Any, None] = app(scope, _receive, _send)
    try:
        call.send(None)
    except StopIteration:
        return
    raise SystemExit("the application waited")


def serving(app: Any, scope: dict[str, Any]) -> Job:
    """Serve the request so often."""

    def job(count: int) -> None:
        for _ in range(count):
            serve(app, scope)

    return job


def calling(transport: httpx.BaseTransport, request: httpx.Request) -> Job:
    """Send the request so often."""

    def job(count: int) -> None:
        for _ in range(count):
            transport.handle_request(request)

    return job


@contextmanager
def request_of(scope: dict[str, Any]) -> Iterator[RequestContext]:
    """The request's context, entered; taken while its call is under way, because afterwards its ledger is sealed."""
    found: list[RequestContext] = []

    async def keeping(_scope: Any, _receive: Any, _send: Any) -> None:
        current = ambient.current()
        if current is not None:
            found.append(current)

    serve(pennon.http.asgi(keeping, CONTRACT, boundary=BOUNDARY), scope)
    [context] = found
    context.ledger.is_sealed = False
    with ambient.entered(context):
        yield context


def row_of(decision_count: int, *, is_recording: bool) -> dict[str, float | bool]:
    """In and out with so many decisions, ns; checked before timed."""
    scope = scope_of(decision_count)
    door = pennon.http.asgi(application, CONTRACT, boundary=BOUNDARY)
    bare = egress.Answering()
    wrapped = pennon.http.httpx(httpx.Client(transport=bare), CONTRACT)._transport
    request = httpx.Request("GET", "http://posts.internal/posts", headers=[(b"accept", b"*/*")])
    with request_of(scope) as context:
        wrapped.handle_request(request)
        sent = {} if bare.last is None else dict(bare.last.headers)
        if len(context.ledger.arrived) != decision_count or ("pennon=" in sent["baggage"]) is not bool(decision_count):
            raise SystemExit(f"{decision_count} decisions came, {len(context.ledger.arrived)} arrived: nothing to time")
        out_ns = median_ns(calling(wrapped, request)) - median_ns(calling(bare, request))
    in_ns = median_ns(serving(door, scope)) - median_ns(serving(application, scope))
    return {"decisions": decision_count, "is_recording": is_recording, "in_ns": round(in_ns), "out_ns": round(out_ns)}


def main() -> None:
    """Measure, print and keep."""
    ingress.main()
    egress.main()
    floor = floor_ns()
    print(f"HTTP carrying, CPU time per hop; floor {floor:.0f} ns")
    print(f"{'decisions':>9}  {'spans':>5}  {'in µs':>7}  {'out µs':>7}  {'hop µs':>7}  {'x floor':>8}")
    rows = [row_of(count, is_recording=False) for count in (0, 3, 20)]
    trace.set_tracer_provider(TracerProvider())
    rows.append(row_of(3, is_recording=True))
    for row in rows:
        hop_ns = row["in_ns"] + row["out_ns"]
        print(
            f"{row['decisions']:>9}  {'yes' if row['is_recording'] else 'no':>5}  {row['in_ns'] / 1e3:>7.1f}  "
            f"{row['out_ns'] / 1e3:>7.1f}  {hop_ns / 1e3:>7.1f}  {hop_ns / floor:>8.0f}"
        )
    keep("http", {"machine": machine("httpx", "opentelemetry-sdk"), "floor_ns": round(floor, 1), "rows": rows})


if __name__ == "__main__":
    main()
