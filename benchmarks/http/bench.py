"""What carrying costs per HTTP hop: through the ASGI door and out by the httpx door, CPU time of this thread.

    make bench ARGS=http

In process: the application and the transport inside do nothing, so that what is left is the doors' own work. The
request is one of a mesh: 14 headers, a trace, 3 foreign baggage members and 3 carried decisions. Medians of 25 runs of
about 20 ms. The floor is a Python call that does one dict.get and one more call; it tells machines apart.
"""

import statistics
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

import httpx

import pennon.http
from pennon import ambient
from pennon.carry import encode
from pennon.context import Entry, Ledger, Origin, RequestContext, Trace
from pennon.headers import BaggagePolicy, Contract, Downstream, mesh, networks

REPEATS: Final = 25
RUN_NS: Final = 20_000_000
CONTRACT: Final = Contract(
    "bench",
    version="1",
    owner="bench",
    baggage=BaggagePolicy(allow=("region", "tier", "exp")),
    downstreams=(Downstream("posts", host="posts.internal"),),
)


def carried() -> str:
    """The member of three decisions about one unit."""
    ledger = Ledger()
    for flag_id in (1, 2, 3):
        ledger.arrived[7, flag_id] = (Entry(7, 9, 0xABCDEF, 29_000_000, flag_id, 1, Origin.SPLIT, 41),)
    return encode(ledger).value


def request_headers() -> list[tuple[bytes, bytes]]:
    """14 headers of a request inside a mesh."""
    plain = ("host", "accept", "accept-encoding", "user-agent", "content-type", "content-length", "authorization")
    return [
        *((name.encode(), b"some-ordinary-value") for name in plain),
        (b"x-forwarded-for", b"10.0.0.7"),
        (b"x-forwarded-proto", b"https"),
        (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        (b"tracestate", b"vendor=opaque"),
        (b"x-request-id", b"01JD9Z6T7Q2V4W8X5Y3N1M0K9P"),
        (b"x-correlation-id", b"corr_01JD9Z6T7Q2V4W8X5Y3N1M0K9P"),
        (b"baggage", f"region=eu,tier=free,exp=b,pennon={carried()}".encode()),
    ]


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(message: Any) -> None:
    pass


def serve(app: Any, scope: dict[str, Any]) -> None:
    """One request, without an event loop: nothing in it waits."""
    call: Coroutine[Any, Any, None] = app(scope, _receive, _send)
    try:
        call.send(None)
    except StopIteration:
        return
    raise RuntimeError("the application waited")


class Answering(httpx.BaseTransport):
    """A transport that answers at once with one prepared response."""

    def __init__(self) -> None:
        self.response = httpx.Response(204)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.response


def floor() -> Callable[[], object]:
    table = {"key": 1}

    def inner(value: int | None) -> int | None:
        return value

    def outer() -> int | None:
        return inner(table.get("key"))

    return outer


def median_ns(job: Callable[[], object]) -> float:
    """CPU ns of one call."""
    count = 1
    while _spent_ns(job, count) < RUN_NS:
        count *= 2
    return statistics.median(_spent_ns(job, count) / count for _ in range(REPEATS))


def _spent_ns(job: Callable[[], object], count: int) -> int:
    began = time.thread_time_ns()
    for _ in range(count):
        job()
    return time.thread_time_ns() - began


def main() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/posts",
        "scheme": "http",
        "http_version": "1.1",
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8001),
        "headers": request_headers(),
    }
    door = pennon.http.asgi(application, CONTRACT, boundary=mesh(verify=networks("127.0.0.0/8")))
    seen: list[RequestContext] = []

    async def keep(scope: Any, receive: Any, send: Any) -> None:
        context = ambient.current()
        assert context is not None
        seen.append(context)

    serve(pennon.http.asgi(keep, CONTRACT, boundary=mesh(verify=networks("127.0.0.0/8"))), scope)
    assert len(seen[0].ledger.arrived) == 3, "the carried decisions must arrive"
    # A context whose door is still open, with what arrived.
    ledger = Ledger()
    ledger.arrived = seen[0].ledger.arrived
    trace = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", None, 1, "vendor=opaque")
    context = RequestContext(trace, seen[0].request_id, ledger, seen[0].correlation_id, baggage=seen[0].baggage)

    request = httpx.Request("GET", "http://posts.internal/posts", headers=[(b"accept", b"*/*")])
    bare = Answering()
    client = pennon.http.httpx(httpx.Client(transport=Answering()), CONTRACT)
    wrapped = client._transport
    figures = {
        "floor": median_ns(floor()),
        "ingress": median_ns(lambda: serve(door, scope)) - median_ns(lambda: serve(application, scope)),
    }
    with ambient.entered(context):
        egress = median_ns(lambda: wrapped.handle_request(request))
    figures["egress"] = egress - median_ns(lambda: bare.handle_request(request))
    figures["hop"] = figures["ingress"] + figures["egress"]
    for name, value in figures.items():
        print(f"{name:8} {value / 1000:8.2f} µs")


if __name__ == "__main__":
    main()
