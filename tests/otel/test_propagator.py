"""Our codecs behind OpenTelemetry's propagator API."""

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter

from pennon import otel
from pennon.otel import PennonPropagator

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PROPAGATOR = PennonPropagator()

Carrier = dict[str, list[str]]


class Lines(Getter[Carrier]):
    """A carrier whose headers may have several lines."""

    def get(self, carrier: Carrier, key: str) -> list[str] | None:
        return carrier.get(key)

    def keys(self, carrier: Carrier) -> list[str]:
        return list(carrier)


def extracted(**headers: list[str]) -> Context:
    """The context of a request with these headers."""
    return PROPAGATOR.extract(headers, Context(), Lines())


def injected(source: Context) -> dict[str, str]:
    """The headers that leave with it."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier, source)
    return carrier


@pytest.mark.req(34)
def test_trace_and_state_cross_unchanged() -> None:
    """In and out again without a span of one's own, the remote one is what leaves."""
    through = extracted(traceparent=[PARENT], tracestate=["a=1", "b=2"])

    assert {"traceparent": PARENT, "tracestate": "a=1,b=2"} == injected(through)


@pytest.mark.req(34)
@pytest.mark.parametrize("line", ["a=a+b", "a=1%2C2;p=1;q", "a=", "a=%F0%9F%98%80", "a=x=y"])
def test_baggage_crosses_byte_for_byte(line: str) -> None:
    """OpenTelemetry's own propagator turns a plus into a space and loses properties."""
    assert line == injected(extracted(baggage=[line]))["baggage"]


@pytest.mark.req(34)
def test_every_line_of_baggage_is_read() -> None:
    """Several headers are one list (RFC 9110 §5.3)."""
    assert {"a": "1", "b": "2"} == dict(baggage.get_all(extracted(baggage=["a=1", "b=2"])))


@pytest.mark.req(34)
def test_ours_pass_through_and_stay_out_of_the_application_s_baggage() -> None:
    """Also those of later versions."""
    through = extracted(baggage=["pennon=AAAA,a=1,pennon9=later"])

    assert {"a": "1"} == dict(baggage.get_all(through))
    assert "pennon=AAAA,a=1,pennon9=later" == injected(through)["baggage"]


@pytest.mark.req(34)
def test_members_that_were_changed_leave_as_they_are_now() -> None:
    """Set anew, taken out, added: the application's word counts, without the old properties."""
    through = extracted(baggage=["a=1;p=1,b=2;p=2,c=3;p=3"])
    through = baggage.set_baggage("d", "a b", baggage.remove_baggage("c", baggage.set_baggage("b", "9", through)))

    assert "a=1;p=1,b=9,d=a%20b" == injected(through)["baggage"]


@pytest.mark.req(34)
def test_application_cannot_make_members_of_ours() -> None:
    """Decisions leave through a door, which knows where to."""
    assert {} == injected(baggage.set_baggage("pennon", "forged", Context()))


@pytest.mark.req(34)
@pytest.mark.parametrize("key", ["two words", "", "ключ", "a=b"])
def test_member_that_no_header_can_hold_is_left_out(key: str) -> None:
    """And takes no other with it."""
    inside = baggage.set_baggage("a", "1", baggage.set_baggage(key, "x", Context()))

    assert {"baggage": "a=1"} == injected(inside)


@pytest.mark.req(34)
@pytest.mark.parametrize("parents", [[PARENT, PARENT], [PARENT + "\n" + "x"], ["00-" + "0" * 32 + "-1-01"], ["\udc80"]])
def test_invalid_trace_is_none(parents: list[str]) -> None:
    """Two parents are none; tracestate alone says nothing."""
    through = extracted(traceparent=parents, tracestate=["a=1"])

    assert not trace.get_current_span(through).get_span_context().is_valid
    assert {} == injected(through)


@pytest.mark.req(34)
def test_nothing_found_leaves_the_context_as_it_was() -> None:
    """So that several propagators can be set up one after the other."""
    before = baggage.set_baggage("a", "1", Context())

    assert before == PROPAGATOR.extract({}, before)


@pytest.mark.req(34)
def test_outbound_hides_what_arrived() -> None:
    """While a door sends, this propagator adds no baggage to what the door has written."""
    token = context.attach(extracted(traceparent=[PARENT], baggage=["pennon=AAAA,a=1"]))
    try:
        with otel.outbound(is_silenced=False):
            assert {"traceparent": PARENT} == injected(context.get_current())
    finally:
        context.detach(token)


TEXT = st.lists(st.text(max_size=60) | st.sampled_from([PARENT, "a=b;c", "pennon=x", "," * 300]), max_size=4)


@pytest.mark.req(34)
@given(TEXT, TEXT, TEXT)
def test_any_headers_cross_without_an_error(parents: list[str], states: list[str], members: list[str]) -> None:
    """Whatever a getter decodes; and what leaves is stable: read again it says the same."""
    once = injected(extracted(traceparent=parents, tracestate=states, baggage=members))
    again = injected(extracted(**{name: [value] for name, value in once.items()}))

    assert once == again


@pytest.mark.req(34, 116)
def test_propagator_is_found_by_its_name() -> None:
    """`OTEL_PROPAGATORS=pennon` is enough."""
    program = "from opentelemetry import propagate; print(sorted(propagate.get_global_textmap().fields))"
    environment = {**os.environ, "OTEL_PROPAGATORS": "pennon"}
    ended = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True, env=environment, timeout=60
    )

    assert "['baggage', 'traceparent', 'tracestate']" == ended.stdout.strip(), ended.stderr
