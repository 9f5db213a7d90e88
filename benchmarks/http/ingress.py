"""What the ASGI door adds to a request that comes in, over the bare Starlette application; CPU time of this thread.

    python benchmarks/http/ingress.py

The request is `production_request.txt` of `benchmarks/headers` with a member of three decisions; the clock stands at
2026-11-21T10:15:00Z. Sixteen of them take turns, each with its own ids, trace, tenant, actor and decisions, so that
nothing which remembers whole values looks faster than it is. Every field is declared and validated, the deadline read,
response headers written; no spans. What each door does is checked before it is timed. Beside it stands what
OpenTelemetry's ASGI instrumentation adds with an SDK that records every span and keeps none.
"""

import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_job, keep, machine, medians_ns

import pennon.http
from pennon import ambient
from pennon.carry import encode_entries
from pennon.context import ActorType, Entry, Origin, RequestContext
from pennon.headers import (
    BaggagePolicy,
    Boundary,
    Contract,
    DeadlinePolicy,
    Downstream,
    mesh,
    networks,
    public,
    std,
)

# 2026-11-21T10:15:00Z
NOW_NS: Final = 1_795_256_100 * 1_000_000_000
DUE_NS: Final = 30_250_000_000
REFERENCE_FLOOR_NS: Final = 58
BAR_US: Final = 16
REQUEST_COUNT: Final = 16
ALLOWED: Final = ("tenant.tier", "region")

CONTRACT: Final = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=(
        std.HOST,
        std.CONTENT_TYPE,
        std.ACCEPT,
        std.TRACEPARENT,
        std.TRACESTATE,
        std.BAGGAGE,
        std.REQUEST_ID,
        std.CORRELATION_ID,
        std.IDEMPOTENCY_KEY,
        std.REQUEST_DEADLINE,
        std.CALLER_SERVICE,
        std.TENANT_ID,
        std.ACTOR_TYPE,
        std.ACTOR_ID,
        std.ON_BEHALF_OF,
    ),
    baggage=BaggagePolicy(allow=ALLOWED),
    deadline=DeadlinePolicy(accept=("x-request-deadline", "x-request-timeout-ms", "grpc-timeout"), cap_s=60),
    downstreams=(Downstream("cases", host="cases.internal", tenant=True, actor=True),),
)
BOUNDARIES: Final = {"public": public(), "mesh": mesh(verify=networks("10.0.0.0/8"))}


class StandingClock:
    """It is always the same time."""

    def now_ns(self) -> int:
        """2026-11-21T10:15:00Z."""
        return NOW_NS

    def monotonic_ns(self) -> int:
        """Some time."""
        return 1_000_000_000


def scopes() -> list[dict[str, Any]]:
    """The request, with ids of its own each time."""
    text = (Path(__file__).parents[1] / "headers" / "production_request.txt").read_text(encoding="utf-8")
    lines = text.partition("\n\n")[0].splitlines()[1:]
    return [_scope_of(number, [line.partition(": ")[::2] for line in lines]) for number in range(REQUEST_COUNT)]


def _scope_of(number: int, pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    entries = [
        Entry(7, 9, 0xABC000 + number, 29_000_000 + number, flag, number, Origin.SPLIT, 41 + number)
        for flag in (11, 12, 13)
    ]
    letter = "ABCDEFGHJKMNPQRS"[number]
    changed: dict[str, Callable[[str], str]] = {
        "traceparent": lambda value: value.replace("8a3c", f"{number:04x}"),
        "baggage": lambda value: f"{value},pennon={encode_entries(entries).value}",
        "x-request-id": lambda value: value[:-1] + letter,
        "x-correlation-id": lambda value: value[:-1] + letter,
        "idempotency-key": lambda value: f'{value[:-2]}{letter}"',
        "x-request-deadline": lambda value: value.replace("30.250", f"{30 + number}.250"),
        "x-tenant-id": lambda value: f"{value}{number}",
        "x-actor-id": lambda value: f"{value}{number}",
    }
    lower = [(name.lower(), value) for name, value in pairs]
    headers = [(name.encode(), (changed[name](value) if name in changed else value).encode()) for name, value in lower]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/orders/ORD-3107/commands/cancel",
        "raw_path": b"/orders/ORD-3107/commands/cancel",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": (f"10.1.2.{number}", 4711),
        "server": ("10.9.0.1", 8000),
    }


def application() -> Starlette:
    """One route that answers at once."""

    async def cancel(_request: Request) -> Response:
        return Response(status_code=204)

    return Starlette(routes=[Route("/orders/{order}/commands/cancel", cancel, methods=["POST"])])


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b""}


async def _send(_message: Any) -> None:
    pass


def serve(app: Any, scope: dict[str, Any], send: Any = _send) -> None:
    """One request without an event loop, since nothing in it waits. Starlette writes into the scope it is given."""
    call: Coroutine[Any, Any, None] = app(dict(scope), _receive, send)
    try:
        call.send(None)
    except StopIteration:
        return
    raise SystemExit("the application waited")


def serving(app: Any, requests: Sequence[dict[str, Any]]) -> Job:
    """Serve the requests in turn, so often in all."""

    def job(count: int) -> None:
        for number in range(count):
            serve(app, requests[number % REQUEST_COUNT])

    return job


def door(app: Any, boundary: Boundary, contract: Contract = CONTRACT) -> Any:
    """The door as it is timed."""
    return pennon.http.asgi(app, contract, boundary=boundary, clock=StandingClock())


def check(boundary: str, scope: dict[str, Any], number: int) -> None:
    """The door took what it should, dropped what it should, and said so in the response."""
    seen: list[tuple[RequestContext, dict[bytes, bytes]]] = []
    said: dict[bytes, bytes] = {}

    async def looking(inside: Any, _receive: Any, send: Any) -> None:
        context = ambient.current()
        assert context is not None
        seen.append((context, dict(inside["headers"])))
        assert len(context.ledger.arrived) == (3 if boundary == "mesh" else 0)
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def hearing(message: Any) -> None:
        said.update(message["headers"])

    serve(door(looking, BOUNDARIES[boundary]), scope, hearing)
    [(context, inside)] = seen
    came = dict(scope["headers"])
    assert [member.key for member in context.baggage] == list(ALLOWED)
    assert said[b"x-correlation-id"] == came[b"x-correlation-id"]
    assert inside[b"idempotency-key"] == came[b"idempotency-key"]
    assert context.deadline is not None
    if boundary == "mesh":
        assert context.trace.trace_id.encode() in came[b"traceparent"]
        assert said[b"x-request-id"] == came[b"x-request-id"]
        assert context.deadline.due_ns == 1_000_000_000 + DUE_NS + number * 1_000_000_000
        identity = (context.identity.tenant, context.identity.actor, context.identity.actor_type)
        assert identity == (f"tenant-42{number}", f"user-991{number}", ActorType.HUMAN)
        assert ("x-caller-service", "checkout") in context.fields
    else:
        assert context.trace.trace_id.encode() not in came[b"traceparent"]
        assert context.caller_request_id == came[b"x-request-id"].decode()
        assert context.identity.tenant is None
        assert not {b"x-tenant-id", b"x-actor-id", b"x-caller-service", b"traceparent"} & inside.keys()


class Dropping(SpanExporter):
    """Keeps nothing, so that only the making of spans is timed."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002  # its signature
        """Done."""
        return SpanExportResult.SUCCESS


def peer(app: Any) -> Any:
    """OpenTelemetry's own instrumentation, with a recording SDK that our door does not see."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Dropping()))
    return OpenTelemetryMiddleware(app, tracer_provider=provider)


def main() -> None:
    """Check, time, print and keep."""
    requests = scopes()
    for boundary in BOUNDARIES:
        for number, scope in enumerate(requests):
            check(boundary, scope, number)
    app = application()
    apps: dict[str, Callable[..., Any]] = {name: door(app, boundary) for name, boundary in BOUNDARIES.items()}
    apps["mesh, no deadlines"] = door(app, BOUNDARIES["mesh"], replace(CONTRACT, deadline=None))
    apps["opentelemetry-instrumentation-asgi, recording"] = peer(app)
    jobs = {"floor": floor_job(), "bare Starlette": serving(app, requests)}
    jobs |= {name: serving(each, requests) for name, each in apps.items()}
    spent_ns = medians_ns(jobs)
    floor_ns, bare_ns = spent_ns["floor"], spent_ns["bare Starlette"]
    scale = REFERENCE_FLOOR_NS / floor_ns
    rows: list[dict[str, Any]] = [
        {"job": name, "ns": round(spent_ns[name] - bare_ns), "scaled_ns": round((spent_ns[name] - bare_ns) * scale)}
        for name in apps
    ]
    peer_ns = rows[-1]["ns"]
    print(f"floor {floor_ns:.0f} ns; bare Starlette {bare_ns / 1e3:.1f} µs; added, in µs:")
    print(f"{'':<48} {'here':>7} {'at floor 58':>12} {'of the peer':>12}")
    for row in rows:
        share = row["ns"] / peer_ns
        print(f"{row['job']:<48} {row['ns'] / 1e3:>7.1f} {row['scaled_ns'] / 1e3:>12.1f} {share:>12.3f}")
    distributions = ("starlette", "opentelemetry-instrumentation-asgi")
    result = {"floor_ns": round(floor_ns, 1), "bar_us_at_floor_58": BAR_US, "bare_ns": round(bare_ns), "rows": rows}
    keep("http_ingress", {"machine": machine(*distributions), **result})


if __name__ == "__main__":
    main()
