"""Inject: what leaves to whom, and what is taken off."""

import dataclasses
import itertools
import operator
from collections.abc import Callable
from typing import Any

import pytest

from pennon.context import ActorType, Identity, Member, SpanId, Trace, TraceId
from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    DropReason,
    Extracted,
    Field,
    Outgoing,
    Propagate,
    inject,
    std,
)

TRACE = Trace(TraceId("8a3c60f7d188f8fa79d48a391a778fa6"), SpanId("00f7d188f8fa79d4"), None, 3, "rojo=1")
WHOLE = [
    ("traceparent", "00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01"),
    ("tracestate", "rojo=1"),
    ("baggage", "promo=1,pennon=A,region=eu;p"),
    ("x-request-id", "req_1"),
    ("x-correlation-id", "corr_1"),
    ("x-tenant-id", "tenant-42"),
    ("x-region", "eu"),
    ("idempotency-key", '"k1"'),
    ("x-local", "here"),
]
OWN = {"pennon-override", "pennon-decided", "pennon-context"}
WHO = {"x-tenant-id", "x-actor-id", "x-actor-type", "x-on-behalf-of"}
UNTIL = {"x-request-deadline", "x-request-timeout-ms", "grpc-timeout", "x-envoy-expected-rq-timeout-ms"}
ALL_OF_OURS = {"baggage", "x-request-id", "x-correlation-id"} | OWN | WHO | UNTIL
Take = Callable[..., Extracted]
Send = Callable[..., Outgoing]


@pytest.fixture
def arrived(take: Take) -> Extracted:
    """A request with everything, from a verified sender."""
    return take(WHOLE)


def _texts(outgoing: Outgoing) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in outgoing.set}


def _removed(outgoing: Outgoing) -> set[str]:
    """The names, each in its usual spelling alone."""
    return {name.decode() for name in outgoing.remove if b"_" not in name}


@pytest.mark.req(94, 121)
def test_inject_gives_a_declared_downstream_what_is_its(send: Send, arrived: Extracted) -> None:
    """Trace of this hop, ids, ours before the request's baggage, fields that go everywhere."""
    span_id = arrived.trace.span_id

    assert {
        "traceparent": f"00-8a3c60f7d188f8fa79d48a391a778fa6-{span_id}-01",
        "tracestate": "rojo=1",
        "baggage": "pennon=A,promo=1,region=eu;p",
        "x-request-id": "req_1",
        "x-correlation-id": "corr_1",
        "x-region": "eu",
    } == _texts(send("posts", arrived))


@pytest.mark.req(21, 95, 100)
def test_inject_gives_an_undeclared_downstream_nothing(send: Send, arrived: Extracted) -> None:
    """Nothing is set; what was copied in by hand of ours goes, a traceparent set by hand does not."""
    outgoing = send(None, arrived)

    assert () == outgoing.set
    assert ALL_OF_OURS | {"tenant", "x-region", "x-local", "tracestate"} == _removed(outgoing)


@pytest.mark.req(21, 69, 95, 104)
@pytest.mark.parametrize("name", [None, "posts", "quiet", "stripe"])
@pytest.mark.parametrize("ours", sorted(WHO | OWN | {"x-local", "x-envoy-expected-rq-timeout-ms"}))
def test_inject_withholds_a_name_however_its_dashes_are_spelled(
    send: Send, arrived: Extracted, name: str | None, ours: str
) -> None:
    """To an application behind WSGI they are one name (PEP 3333), and a stranger chooses the spelling."""
    parts = ours.encode().split(b"-")
    between = itertools.product((b"-", b"_"), repeat=len(parts) - 1)
    spelled = {parts[0] + b"".join(map(operator.add, each, parts[1:])) for each in between}

    assert spelled <= send(name, arrived).remove


@pytest.mark.req(15, 95)
def test_inject_takes_off_the_twin_of_what_it_sends(send: Send, arrived: Extracted) -> None:
    """Beside the real one a copied twin would be joined to it; what may stand there by hand itself stays."""
    outside = send("posts", None)

    assert {b"x_request_id", b"x_correlation_id", b"x_region"} <= send("posts", arrived).remove & outside.remove
    assert not {b"x-request-id", b"x-correlation-id", b"x-region"} & outside.remove


@pytest.mark.req(21, 95)
def test_inject_withholds_a_long_name_spelled_alike_throughout(make_field: Callable[..., Field]) -> None:
    """Where the mixtures are too many to be told apart in advance, the spelling that is likely still stays here."""
    name = "-".join("abcdefghi")
    contract = Contract("c", version="1", owner="t", fields=[make_field(name)])

    assert {name.encode(), name.replace("-", "_").encode()} <= contract.route(None).withheld


def test_inject_leaves_public_fields_set_by_hand(send: Send, arrived: Extracted) -> None:
    """An idempotency key for somebody else's API is the application's own matter."""
    assert "idempotency-key" not in _removed(send(None, arrived)) | _removed(send("stripe", arrived))


def test_inject_trusts_only_the_contracts_own_downstreams(send: Send, arrived: Extracted, contract: Contract) -> None:
    """One that looks like a declared one, but grants more, is undeclared."""
    forged = Contract("c", version="1", owner="t", downstreams=[Downstream("posts", host="evil.example")])
    held: dict[str, Any] = {"trace": TRACE, "request_id": "r", "correlation_id": None, "baggage": (), "ours": ()}

    assert send("posts", arrived, under=forged).set
    assert () == inject(contract, forged.downstreams[0], **held).set


@pytest.mark.req(95)
def test_inject_gives_an_external_downstream_ids_only(send: Send, arrived: Extracted) -> None:
    """Decisions, baggage and unnamed fields stay, whatever else its declaration says."""
    outgoing = send("stripe", arrived)

    assert {"x-request-id": "req_1", "x-correlation-id": "corr_1"} == _texts(outgoing)
    assert {"baggage", "traceparent", "tracestate", "x-tenant-id", "x-region"} <= _removed(outgoing)


@pytest.mark.req(86)
def test_inject_takes_off_what_a_declaration_withholds(send: Send, arrived: Extracted) -> None:
    """False means not even by hand."""
    outgoing = send("quiet", arrived)

    assert {"x-region": "eu"} == _texts(outgoing)
    assert ALL_OF_OURS | {"traceparent", "tracestate"} <= _removed(outgoing)


@pytest.mark.parametrize(("name", "wire"), [("plain", "promo=1,region=eu;p"), ("decided", "pennon=A")])
def test_inject_parts_decisions_from_baggage(send: Send, arrived: Extracted, name: str, wire: str) -> None:
    """Each of the two is granted by itself, in one header."""
    assert wire == _texts(send(name, arrived))["baggage"]


@pytest.mark.req(43, 95)
def test_inject_sends_identity_to_who_may_know_under_the_name_of_the_medium(send: Send, arrived: Extracted) -> None:
    """Per downstream, and on a record under its record name."""
    who = Identity(tenant="tenant-42", actor="user-9", actor_type=ActorType.HUMAN)

    assert "tenant-42" == _texts(send("cases", arrived, identity=who))["x-tenant-id"]
    assert "tenant-42" == _texts(send("feed", arrived, identity=who))["tenant"]
    assert not WHO & _texts(send("posts", arrived, identity=who)).keys()


@pytest.mark.req(86)
def test_inject_keeps_what_may_not_be_forwarded(send: Send, arrived: Extracted) -> None:
    """propagate=NEVER and downstream_may_forward=False both end here."""
    sent = _texts(send("cases", arrived))

    assert "idempotency-key" not in sent
    assert "x-local" not in sent


def test_inject_outside_a_request_takes_nothing_granted_away(send: Send) -> None:
    """A script that sets X-Request-Id or baggage by hand for a declared host keeps them; ours never leave by hand."""
    outgoing = send("posts")

    assert () == outgoing.set
    assert OWN | WHO | UNTIL | {"tenant", "x-local"} == _removed(outgoing)


def test_inject_inside_a_request_takes_stale_baggage_off(send: Send) -> None:
    """What a handler copied from its own request may be what ingress dropped."""
    assert "baggage" in _removed(send("posts", request_id="req_1"))


@pytest.mark.parametrize("name", ["plain", "decided"])
def test_inject_outside_a_request_takes_off_baggage_that_is_not_granted_whole(send: Send, name: str) -> None:
    """Decisions and the rest share a header: what may not have both gets none that was copied."""
    assert "baggage" in _removed(send(name))


def test_inject_takes_a_stale_tracestate_off_with_the_traceparent(send: Send) -> None:
    """The two belong together, also where the new one has no state."""
    outgoing = send("posts", trace=Trace(TRACE.trace_id, TRACE.span_id, None, 0, ""))

    assert ["traceparent"] == list(_texts(outgoing))
    assert {"traceparent", "tracestate"} <= _removed(outgoing)


def test_inject_cuts_a_long_tracestate(send: Send) -> None:
    """A tracing library may hand over more than 512 characters."""
    state = ",".join(f"k{n}={'v' * 60}" for n in range(9))
    outgoing = send("posts", trace=Trace(TRACE.trace_id, TRACE.span_id, None, 0, state))

    assert ",".join(state.split(",")[:8]) == _texts(outgoing)["tracestate"]
    assert [("tracestate:k8", DropReason.OVER_BUDGET)] == [(d.name, d.reason) for d in outgoing.report.dropped]


@pytest.mark.req(6, 29)
def test_inject_keeps_the_budget(send: Send) -> None:
    """1,024 bytes together: the request's unknown members make room for ours."""
    outgoing = send(
        "posts",
        request_id="r",
        baggage=(Member("promo", "x" * 600), Member("region", "eu")),
        ours=(Member("pennon", "A" * 500),),
    )

    assert f"pennon={'A' * 500},region=eu" == _texts(outgoing)["baggage"]
    assert [("baggage:promo", DropReason.OVER_BUDGET)] == [(d.name, d.reason) for d in outgoing.report.dropped]


def test_inject_never_sends_more_than_the_next_hop_takes(send: Send) -> None:
    """Percent-encoding triples some text; the wire has its own limit."""
    policy = BaggagePolicy(max_bytes=8192, max_members=64)
    contract = Contract(
        "c", version="1", owner="t", baggage=policy, downstreams=[Downstream("posts", host="posts.internal")]
    )
    outgoing = send("posts", under=contract, baggage=(Member("a", "1"), Member("b", "é" * 1400)))

    assert {"baggage": "a=1"} == _texts(outgoing)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"request_id": "a\r\nx: y"}, "x-request-id"),
        ({"request_id": "\ud800"}, "x-request-id"),
        ({"request_id": "r", "correlation_id": "ü"}, "x-correlation-id"),
        ({"baggage": (Member("a b", "1"),)}, "baggage:a b"),
        ({"baggage": (Member("a", "1", "p\r\n"),)}, "baggage:a"),
        ({"ours": (Member("", "1"),)}, "baggage:"),
        ({"trace": Trace(TraceId("0" * 32), SpanId("1" * 16), None, 1, "")}, "traceparent"),
        ({"trace": Trace(TraceId("x\r\n"), SpanId("1" * 16), None, 1, "")}, "traceparent"),
        ({"trace": Trace(TraceId("1" * 32), SpanId("1" * 16), None, 1, "a=\r\n")}, "tracestate"),
        ({"fields": (("x-region", "a\nb"),)}, "x-region"),
    ],
)
def test_inject_drops_what_cannot_be_written(send: Send, given: dict[str, Any], name: str) -> None:
    """A value that would break the header does not leave, is said, and raises nothing."""
    outgoing = send("posts", **given)

    assert [(name, DropReason.MALFORMED)] == [(drop.name, drop.reason) for drop in outgoing.report.dropped]
    assert name.partition(":")[0] not in _texts(outgoing)


# 2026-11-21T10:15:00Z
NOW_NS = 1_795_256_100_000_000_000
SUPPORTER = Identity(tenant="tenant-42", actor="staff-3", actor_type=ActorType.SUPPORT, on_behalf_of="user-9")
IDENTITY_FIELDS = (std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF)


def declaring(*fields: Field, budgets: Budgets | None = None, **to: Any) -> Contract:
    """A contract with the identity's fields, these, and one downstream, "there"."""
    place: dict[str, Any] = {} if "topic" in to else {"host": "there.internal"}
    return Contract(
        "c",
        version="1",
        owner="t",
        fields=[*IDENTITY_FIELDS, *fields],
        deadline=DeadlinePolicy(accept=list(DeadlineForm), cap_s=60),
        budgets=budgets or Budgets(),
        downstreams=[Downstream("there", **place, **to)],
    )


@pytest.mark.req(69, 74, 94, 95, 123)
@pytest.mark.parametrize(
    ("granted", "told"),
    [
        ({}, set()),
        ({"tenant": True}, {"x-tenant-id"}),
        ({"actor": True}, {"x-actor-id", "x-actor-type", "x-on-behalf-of"}),
        ({"tenant": True, "actor": True}, WHO),
        ({"fields": ["X-Actor-Id"]}, {"x-actor-id"}),
        ({"tenant": True, "actor": True, "topic": "there"}, WHO),
    ],
)
def test_inject_tells_who_asks_to_whom_it_is_granted(send: Send, granted: dict[str, Any], told: set[str]) -> None:
    """From what was verified; and of what was copied in by hand none stays, granted or not."""
    outgoing = send("there", under=declaring(**granted), request_id="r", identity=SUPPORTER)

    assert told == WHO & _texts(outgoing).keys()
    assert _removed(outgoing) >= WHO


@pytest.mark.req(73, 74)
def test_inject_says_for_whom_a_supporter_acts(send: Send) -> None:
    """Who really acts stays the actor."""
    sent = _texts(send("there", under=declaring(tenant=True, actor=True), identity=SUPPORTER))

    assert ("staff-3", "SUPPORT", "user-9") == (sent["x-actor-id"], sent["x-actor-type"], sent["x-on-behalf-of"])


@pytest.mark.req(69, 104)
@pytest.mark.parametrize("name", sorted(WHO))
def test_inject_takes_no_identity_from_fields(send: Send, name: str) -> None:
    """A header that was received says nothing of who asks here."""
    outgoing = send("there", under=declaring(tenant=True, actor=True), request_id="r", fields=((name, "forged"),))

    assert not WHO & _texts(outgoing).keys()
    assert name in _removed(outgoing)


@pytest.mark.req(70, 71, 101)
@pytest.mark.parametrize("tenant", ["Jane Doe", "jane@example.com", "a\r\nb", "x" * 129, ""])
def test_inject_sends_opaque_ids_alone(send: Send, tenant: str) -> None:
    """A name, an address or a second header does not leave as an id, and nothing but ids does."""
    identity = Identity(tenant=tenant, actor="user-9", units={"user": "u1"}, attributes={"plan": "pro"})
    sent = _texts(send("there", under=declaring(tenant=True, actor=True), identity=identity))

    assert {"x-actor-id": "user-9"} == sent


@pytest.mark.req(95)
def test_inject_tells_nobody_outside_who_asks(send: Send) -> None:
    """Not by ALWAYS; a public id goes where it is named."""
    everywhere = [dataclasses.replace(each, propagate=Propagate.ALWAYS) for each in IDENTITY_FIELDS]
    public = dataclasses.replace(std.TENANT_ID, classification=Classification.PUBLIC)
    named = Downstream("there", host="there.example", external=True, fields=["x-tenant-id"])
    ours = Downstream("ours", host="ours.internal")
    closed = Contract(
        "c", version="1", owner="t", fields=everywhere, downstreams=[dataclasses.replace(named, fields=()), ours]
    )
    opened = Contract("c", version="1", owner="t", fields=[public, *everywhere[1:]], downstreams=[named])

    assert set() == WHO & _texts(send("there", under=closed, identity=SUPPORTER)).keys()
    assert WHO == _texts(send("ours", under=closed, identity=SUPPORTER)).keys()
    assert {"x-tenant-id": "tenant-42"} == _texts(send("there", under=opened, identity=SUPPORTER))


@pytest.mark.req(59, 67, 111)
@pytest.mark.parametrize(
    ("form", "value"),
    [
        (DeadlineForm.ABSOLUTE, "2026-11-21T10:15:30.250Z"),
        (DeadlineForm.TIMEOUT_MS, "30250"),
        (DeadlineForm.GRPC, "30250999u"),
        (DeadlineForm.ENVOY_MS, "30250"),
    ],
)
def test_inject_tells_what_is_left_in_one_form(send: Send, form: DeadlineForm, value: str) -> None:
    """The declared one; by hand none of the others stays."""
    outgoing = send("there", under=declaring(deadline=form), timeout_ns=30_250_999_999, now_ns=NOW_NS)

    assert {form.value: value} == _texts(outgoing)
    assert _removed(outgoing) >= UNTIL


@pytest.mark.req(64)
def test_inject_leaves_a_deadline_by_hand_where_none_is_known(send: Send) -> None:
    """A script's own, in the form that is declared."""
    outgoing = send("there", under=declaring(deadline=DeadlineForm.GRPC))

    assert UNTIL - {"grpc-timeout"} == UNTIL & _removed(outgoing)


@pytest.mark.parametrize(("audience", "told"), [("there", {"pennon-context": "a.b.c"}), (None, {})])
def test_inject_gives_a_signed_context_to_its_audience(send: Send, audience: str | None, told: dict[str, str]) -> None:
    """Nobody else gets one; one that was copied stays nowhere."""
    outgoing = send("there", under=declaring(audience=audience), signed="a.b.c")

    assert told == _texts(outgoing)
    assert "pennon-context" in _removed(outgoing)


@pytest.mark.parametrize("signed", ["a b", "a\nb", "ä", ""])
def test_inject_drops_a_signed_context_that_cannot_be_written(send: Send, signed: str) -> None:
    """As any other value."""
    outgoing = send("there", under=declaring(audience="there"), signed=signed)

    assert {} == _texts(outgoing)
    assert [("pennon-context", DropReason.MALFORMED)] == [(d.name, d.reason) for d in outgoing.report.dropped]


@pytest.mark.req(6, 29, 30, 87)
@pytest.mark.parametrize(
    ("limit_bytes", "kept"),
    [(52, ["x-tenant-id", "x-one", "x-two"]), (51, ["x-tenant-id", "x-one"]), (34, ["x-tenant-id"]), (19, [])],
)
def test_inject_keeps_custom_fields_within_their_budget(
    send: Send, make_field: Callable[..., Field], limit_bytes: int, kept: list[str]
) -> None:
    """Whole fields go, the last declared first, whatever order they came in; and a copy of theirs goes too."""
    small = {"max_length": 12, "propagate": Propagate.ALWAYS, "syntax": "[a-z]+"}
    tenant = dataclasses.replace(std.TENANT_ID, max_length=12)
    contract = Contract(
        "c",
        version="1",
        owner="t",
        fields=[tenant, make_field("x-one", **small), make_field("x-two", **small)],
        budgets=Budgets(custom_bytes=limit_bytes),
        downstreams=[Downstream("there", host="there.internal", tenant=True)],
    )
    given = (("x-two", "v" * 12), ("x-one", "v" * 10))
    outgoing = send("there", under=contract, fields=given, identity=Identity(tenant="tenant-42"))
    gone = [name for name in ("x-two", "x-one", "x-tenant-id") if name not in kept]

    assert set(kept) == _texts(outgoing).keys() == set(outgoing.report.added)
    assert [(name, DropReason.OVER_BUDGET) for name in gone] == [(d.name, d.reason) for d in outgoing.report.dropped]
    assert _removed(outgoing) >= {"x-one", "x-two", "x-tenant-id"}


@pytest.mark.req(6)
def test_inject_keeps_the_trace_s_budget(send: Send) -> None:
    """The contract's, where it is less than what W3C asks for."""
    contract = declaring(budgets=Budgets(trace_bytes=9))
    trace = Trace(TRACE.trace_id, TRACE.span_id, None, 1, "a=12,b=34,c=56")
    outgoing = send("there", under=contract, trace=trace)

    assert "a=12,b=34" == _texts(outgoing)["tracestate"]
    assert [("tracestate:c", DropReason.OVER_BUDGET)] == [(d.name, d.reason) for d in outgoing.report.dropped]


@pytest.mark.req(95)
def test_inject_writes_the_calling_service_where_it_is_named(send: Send) -> None:
    """As it was received."""
    contract = declaring(std.CALLER_SERVICE, fields=["x-caller-service"])
    given = (("x-caller-service", "checkout"),)

    assert {"x-caller-service": "checkout"} == _texts(send("there", under=contract, fields=given))
    assert {} == _texts(send("there", under=declaring(std.CALLER_SERVICE), fields=given))
