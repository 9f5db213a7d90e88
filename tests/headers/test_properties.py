"""What holds for all headers: round trips, no exception for any bytes, nothing appended, order kept."""

import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.context import Member, SpanId, TraceId
from pennon.headers import (
    Contract,
    Downstream,
    Headers,
    Outgoing,
    TraceParent,
    extract,
    format_baggage,
    format_traceparent,
    format_tracestate,
    inject,
    parse_baggage,
    parse_id,
    parse_traceparent,
    parse_tracestate,
)
from pennon.headers.baggage import decoded_bytes, fit_baggage

TOKEN_CHARS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
VISIBLE = "".join(map(chr, range(0x20, 0x7F)))
HEX = "0123456789abcdef"

tokens = st.text(TOKEN_CHARS, min_size=1, max_size=12)
properties = st.text(VISIBLE.replace(",", "") + "\t", max_size=12).filter(lambda text: text == text.rstrip(" \t"))
members = st.builds(Member, tokens, st.text(max_size=20), properties)
state_keys = st.from_regex(r"[a-z0-9][a-z0-9_\-*/@]{0,9}", fullmatch=True)
state_values = st.text(VISIBLE.replace(",", "").replace("=", ""), min_size=1, max_size=9).filter(lambda v: v[-1] != " ")
trace_ids = st.text(HEX, min_size=32, max_size=32).filter(lambda digits: digits.strip("0"))
span_ids = st.text(HEX, min_size=16, max_size=16).filter(lambda digits: digits.strip("0"))

# A good request, as a hostile sender would begin with one.
REQUEST: Headers = (
    (b"Host", b"orders.internal"),
    (b"traceparent", b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01"),
    (b"tracestate", b"rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"),
    (b"baggage", b"tenant.tier=regulated;p=1,region=eu%2Dwest-1,pennon=AAAA.BBBB,promo=%C3%A9"),
    (b"X-Request-Id", b"req_01KAH6ZK3T8V9QWX2M5N7P4R6S"),
    (b"X-Correlation-Id", b"corr_01KAH6ZK4B1C2D3E4F5G6H7J8K"),
    (b"X-Tenant-Id", b"tenant-42"),
    (b"Idempotency-Key", b'"idem_01KAH6ZK5M6N7P8Q9R0S1T2V3W"'),
)
KNOWN = [name for name, _ in REQUEST] + [
    b"tenant",
    b"x-region",
    b"pennon-decided",
    b"BAGGAGE",
    b"TraceState",
    b"x-local",
]
ENTROPY = st.binary(min_size=40, max_size=40)

names = st.one_of(st.sampled_from(KNOWN), st.binary(max_size=8))
values = st.one_of(st.none(), st.binary(max_size=60), st.sampled_from([value for _, value in REQUEST]))
headers = st.lists(st.tuples(names, values), max_size=12)


def _replaced(carried: Headers, outgoing: Outgoing) -> list[tuple[bytes, bytes | None]]:
    """What a door does with what inject says."""
    return [each for each in carried if each[0].lower() not in outgoing.remove] + list(outgoing.set)


def _onward(contract: Contract, carried: Headers, place: int, *, is_trusted: bool, entropy: bytes) -> Outgoing:
    """One hop: extract, then inject for the downstream at this place of the contract; beyond the last, undeclared."""
    arrived = extract(contract, carried, is_trusted=is_trusted, entropy=entropy)
    downstream = contract.downstreams[place] if place < len(contract.downstreams) else None
    return inject(
        contract,
        downstream,
        trace=arrived.trace,
        request_id=arrived.request_id,
        correlation_id=arrived.correlation_id,
        baggage=arrived.baggage,
        ours=arrived.ours,
        fields=arrived.fields,
    )


@given(trace_ids, span_ids, st.integers(0, 3))
def test_traceparent_written_and_read_is_the_same(trace_id: TraceId, parent_id: SpanId, flags: int) -> None:
    """parse∘format is the identity on valid ids and the flags of level 2."""
    assert TraceParent(trace_id, parent_id, flags) == parse_traceparent(format_traceparent(trace_id, parent_id, flags))


@given(st.lists(st.tuples(state_keys, state_values), max_size=32, unique_by=lambda member: member[0]))
def test_tracestate_written_and_read_is_the_same(state: list[tuple[str, str]]) -> None:
    """parse∘format is the identity, order and leading spaces included."""
    assert tuple(state) == parse_tracestate([format_tracestate(state).encode()]).members


@given(st.lists(members, max_size=20))
def test_baggage_written_and_read_is_the_same(carried: list[Member]) -> None:
    """parse∘format is the identity on any text, with properties and duplicates, in order."""
    parsed = parse_baggage([format_baggage(carried)])

    assert tuple(carried) == parsed.members
    assert () == parsed.dropped


@given(st.lists(members, min_size=1, max_size=8), st.data())
def test_baggage_in_several_headers_is_one_list(carried: list[Member], data: st.DataObject) -> None:
    """Where a sender breaks the lines makes no difference."""
    cut = data.draw(st.integers(0, len(carried)))

    assert tuple(carried) == parse_baggage([format_baggage(carried[:cut]), format_baggage(carried[cut:])]).members


@given(st.text(st.characters(codec=None, categories=["Cs", "L", "C"]), max_size=8))
def test_baggage_takes_lone_surrogates(value: str) -> None:
    """They have no UTF-8; they leave as something readable, not as an exception."""
    written = format_baggage([Member("k", value)])

    assert written.isascii()
    assert 1 == len(parse_baggage([written]).members)


@pytest.mark.req(29, 118)
@given(
    st.lists(members, max_size=24), st.lists(tokens, max_size=4, unique=True), st.integers(1, 200), st.integers(1, 20)
)
def test_baggage_budget_holds_and_keeps_order(
    carried: list[Member], allow: list[str], max_bytes: int, max_members: int
) -> None:
    """What stays fits, in order; nothing known goes while something unknown that fits stays."""
    carried = [*carried, *(Member(key, "v") for key in allow)]
    fitted = fit_baggage(
        carried,
        priorities={key: rank for rank, key in enumerate(allow)},
        max_bytes=max_bytes,
        max_members=max_members,
    )
    kept = list(fitted.members)
    rest = iter(carried)

    assert all(member in rest for member in kept)
    assert len(kept) <= max_members
    assert sum(map(decoded_bytes, kept)) + len(kept) - 1 <= max_bytes
    lost = [m for m in carried if m not in kept and m.key in allow and decoded_bytes(m) <= max_bytes]
    if lost:
        assert all(member.key in allow or member.key.startswith("pennon") for member in kept)


@pytest.mark.req(87)
@given(headers, st.booleans(), st.integers(0, 7), ENTROPY)
def test_no_headers_raise_and_what_leaves_is_well_formed(
    contract: Contract, carried: Headers, is_trusted: bool, place: int, entropy: bytes
) -> None:
    """For any names and values, None and non-UTF-8 included, a hop gives lower-case names, once, and safe values."""
    outgoing = _onward(contract, carried, place, is_trusted=is_trusted, entropy=entropy)
    sent = [name for name, _ in outgoing.set]

    assert len(set(sent)) == len(sent)
    assert set(sent) <= outgoing.remove
    assert all(name == name.lower() for name in sent)
    assert all(value.isascii() and value.decode().replace("\t", " ").isprintable() for _, value in outgoing.set)


@pytest.mark.req(14)
@settings(max_examples=200)
@given(st.integers(0, len(REQUEST) - 1), st.data())
def test_a_header_cut_or_flipped_anywhere_never_raises(contract: Contract, place: int, data: st.DataObject) -> None:
    """A broken header costs itself, not the others and not the handler."""
    name, value = REQUEST[place]
    assert value is not None
    at = data.draw(st.integers(0, len(value) - 1))
    flipped = value[:at] + bytes([value[at] ^ data.draw(st.integers(1, 255))]) + value[at + 1 :]
    broken = data.draw(st.sampled_from([value[:at], value[at:], flipped]))
    whole = extract(contract, REQUEST, is_trusted=True, entropy=bytes(40))
    carried = [*REQUEST[:place], (name, broken), *REQUEST[place + 1 :]]
    arrived = extract(contract, carried, is_trusted=True, entropy=bytes(40))

    if name not in (b"traceparent", b"tracestate"):
        assert whole.trace == arrived.trace
    if name != b"baggage":
        assert (whole.baggage, whole.ours) == (arrived.baggage, arrived.ours)
    if name != b"X-Correlation-Id":
        assert whole.correlation_id == arrived.correlation_id
    assert parse_id(arrived.request_id.encode()) == arrived.request_id


@given(headers, headers, st.integers(0, 7))
def test_inject_replaces_and_never_appends(contract: Contract, carried: Headers, arrived: Headers, place: int) -> None:
    """Applied twice it is as if applied once; each name of ours stands once; what is not ours keeps its order."""
    outgoing = _onward(contract, arrived, place, is_trusted=True, entropy=bytes(range(40)))
    once = _replaced(carried, outgoing)

    assert once == _replaced(once, outgoing)
    for name, value in outgoing.set:
        assert [value] == [found for key, found in once if key.lower() == name]
    others = [each for each in carried if each[0].lower() not in outgoing.remove]
    assert others == once[: len(others)]


@given(headers, ENTROPY)
def test_a_verified_hop_changes_nothing_but_its_span(contract: Contract, carried: Headers, entropy: bytes) -> None:
    """What one hop sends, the next reads as the same: trace, state, ids, baggage, ours."""
    first = extract(contract, carried, is_trusted=True, entropy=entropy)
    posts: Downstream = contract.downstreams[0]
    held: dict[str, Any] = {
        each: getattr(first, each) for each in ("trace", "request_id", "correlation_id", "baggage", "ours")
    }
    second = extract(contract, inject(contract, posts, **held).set, is_trusted=True, entropy=bytes(range(40)))

    assert held | {"trace": None} == {each: getattr(second, each) for each in held} | {"trace": None}
    assert (first.trace.trace_id, first.trace.span_id) == (second.trace.trace_id, second.trace.parent_span_id)
    assert (first.trace.flags, first.trace.state) == (second.trace.flags, second.trace.state)


@pytest.mark.req(9, 31, 104)
@given(headers, ENTROPY)
def test_a_stranger_gets_a_trace_of_ours_and_none_of_ours_decoded(
    contract: Contract, carried: Headers, entropy: bytes
) -> None:
    """Whatever a stranger sends: a new unsampled trace, a new request id, no decisions, only allowed baggage."""
    arrived = extract(contract, carried, is_trusted=False, entropy=entropy)

    assert (None, 2, "") == (arrived.trace.parent_span_id, arrived.trace.flags, arrived.trace.state)
    assert "req_" + entropy[24:].hex() == arrived.request_id
    assert () == arrived.ours
    assert {member.key for member in arrived.baggage} <= {"tenant.tier", "region"}
    assert "x-tenant-id" not in dict(arrived.fields)


@pytest.mark.parametrize(
    "wire",
    [
        b"k=" + b" " * 300_000 + b"\x01",
        b"k" + b" \t" * 150_000,
        b"k" * 300_000,
        b"k=" + b"v" * 300_000 + b" \x01",
        b"k=v;" + b" " * 300_000 + b"\x01",
        b"a=" + b"%" * 300_000,
        b" ,\t" * 100_000 + b"=",
    ],
)
def test_no_value_costs_more_than_its_length(wire: bytes) -> None:
    """Where repetitions share characters, a match would take hours for these; it takes milliseconds."""
    assert len(parse_baggage([wire]).dropped) <= 1
    assert len(parse_tracestate([wire]).dropped) == 1
    assert parse_traceparent(wire) is None


@pytest.mark.req(15, 115)
def test_names_are_compared_without_case(contract: Contract, take: Callable[..., Any]) -> None:
    """However a name is written, it is the same header."""
    plain = [(name.decode(), (value or b"").decode()) for name, value in REQUEST]

    assert take(plain) == take([(name.upper(), value) for name, value in plain])
