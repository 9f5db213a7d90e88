"""W3C's trace-context cases, in process."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from pennon.headers import Contract
from pennon.testing.headers import Caller, DownstreamSpy, Probe, W3cTraceContext
from pennon.testing.headers.w3c import check
from pennon.testing.headers.w3c_cases import CASES, W3cCase


@pytest.mark.req(22, 116)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_door_passes_the_case(
    kind: str, case: W3cCase, door: Callable[..., Any], w3c_trace_context: W3cTraceContext
) -> None:
    """By either protocol, in a mesh."""
    check(case, w3c_trace_context.in_process(door(kind)), has_spans=False)


@pytest.mark.req(22, 116)
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
def test_all_forty_pass_where_spans_are_made(
    kind: str, door: Callable[..., Any], w3c_trace_context: W3cTraceContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With OpenTelemetry's SDK each call has a span, so a parent of its own; and no name stands twice."""
    # The public setter works once per process.
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", TracerProvider())

    assert 40 == w3c_trace_context.run(door(kind))
    assert 40 == len({case.name for case in CASES})


@pytest.mark.parametrize(
    ("forwarded", "failing"),
    [
        (lambda sent: sent, "a parent of the service's own"),
        (lambda _: [], "one valid traceparent in each call"),
        (lambda _: [("traceparent", "00-" + "a" * 32 + "-" + "b" * 16 + "-01")], "expected: the trace"),
        (
            lambda sent: [(n, f"{v[:36]}{'b' * 16}{v[52:]}" if n == "traceparent" else v) for n, v in sent],
            r"tracestate_member_count_limit: .*\n.*\n *expected tracestate: ''; came: 'bar01",
        ),
    ],
    ids=["forwards as it came", "forwards nothing", "has one trace for all", "judges no tracestate"],
)
def test_service_that_forwards_wrongly_fails(
    forwarded: Any, failing: str, contract: Contract, w3c_trace_context: W3cTraceContext
) -> None:
    """The cases are not passed by whoever answers."""
    spy = DownstreamSpy()
    seen: list[Any] = []
    names = ("traceparent", "tracestate")

    def call() -> None:
        lines = [line for line in seen[-1] if line[0] in names]
        spy.reach("kit.pay.internal", None, forwarded(lines))

    probe = Probe(contract, spy=spy, calls={"pay": call})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        await probe.asgi(scope, receive, send)

    with pytest.raises(AssertionError, match=failing):
        w3c_trace_context.run(app, probe=probe, caller=Caller("10.0.0.1"))


def test_public_boundary_is_refused(door: Callable[..., Any], boundaries: Any, contract: Contract) -> None:
    """It begins every trace anew: the cases would say nothing of it."""
    with pytest.raises(ValueError, match="use a mesh's"):
        W3cTraceContext().run(door("asgi", contract, boundaries["public"]))
    with pytest.raises(ValueError, match="give the door itself"):
        W3cTraceContext().run(lambda *_: None)
