"""What the httpx door adds to a call that goes out, over the bare transport; CPU time of this thread.

    python benchmarks/http/egress.py

The request being served is `production_request.txt` of `benchmarks/headers` as a mesh door has read it, with three
decisions that arrived; the call is a POST as `httpx.Client` makes it, to a host that may have all there is: trace and
tracestate, baggage and the member, request and correlation id, tenant and actor, the calling service, and the deadline
as a time of day. Sixteen requests take turns, each with its own ids, trace, tenant, actor, decisions and deadline.
"First call" writes the decisions anew; a further call of the same request finds them written. No spans. The headers
that arrive at the transport are checked before anything is timed.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_job, keep, machine, medians_ns

import pennon.http
from pennon import ambient
from pennon.carry import decode
from pennon.clock import SYSTEM_CLOCK
from pennon.context import (
    ActorType,
    CorrelationId,
    Deadline,
    Entry,
    Identity,
    Ledger,
    Member,
    Origin,
    RequestContext,
    RequestId,
    SpanId,
    Trace,
    TraceId,
)
from pennon.headers import (
    BaggagePolicy,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    parse_baggage,
    std,
)

REFERENCE_FLOOR_NS: Final = 58
BAR_US: Final = 12
REQUEST_COUNT: Final = 16
FLAGS: Final = (11, 12, 13)

CONTRACT: Final = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=(std.IDEMPOTENCY_KEY, std.CALLER_SERVICE, std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF),
    baggage=BaggagePolicy(allow=("tenant.tier", "region")),
    deadline=DeadlinePolicy(accept=tuple(DeadlineForm), cap_s=60),
    downstreams=(
        Downstream(
            "payments",
            host="payments.internal",
            tenant=True,
            actor=True,
            fields=("x-caller-service",),
            deadline=DeadlineForm.ABSOLUTE,
        ),
    ),
)
GIVEN: Final = {
    "traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id", "x-request-deadline", "x-tenant-id",
    "x-actor-id", "x-actor-type", "x-caller-service",
}  # fmt: skip


class Answering(httpx.BaseTransport):
    """Answers at once, and keeps the last request."""

    def __init__(self) -> None:
        self.last: httpx.Request | None = None
        self._response = httpx.Response(204)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The one prepared response."""
        self.last = request
        return self._response


def served(number: int) -> RequestContext:
    """The request, with ids of its own each time."""
    ledger = Ledger()
    for flag in FLAGS:
        entry = Entry(7, 9, 0xABC000 + number, 29_000_000 + number, flag, number, Origin.SPLIT, 41 + number)
        ledger.arrived[7, flag] = (entry,)
    letter = "ABCDEFGHJKMNPQRS"[number]
    return RequestContext(
        Trace(
            TraceId(f"{number:04x}60f7d188f8fa79d48a391a778fa6"),
            SpanId(f"{number:04x}7d188f8fa79d"),
            None,
            1,
            "rojo=00f067aa0ba9",
        ),
        RequestId(f"req_01KAH6ZK3T8V9QWX2M5N7P4R6{letter}"),
        ledger,
        correlation_id=CorrelationId(f"corr_01KAH6ZK4B1C2D3E4F5G6H7J8{letter}"),
        identity=Identity(tenant=f"tenant-42{number}", actor=f"user-991{number}", actor_type=ActorType.HUMAN),
        baggage=(Member("tenant.tier", "regulated"), Member("region", "eu-west-1")),
        fields=(("idempotency-key", f'"idem_{number}"'), ("x-caller-service", "checkout")),
        # Nobody has that much time, and none of it runs out while this is measured.
        deadline=Deadline(SYSTEM_CLOCK.monotonic_ns() + (3_600 + number) * 1_000_000_000, "x-request-deadline"),
    )


@contextmanager
def door() -> Iterator[tuple[httpx.BaseTransport, Answering, httpx.Request]]:
    """The door, what is inside, and a call as a client makes it."""
    inside = Answering()
    with pennon.http.httpx(httpx.Client(transport=inside, trust_env=False), CONTRACT) as client:
        url = "http://payments.internal/payments/PAY-1"
        call = client.build_request("POST", url, json={"amount": 1}, headers={"authorization": "Bearer abc"})
        yield client._transport, inside, call


def check(transport: httpx.BaseTransport, inside: Answering, call: httpx.Request, context: RequestContext) -> None:
    """Everything leaves, once, and nothing else of the request's."""
    ambient.CURRENT.set(context)
    transport.handle_request(call)
    assert inside.last is not None
    lines = [(name.decode(), value) for name, value in inside.last.headers.raw]
    sent = dict(lines)
    assert len(sent) == len(lines) == len(call.headers) + len(GIVEN)
    assert sent.keys() >= GIVEN
    assert context.trace.span_id.encode() in sent["traceparent"]
    assert sent["x-actor-id"].decode() == context.identity.actor
    [ours, *others] = parse_baggage([sent["baggage"]]).members
    assert [entry.flag_id for entry in decode(ours.value).entries] == list(FLAGS)
    assert tuple(others) == context.baggage
    assert sent["x-request-deadline"].endswith(b"Z")
    assert inside.last.extensions["timeout"]["read"] == 5.0


def calling(transport: httpx.BaseTransport, call: httpx.Request, requests: list[RequestContext], *, first: bool) -> Job:
    """Make the call in each request in turn, so often in all. first: as if it were the request's first call."""

    def job(count: int) -> None:
        for number in range(count):
            context = requests[number % REQUEST_COUNT]
            if first:
                context.ledger.encoded = None
            ambient.CURRENT.set(context)
            transport.handle_request(call)

    return job


def main() -> None:
    """Check, time, print and keep."""
    requests = [served(number) for number in range(REQUEST_COUNT)]
    with door() as (transport, inside, call):
        for context in requests:
            check(transport, inside, call, context)
        jobs = {
            "floor": floor_job(),
            "bare": calling(inside, call, requests, first=True),
            "first call": calling(transport, call, requests, first=True),
            "further call": calling(transport, call, requests, first=False),
        }
        spent_ns = medians_ns(jobs)
    floor_ns, bare_ns = spent_ns.pop("floor"), spent_ns.pop("bare")
    scale = REFERENCE_FLOOR_NS / floor_ns
    added_ns = {name: ns - bare_ns for name, ns in spent_ns.items()}
    print(f"floor {floor_ns:.0f} ns; bare transport {bare_ns / 1e3:.2f} µs; added by the httpx door, in µs:")
    for name, ns in added_ns.items():
        print(f"{name:<14} {ns / 1e3:>6.1f} here, {ns * scale / 1e3:>6.1f} at a floor of 58 ns")
    rows = [{"job": name, "ns": round(ns), "scaled_ns": round(ns * scale)} for name, ns in added_ns.items()]
    keep(
        "http_egress",
        {"machine": machine("httpx"), "floor_ns": round(floor_ns, 1), "bar_us_at_floor_58": BAR_US, "rows": rows},
    )


if __name__ == "__main__":
    main()
