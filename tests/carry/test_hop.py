"""What crosses a door: a request context from headers, and headers from a request context."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import Departure, GroupFault, arrive, arriving, decode, depart, encode_entries
from pennon.context import Decision, Entry, Identity, Origin, RequestContext
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    Downstream,
    Drop,
    DropReason,
    Field,
    Headers,
    Log,
    Propagate,
    Trust,
    parse_baggage,
)

NOBODY = Identity()
ENTROPY = bytes(range(1, 41))
POSTS = Downstream("posts", host="posts.internal")
FEED = Downstream("feed", topic="feed")
PARTNER = Downstream("partner", host="partner.example", external=True)
PLAIN = Downstream("plain", host="plain.internal", decisions=False)
CONTRACT = Contract("test", version="1", owner="tests", downstreams=(POSTS, FEED, PARTNER, PLAIN))
SMALL = Contract(
    "small", version="1", owner="tests", downstreams=(POSTS,), baggage=BaggagePolicy(max_bytes=100, max_members=4)
)


def _arrive(headers: Headers, *, is_trusted: bool = True, is_replay: bool = False) -> arriving.Arrival:
    return arrive(CONTRACT, headers, is_trusted=is_trusted, identity=NOBODY, entropy=ENTROPY, is_replay=is_replay)


def _baggage(*members: str) -> list[tuple[bytes, bytes | None]]:
    return [(b"baggage", ",".join(members).encode())]


def _context(*members: str) -> RequestContext:
    return _arrive(_baggage(*members) if members else []).context


def _members(departure: Departure) -> dict[str, str]:
    values: Sequence[bytes] = [value for name, value in departure.set if name == b"baggage"]
    return {member.key: member.value for member in parse_baggage(values).members}


def _decided(context: RequestContext, *decisions: Decision) -> RequestContext:
    for decision in decisions:
        context.ledger.enter(decision)
    return context


def test_hop_carries_decisions_over_http_and_records(decision_of: Callable[..., Decision]) -> None:
    """What was decided on one side has arrived on the other."""
    for downstream in (POSTS, FEED):
        context = _decided(_context(), decision_of(flag_id=9, variant_id=3))
        arrival = _arrive(list(depart(CONTRACT, downstream, context, trace=None).set))
        ((place, entries),) = arrival.context.ledger.arrived.items()
        assert (0x0102030405, 9) == place
        assert [3] == [entry.variant_id for entry in entries]


def test_hop_continues_trace_and_ids() -> None:
    """The callee stands under the caller in one trace, with its request and correlation ids."""
    first = _arrive([(b"x-correlation-id", b"c-1")]).context
    second = _arrive(list(depart(CONTRACT, POSTS, first, trace=None).set)).context
    assert first.trace.trace_id == second.trace.trace_id
    assert first.trace.span_id == second.trace.parent_span_id
    assert (first.request_id, "c-1") == (second.request_id, second.correlation_id)


def test_depart_names_the_span_of_the_call_as_parent() -> None:
    """A client span of its own stands between the request's span and the callee's."""
    import msgspec

    context = _context()
    trace = msgspec.structs.replace(context.trace, span_id="00000000000000ab")
    arrived = _arrive(list(depart(CONTRACT, POSTS, context, trace=trace).set)).context
    assert "00000000000000ab" == arrived.trace.parent_span_id


def test_arrive_from_a_stranger_decodes_nothing_of_ours(
    entry_of: Callable[..., Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Members of ours, of any version, are dropped at a public boundary before anybody looks into them."""

    def never(value: str) -> None:
        raise AssertionError(value)

    monkeypatch.setattr(arriving, "decode", never)
    value = encode_entries([entry_of()], is_replay=True).value
    arrival = _arrive(_baggage(f"pennon={value}", "pennon2=abc"), is_trusted=False)
    context = arrival.context
    assert ({}, (), False, False) == (
        context.ledger.arrived,
        context.ledger.foreign,
        context.ledger.was_cut,
        context.is_replay,
    )
    assert {DropReason.NOT_TRUSTED} == {drop.reason for drop in arrival.report.dropped}


def test_arrive_unites_two_members_the_first_first(entry_of: Callable[..., Entry]) -> None:
    """Some proxy kept both: on one environment, epoch, unit and flag the first holds."""
    first = encode_entries([entry_of(variant_id=1)]).value
    second = encode_entries([entry_of(variant_id=2), entry_of(flag_id=2)]).value
    ledger = _context(f"pennon={first}", "other=1", f"pennon={second}").ledger
    assert [(1, 1), (2, 1)] == [
        (flag_id, entries[0].variant_id) for (_, flag_id), entries in sorted(ledger.arrived.items())
    ]
    assert 2 == sum(map(len, ledger.arrived.values()))


def test_arrive_passes_over_empty_members(entry_of: Callable[..., Entry]) -> None:
    """They say nothing, and are no fault."""
    arrival = _arrive(_baggage("pennon=", f"pennon={encode_entries([entry_of()]).value}", "pennon="))
    assert ((), 1) == (arrival.group_faults, len(arrival.context.ledger.arrived))


def test_arrive_reports_malformed_groups_and_takes_the_others(entry_of: Callable[..., Entry]) -> None:
    """One fault for each, and no exception."""
    value = encode_entries([entry_of()]).value
    arrival = _arrive(_baggage(f"pennon=AAAA.{value}.!"))
    assert (GroupFault.LENGTH, GroupFault.ENCODING) == arrival.group_faults
    assert 1 == len(arrival.context.ledger.arrived)


LATER = ["pennon2=x.y%20z", "pennon-next=%F0%9F%9A%A9;ttl=5;signed", "pennonx=a+b; p = %2C", "pennon2=;p"]


@pytest.mark.parametrize("members", [*([each] for each in LATER), LATER])
def test_hop_forwards_members_of_later_versions_untouched(members: list[str]) -> None:
    """A newer neighbour's members cross a hop that cannot read them: keys, values, properties and order."""
    sent = parse_baggage([",".join(members).encode()]).members
    context = _context(*members)
    departure = depart(CONTRACT, POSTS, context, trace=None)
    assert sent == parse_baggage([value for name, value in departure.set if name == b"baggage"]).members
    assert (sent, {}) == (context.ledger.foreign, context.ledger.arrived)


@pytest.mark.parametrize("downstream", [None, PARTNER, PLAIN, Downstream("stranger", host="posts.internal")])
def test_depart_gives_decisions_to_declared_ones_only(
    downstream: Downstream | None, decision_of: Callable[..., Decision]
) -> None:
    """Undeclared, external, or declared without decisions: nothing of ours, later versions' neither."""
    context = _decided(_context("pennon2=x"), decision_of())
    departure = depart(CONTRACT, downstream, context, trace=None)
    assert not [key for key in _members(departure) if key.startswith("pennon")]


def test_depart_takes_ours_off_for_an_undeclared_downstream() -> None:
    """What a caller copied in by hand does not leave either."""
    departure = depart(CONTRACT, None, _context(), trace=None)
    assert () == departure.set
    assert b"baggage" in departure.remove


def test_depart_outside_a_request_carries_nothing() -> None:
    """No context, no decisions; a span's trace may still go."""
    trace = _context().trace
    departure = depart(CONTRACT, POSTS, None, trace=trace)
    assert ["traceparent"] == [name.decode() for name, _ in departure.set]


@pytest.mark.parametrize("is_told_here", [True, False])
def test_hop_marks_a_replay_on_every_hop(is_told_here: bool) -> None:
    """Told by the consumer or by the message: whatever is called from there knows."""
    first = _arrive([], is_replay=is_told_here).context
    second = _arrive(list(depart(CONTRACT, POSTS, first, trace=None).set)).context
    third = _arrive(list(depart(CONTRACT, FEED, second, trace=None).set)).context
    assert (is_told_here,) * 3 == (first.is_replay, second.is_replay, third.is_replay)


def test_depart_counts_and_reports_what_the_budget_cut(decision_of: Callable[..., Decision]) -> None:
    """The newest stay, the next hop learns that some are missing."""
    context = _decided(_context(), *(decision_of(flag_id=number, revision=2**27) for number in range(50)))
    departure = depart(CONTRACT, POSTS, context, trace=None)
    assert 11 == departure.cut_count
    assert Drop("baggage:pennon", DropReason.OVER_BUDGET) in departure.report.dropped
    ledger = _arrive(list(departure.set)).context.ledger
    assert (True, 39, 49) == (ledger.was_cut, len(ledger.arrived), max(flag_id for _, flag_id in ledger.arrived))


def test_depart_cuts_nothing_where_no_decision_may_go(decision_of: Callable[..., Decision]) -> None:
    """An undeclared host is not a full one."""
    context = _decided(_context(), *(decision_of(flag_id=number, revision=2**27) for number in range(50)))
    departure = depart(CONTRACT, None, context, trace=None)
    assert (0, ()) == (departure.cut_count, departure.report.dropped)


def test_hop_passes_declared_fields_on() -> None:
    """What the contract lets in and lets out reaches the next hop."""
    region = Field(
        "X-Region",
        category=Category.ROUTING,
        owner="tests",
        syntax="[a-z]+",
        max_length=8,
        trust=Trust.MESH,
        caller_may_set=False,
        gateway_overwrites=False,
        downstream_may_forward=True,
        propagate=Propagate.ALWAYS,
        log=Log.CLEAR,
        classification=Classification.INTERNAL,
        description="Where the caller runs.",
    )
    contract = Contract("fields", version="1", owner="tests", fields=(region,), downstreams=(POSTS,))
    context = arrive(contract, [(b"X-Region", b"eu")], is_trusted=True, identity=NOBODY, entropy=ENTROPY).context
    assert (b"x-region", b"eu") in depart(contract, POSTS, context, trace=None).set


def test_depart_stays_within_a_contract_with_little_baggage(decision_of: Callable[..., Decision]) -> None:
    """A member that alone breaks the contract's budget would be dropped whole; fewer decisions are better."""
    context = _decided(_context(), *(decision_of(flag_id=number) for number in range(30)))
    departure = depart(SMALL, POSTS, context, trace=None)
    value = _members(departure)["pennon"]
    assert 100 >= len("pennon=") + len(value)
    assert 0 < departure.cut_count < 30
    assert 30 - departure.cut_count == len(decode(value).entries)


def test_hop_keeps_other_peoples_baggage_beside_ours(decision_of: Callable[..., Decision]) -> None:
    """Ours is one member among others."""
    context = _decided(_context("region=eu;p=1"), decision_of())
    assert ["pennon", "region"] == sorted(_members(depart(CONTRACT, POSTS, context, trace=None)))


def test_hop_carries_a_kill_onward(decision_of: Callable[..., Decision]) -> None:
    """A carried kill outruns the stream."""
    context = _decided(_context(), decision_of(origin=Origin.KILL, revision=70))
    arrived = _arrive(list(depart(CONTRACT, FEED, context, trace=None).set)).context.ledger.arrived
    assert [Origin.KILL] == [entry.origin for entries in arrived.values() for entry in entries]


header_values = st.one_of(
    st.none(), st.binary(max_size=80), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
header_names = st.sampled_from([b"baggage", b"Baggage", b"traceparent", b"tracestate", b"x-request-id", b"\xff", b""])


@given(
    st.lists(st.tuples(header_names, header_values), max_size=8),
    st.lists(st.text(alphabet="AZaz09-_.,=;% ", max_size=60).map(lambda text: f"pennon={text}"), max_size=3),
    st.booleans(),
)
def test_hop_of_hostile_headers_raises_nothing(
    headers: list[tuple[bytes, bytes | None]], members: list[str], is_trusted: bool
) -> None:
    """Any bytes come in, are carried on as far as they make sense, and never reach a handler as an exception."""
    arrival = _arrive([*headers, *_baggage(*members)], is_trusted=is_trusted)
    for downstream in (POSTS, FEED, None):
        depart(CONTRACT, downstream, arrival.context, trace=None)
    assert not arrival.context.ledger.arrived
