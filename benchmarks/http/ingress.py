"""What the ASGI door adds to a request that comes in, over the bare Starlette application; CPU time of this thread.

    python benchmarks/http/ingress.py

The request is `production_request.txt` of `benchmarks/headers` with a member of three decisions; the clock stands at
2026-11-21T10:15:00Z. Sixteen of them take turns, each with its own ids, trace, tenant, actor and decisions, so that
nothing which remembers whole values looks faster than it is. Every field is declared and validated, the deadline read,
response headers written; no spans. What each door does is checked before it is timed. Beside it stands what
OpenTelemetry's ASGI instrumentation adds with an SDK that records every span and keeps none.

Then what hostile headers cost in all (`hostile.py`), at a door before an application that answers at once, and in
`extract`, at both boundaries and as a record's. Its contract takes what proxies say, in both ways to say it.
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
from benchmarks.http.hostile import SETS, extracting

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
from pennon.headers.proxies import ForwardedSource, TrustedProxies

# 2026-11-21T10:15:00Z
NOW_NS: Final = 1_795_256_100 * 1_000_000_000
DUE_NS: Final = 30_250_000_000
REFERENCE_FLOOR_NS: Final = 58
BAR_US: Final = 16
HOSTILE_BAR_US: Final = 100
HOSTILE_REPEAT_COUNT: Final = 5
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


def rows_added(requests: Sequence[dict[str, Any]]) -> tuple[float, list[dict[str, Any]]]:
    """What a bare application takes in ns at the reference's floor, and what each door adds."""
    app = application()
    apps: dict[str, Callable[..., Any]] = {name: door(app, boundary) for name, boundary in BOUNDARIES.items()}
    apps["mesh, no deadlines"] = door(app, BOUNDARIES["mesh"], replace(CONTRACT, deadline=None))
    apps["opentelemetry-instrumentation-asgi, recording"] = peer(app)
    jobs = {"floor": floor_job(), "bare Starlette": serving(app, requests)}
    jobs |= {name: serving(each, requests) for name, each in apps.items()}
    spent_ns = medians_ns(jobs)
    bare_ns, scale = spent_ns["bare Starlette"], REFERENCE_FLOOR_NS / spent_ns["floor"]
    added_ns = {name: spent_ns[name] - bare_ns for name in apps}
    rows = [{"job": name, "ns": round(ns), "scaled_ns": round(ns * scale)} for name, ns in added_ns.items()]
    return bare_ns * scale, rows


def rows_hostile(scope: dict[str, Any]) -> list[dict[str, Any]]:
    """What each set of hostile headers costs in all, in ns at the reference's floor."""
    contract = replace(CONTRACT, proxies=TrustedProxies(["10.0.0.0/8"], reads=tuple(ForwardedSource)))
    doors = {name: door(_answering, boundary, contract) for name, boundary in BOUNDARIES.items()}
    rows: list[dict[str, Any]] = []
    for name, lines in SETS.items():
        request = {**scope, "headers": list(lines)}
        jobs = {f"door, {boundary}": serving(each, [request] * REQUEST_COUNT) for boundary, each in doors.items()}
        jobs |= extracting(contract, lines, NOW_NS)
        spent_ns = medians_ns({"floor": floor_job(), **jobs}, repeats=HOSTILE_REPEAT_COUNT)
        scale = REFERENCE_FLOOR_NS / spent_ns.pop("floor")
        rows.append({"job": name, **{where: round(ns * scale) for where, ns in spent_ns.items()}})
    return rows


async def _answering(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})


def main() -> None:
    """Check, time, print and keep."""
    requests = scopes()
    for boundary in BOUNDARIES:
        for number, scope in enumerate(requests):
            check(boundary, scope, number)
    bare_ns, rows = rows_added(requests)
    print(f"at floor {REFERENCE_FLOOR_NS}: bare Starlette {bare_ns / 1e3:.1f} µs; added to it, in µs; bar {BAR_US}")
    for row in rows:
        print(f"{row['job']:<48} {row['scaled_ns'] / 1e3:>7.1f}   {row['ns'] / rows[-1]['ns']:.3f} of the peer")
    hostile = rows_hostile(requests[0])
    show_hostile(hostile)
    result: dict[str, Any] = {"reference_floor_ns": REFERENCE_FLOOR_NS, "scaled_bare_ns": round(bare_ns), "rows": rows}
    result |= {"bar_us": BAR_US, "hostile_bar_us": HOSTILE_BAR_US, "scaled_ns_hostile": hostile}
    keep("http_ingress", {"machine": machine("starlette", "opentelemetry-instrumentation-asgi"), **result})


def show_hostile(rows: Sequence[dict[str, Any]]) -> None:
    """A table, with a mark at what is over the bar."""
    columns = [name for name in rows[0] if name != "job"]
    print(f"hostile headers, in all, in µs; bar {HOSTILE_BAR_US}")
    print(f"{'':<40} " + " ".join(f"{column:>16}" for column in columns))
    for row in rows:
        worst_us = max(row[column] for column in columns) / 1e3
        cells = " ".join(f"{row[column] / 1e3:>16.1f}" for column in columns)
        print(f"{row['job']:<40} {cells}{'  over' if worst_us > HOSTILE_BAR_US else ''}")


if __name__ == "__main__":
    main()
