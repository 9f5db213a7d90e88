"""Extract: who is believed about what, and what a header over its limit costs."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.context import Deadline, Member, SpanId, Trace, TraceId
from pennon.headers import (
    ENTROPY_BYTES,
    BaggageKey,
    BaggagePolicy,
    Contract,
    DeadlinePolicy,
    Drop,
    DropReason,
    Extracted,
    Field,
    Refusal,
    Trust,
    UnknownMembers,
    extract,
)

TRACEPARENT = ("traceparent", "00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01")
Take = Callable[..., Extracted]


def _drop(name: str, reason: DropReason) -> Drop:
    return Drop(name, reason)


def _under(**changes: Any) -> Contract:
    return Contract("c", version="1", owner="tests", **changes)


def _never(*_: object) -> None:
    raise AssertionError("it was parsed")


@pytest.mark.req(9, 108)
def test_extract_of_nothing_begins_everything(take: Take) -> None:
    """No headers: a trace with the random flag, not sampled, and a request id; both from the entropy."""
    arrived = take([])

    assert Trace(TraceId(bytes(range(1, 17)).hex()), SpanId(bytes(range(17, 25)).hex()), None, 2, "") == arrived.trace
    assert "req_" + bytes(range(25, 41)).hex() == arrived.request_id
    assert (None, None, (), (), ()) == (
        arrived.correlation_id,
        arrived.caller_request_id,
        arrived.baggage,
        arrived.ours,
        arrived.fields,
    )
    assert (("traceparent", "x-request-id"), ()) == (arrived.report.added, arrived.report.dropped)


def test_extract_never_makes_an_id_of_zeros(contract: Contract) -> None:
    """All-zero ids mean "none" in W3C's format, whatever the random source gives."""
    trace = extract(contract, (), is_trusted=False, entropy=bytes(40)).trace

    assert ("0" * 31 + "1", "0" * 15 + "1") == (trace.trace_id, trace.span_id)


def test_extract_wants_40_bytes_of_entropy(contract: Contract) -> None:
    """Fewer would repeat ids without anybody seeing it."""
    with pytest.raises(ValueError, match="39 bytes; 40"):
        extract(contract, (), is_trusted=True, entropy=bytes(39))


@pytest.mark.req(22)
def test_extract_continues_a_verified_trace(take: Take) -> None:
    """Same trace, the caller's span as parent, a span of our own, flags and state as received."""
    trace = take([TRACEPARENT, ("tracestate", "rojo=1")]).trace

    own_span_id = bytes(range(17, 25)).hex()
    assert (
        Trace(TraceId("8a3c60f7d188f8fa79d48a391a778fa6"), SpanId(own_span_id), SpanId("00f7d188f8fa79d4"), 1, "rojo=1")
        == trace
    )


@pytest.mark.req(9)
def test_extract_restarts_a_strangers_trace_and_notes_it(take: Take) -> None:
    """A stranger neither switches sampling on nor writes tracestate; its span can be linked."""
    arrived = take([TRACEPARENT, ("tracestate", "rojo=1")], is_trusted=False)

    assert 2 == arrived.trace.flags
    assert (
        Trace(TraceId("8a3c60f7d188f8fa79d48a391a778fa6"), SpanId("00f7d188f8fa79d4"), None, 1, "")
        == arrived.stranger_trace
    )
    assert {_drop("traceparent", DropReason.RESTARTED), _drop("tracestate", DropReason.RESTARTED)} == set(
        arrived.report.dropped
    )


@pytest.mark.req(22)
def test_extract_keeps_the_traceparent_beside_a_bad_tracestate(take: Take) -> None:
    """A bad tracestate never invalidates traceparent."""
    arrived = take([TRACEPARENT, ("tracestate", "=")])

    assert ("8a3c60f7d188f8fa79d48a391a778fa6", "") == (arrived.trace.trace_id, arrived.trace.state)
    assert (_drop("tracestate", DropReason.MALFORMED),) == arrived.report.dropped


def test_extract_cuts_a_long_tracestate(take: Take) -> None:
    """Above 512 characters whole members go, and it is said which."""
    arrived = take([TRACEPARENT, ("tracestate", f"a=1,b={'x' * 200},c={'x' * 200},d={'x' * 126}")])

    assert f"a=1,b={'x' * 200},d={'x' * 126}" == arrived.trace.state
    assert (_drop("tracestate:c", DropReason.OVER_BUDGET),) == arrived.report.dropped


def test_extract_does_not_take_two_equal_traceparents(take: Take) -> None:
    """Several traceparent headers begin a new trace, also equal ones."""
    arrived = take([TRACEPARENT, TRACEPARENT])

    assert "8a3c60f7d188f8fa79d48a391a778fa6" != arrived.trace.trace_id
    assert _drop("traceparent", DropReason.REPEATED) in arrived.report.dropped


@pytest.mark.req(36)
@pytest.mark.parametrize(
    ("is_trusted", "request_id", "caller_request_id"),
    [(True, "abc", None), (False, "req_191a1b1c1d1e1f202122232425262728", "abc")],
)
def test_extract_believes_request_ids_of_verified_senders(
    take: Take, is_trusted: bool, request_id: str, caller_request_id: str | None
) -> None:
    """A verified one is kept; a stranger's is for logs."""
    arrived = take([("X-Request-Id", "abc")], is_trusted=is_trusted)

    assert (request_id, caller_request_id) == (arrived.request_id, arrived.caller_request_id)


@pytest.mark.req(109)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_extract_keeps_a_valid_correlation_id_of_anybody(take: Take, is_trusted: bool) -> None:
    """It joins a business conversation, which a client may begin."""
    assert "corr_1" == take([("x-correlation-id", "corr_1")], is_trusted=is_trusted).correlation_id


@pytest.mark.parametrize("name", ["x-request-id", "x-correlation-id"])
def test_extract_does_not_choose_between_two_ids(take: Take, name: str) -> None:
    """Which of two differing ones counts, others would decide otherwise; equal ones are one."""
    assert (_drop(name, DropReason.REPEATED),) == take([(name, "a"), (name, "b")]).report.dropped
    assert () == take([(name, "a"), (name, "a")]).report.dropped


def test_extract_sorts_baggage_from_ours(take: Take) -> None:
    """In a mesh unknown members stay; ours are handed on apart, decoded, in order."""
    arrived = take([("baggage", "promo=1,pennon=A%2EB;p,region=eu"), ("baggage", "pennon2=C,pennon=D")])

    assert (Member("promo", "1"), Member("region", "eu")) == arrived.baggage
    assert (Member("pennon", "A.B", "p"), Member("pennon2", "C"), Member("pennon", "D")) == arrived.ours


@pytest.mark.parametrize("member", ["pennon=A.b-_9", "pennon2=", "pennon=", "pennonX=%41", "pennon=A;p=1", "pennon =A"])
@pytest.mark.parametrize("max_bytes", [6, 7, 8, 13, 1_024])
@pytest.mark.parametrize("is_trusted", [True, False])
def test_extract_reads_ours_alone_as_it_does_beside_others(
    take: Take, member: str, max_bytes: int, is_trusted: bool
) -> None:
    """The short way for the commonest header gives what the long way gives: an empty member sends it there."""
    under = _under(baggage=BaggagePolicy(max_bytes=max_bytes))
    alone, beside = (take([("baggage", text)], under=under, is_trusted=is_trusted) for text in (member, f"{member},"))

    assert (alone.baggage, alone.ours, alone.report) == (beside.baggage, beside.ours, beside.report)


@pytest.mark.req(31)
def test_extract_drops_what_a_stranger_may_not_say_undecoded(take: Take, decoded_keys: list[str]) -> None:
    """At a public boundary unknown members and ours go without their values having been looked at."""
    arrived = take([("baggage", "isAdmin=%41,pennon=%41,region=%65u")], is_trusted=False)

    assert ["region"] == decoded_keys
    assert (Member("region", "eu"),) == arrived.baggage
    assert (
        _drop("baggage:isAdmin", DropReason.UNKNOWN),
        _drop("baggage:pennon", DropReason.NOT_TRUSTED),
    ) == arrived.report.dropped


@pytest.mark.req(30, 118)
def test_extract_drops_unknown_members_everywhere_where_the_policy_says_so(take: Take) -> None:
    """on_unknown=DROP holds in the mesh too; ours stay known."""
    policy = BaggagePolicy(allow=["region"], on_unknown=UnknownMembers.DROP)
    arrived = take([("baggage", "promo=1,region=eu,pennon=A")], under=_under(baggage=policy))

    assert ((Member("region", "eu"),), (Member("pennon", "A"),)) == (arrived.baggage, arrived.ours)


@pytest.mark.req(87)
@pytest.mark.parametrize("escape", ["%0D", "%0a", "%00", "%0d%0aset-cookie:x"])
def test_extract_drops_values_that_would_break_a_line(take: Take, escape: str) -> None:
    """Decoded line breaks and NULs reach no handler; other members do."""
    arrived = take([("baggage", f"a=1{escape},region=eu%09")])

    assert (Member("region", "eu\t"),) == arrived.baggage
    assert (_drop("baggage:a", DropReason.UNSAFE),) == arrived.report.dropped


@pytest.mark.req(29, 118)
def test_extract_keeps_the_budget_over_ours_and_others(take: Take) -> None:
    """1,024 bytes and 16 members count all that is kept; ours go last."""
    many = ",".join(f"k{n}=1" for n in range(20))
    arrived = take([("baggage", f"{many},pennon=A")])

    assert (15, (Member("pennon", "A"),)) == (len(arrived.baggage), arrived.ours)
    assert "k0" == arrived.baggage[0].key
    assert 5 == len(arrived.report.dropped)


@pytest.mark.req(110)
def test_extract_refuses_baggage_over_8192_bytes_unread(take: Take, monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines together are counted before one is parsed; a record processed all the same has none."""
    monkeypatch.setattr("pennon.headers.admission.pieces_of", _never)
    arrived = take([TRACEPARENT, ("baggage", "k=" + "v" * 4094), ("baggage", "l=" + "v" * 4094)])

    assert Refusal(431, "baggage", "8192 bytes") == arrived.refusal
    assert (_drop("baggage", DropReason.TOO_LONG),) == arrived.report.dropped
    assert ((), "8a3c60f7d188f8fa79d48a391a778fa6") == (arrived.baggage, arrived.trace.trace_id)


def test_extract_takes_baggage_of_exactly_8192_bytes(take: Take) -> None:
    """The limit belongs to what is allowed; the comma between two lines counts."""
    lines = [("baggage", "k=" + "v" * 4094), ("baggage", "l=" + "v" * 4093)]

    assert take(lines).refusal is None


@pytest.mark.req(110)
def test_extract_refuses_with_400_where_the_contract_says_so(take: Take) -> None:
    """The status is policy."""
    policy = BaggagePolicy(max_bytes=4, wire_max_bytes=4, refuse_status=400)
    arrived = take([("baggage", "k=123")], under=_under(baggage=policy))

    assert Refusal(400, "baggage", "4 bytes") == arrived.refusal


@pytest.mark.parametrize("wire", ["," * 8192, "a," * 4096, ", \t" * 2730, "a=1," * 2048])
def test_extract_looks_at_64_members_at_most(take: Take, decoded_keys: list[str], wire: str) -> None:
    """8 kB of commas, of nonsense or of small members cost no more objects than 64 members."""
    arrived = take([("baggage", wire)])

    assert arrived.refusal is None
    assert len(decoded_keys) <= 64
    assert len(arrived.report.dropped) <= 65


@pytest.mark.req(7)
def test_extract_refuses_too_many_headers_but_still_reads_them(take: Take) -> None:
    """HTTP refuses them; a record may have that many headers of its own, and its trace is not lost."""
    arrived = take([("x-filler", "1")] * 100 + [TRACEPARENT])

    assert Refusal(431, "headers", "100 headers") == arrived.refusal
    assert "8a3c60f7d188f8fa79d48a391a778fa6" == arrived.trace.trace_id
    assert (_drop("headers", DropReason.TOO_MANY),) == arrived.report.dropped


def test_extract_takes_exactly_100_headers(take: Take) -> None:
    """The limit belongs to what is allowed."""
    assert take([("x-filler", "1")] * 100).refusal is None


@pytest.mark.req(7)
def test_extract_counts_the_bytes_of_all_headers(take: Take) -> None:
    """Names and values, ours or not, up to 16,384."""
    assert take([("x-filler", "v" * 16376)]).refusal is None
    assert Refusal(431, "headers", "16384 bytes") == take([("x-filler", "v" * 16377)]).refusal


@pytest.mark.req(8, 10)
def test_extract_takes_fields_from_whom_the_contract_trusts(take: Take) -> None:
    """Verified senders may set all; strangers those that are the client's to set."""
    headers = [("X-Tenant-Id", "tenant-42"), ("x-region", "eu"), ("Idempotency-Key", '"k1"')]

    verified = take(headers)
    assert {"x-region": "eu", "idempotency-key": '"k1"'} == dict(verified.fields)
    assert "tenant-42" == verified.identity.tenant
    stranger = take(headers, is_trusted=False)
    assert {"x-region": "eu", "idempotency-key": '"k1"'} == dict(stranger.fields)
    assert (_drop("x-tenant-id", DropReason.NOT_TRUSTED),) == stranger.report.dropped


@pytest.mark.req(8)
@pytest.mark.parametrize("changes", [{"caller_may_set": False}, {"gateway_overwrites": True}])
def test_extract_takes_no_field_of_a_stranger_that_may_not_set_it(
    take: Take, make_field: Callable[..., Field], changes: dict[str, bool]
) -> None:
    """Trust in clients alone is not enough: they must be allowed to set it, and no gateway may overwrite it."""
    declared = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False} | changes
    arrived = take([("x-f", "a")], is_trusted=False, under=_under(fields=[make_field("x-f", **declared)]))

    assert ((), (_drop("x-f", DropReason.NOT_TRUSTED),)) == (arrived.fields, arrived.report.dropped)


def test_extract_knows_a_field_by_its_name_on_records_there_alone(contract: Contract) -> None:
    """Over HTTP it means nothing: a gateway that takes X-Tenant-Id off a stranger's request has never heard of it."""
    sent = [(b"Tenant", b"tenant-42")]
    request, record = (
        extract(contract, sent, is_trusted=True, entropy=bytes(ENTROPY_BYTES), is_record=is_record)
        for is_record in (False, True)
    )

    assert (None, "tenant-42") == (request.identity.tenant, record.identity.tenant)


@pytest.mark.req(14, 87, 120)
@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["TENANT"], DropReason.MALFORMED),
        (["tenant-42\n"], DropReason.MALFORMED),
        (["tenant\xff"], DropReason.MALFORMED),
        ([""], DropReason.MALFORMED),
        (["a" * 65], DropReason.TOO_LONG),
        (["a", "b"], DropReason.REPEATED),
    ],
)
def test_extract_drops_a_field_that_breaks_its_declaration(take: Take, values: list[str], reason: DropReason) -> None:
    """The whole value matches the syntax, within the length, once."""
    arrived = take([("x-tenant-id", value) for value in values])

    assert ((), (_drop("x-tenant-id", reason),)) == (arrived.fields, arrived.report.dropped)


def test_extract_takes_no_null_value(contract: Contract) -> None:
    """A record's header may have no value at all; that is as if it were absent."""
    arrived = extract(contract, [(b"traceparent", None), (b"baggage", None)], is_trusted=True, entropy=bytes(40))

    assert ((), ()) == (arrived.report.took, arrived.report.dropped)


@pytest.mark.req(8)
def test_extract_drops_a_strangers_headers_of_ours(take: Take) -> None:
    """Pennon-Decided and the like count for nothing from outside."""
    headers = [("Pennon-Decided", "x"), ("pennon-context", "y")]

    assert (
        _drop("pennon-decided", DropReason.NOT_TRUSTED),
        _drop("pennon-context", DropReason.NOT_TRUSTED),
    ) == take(headers, is_trusted=False).report.dropped


def test_report_holds_names_and_never_values(take: Take) -> None:
    """A report stands on spans and in logs; long keys are cut."""
    arrived = take([("baggage", f"{'k' * 500}=secret"), ("x-request-id", "sec ret")], is_trusted=False)

    assert "secret" not in repr(arrived.report)
    assert 64 == max(len(drop.name) for drop in arrived.report.dropped)


@pytest.mark.req(60, 64)
@pytest.mark.parametrize("values", [(b"1000", b"99999"), (b"99999", b"1000")])
def test_extract_takes_the_soonest_of_deadlines_that_disagree_and_hides_them(values: tuple[bytes, bytes]) -> None:
    """What a client adds to its gateway's word extends nothing; the application reads neither."""
    policy = DeadlinePolicy(accept=["x-request-timeout-ms"], cap_s=30)
    contract = Contract("c", version="1", owner="t", deadline=policy)
    headers = [(b"x-request-timeout-ms", value) for value in values]
    found = extract(contract, headers, is_trusted=True, entropy=bytes(ENTROPY_BYTES), now_ns=0, monotonic_ns=0)

    assert Deadline(10**9, "x-request-timeout-ms") == found.deadline
    assert (Drop("x-request-timeout-ms", DropReason.REPEATED),) == found.report.dropped
    assert ("x-request-timeout-ms",) == found.report.took == found.spoiled


@pytest.mark.req(60)
def test_extract_tells_once_of_a_stranger_s_deadline() -> None:
    """It does not count, and is counted as one thing that does not."""
    policy = DeadlinePolicy(accept=["x-request-deadline"], cap_s=30)
    contract = Contract("c", version="1", owner="t", deadline=policy)
    headers = [(b"x-request-deadline", b"2026-11-21T10:15:30Z")]
    for repeated in (headers, headers * 2):
        found = extract(
            contract, repeated, is_trusted=False, entropy=bytes(range(1, ENTROPY_BYTES + 1)), now_ns=0, monotonic_ns=0
        )

        assert (Drop("x-request-deadline", DropReason.NOT_TRUSTED),) == found.report.dropped


@pytest.mark.req(25, 26, 31)
@pytest.mark.parametrize("count", [1, 20])
def test_extract_takes_the_properties_off_a_stranger_s_members(count: int) -> None:
    """Nobody has declared any: enum and length would else hold for what stands before the semicolon alone."""
    policy = BaggagePolicy(allow=[BaggageKey("region", enum=("eu",))])
    contract = Contract("c", version="1", owner="t", baggage=policy)
    sent = [(b"baggage", b"region=eu;isAdmin=true;mail=ada@example.com" + b",promo=1" * (count - 1))]
    stranger, ours = (
        extract(contract, sent, is_trusted=is_trusted, entropy=bytes(ENTROPY_BYTES)) for is_trusted in (False, True)
    )

    assert (Member("region", "eu"),) == stranger.baggage
    assert Drop("baggage:region;", DropReason.NOT_TRUSTED) in stranger.report.dropped
    assert Member("region", "eu", "isAdmin=true;mail=ada@example.com") == ours.baggage[0]


def test_what_strangers_send_makes_nobody_of_ours_wait() -> None:
    """Members that were read are remembered for strangers and for ours apart, and those of the last minute at that."""
    contract = Contract("c", version="1", owner="t", baggage=BaggagePolicy(allow=["region"]))
    for number in range(600):
        for is_trusted in (False, True) if number == 599 else (False,):
            sent = [(b"baggage", b"region=%d" % number)]
            extract(contract, sent, is_trusted=is_trusted, entropy=bytes(ENTROPY_BYTES))
    ways = contract.reading

    assert {b"region=599"} == ways.verified.remembered.members.keys()
    assert b"region=599" in ways.stranger.remembered.members
    assert len(ways.stranger.remembered.members) <= 256
