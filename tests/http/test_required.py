"""A field that must be there: who asks without it is refused, and told which it is."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import pytest

from pennon import counters
from pennon.context import Identity
from pennon.headers import (
    Category,
    Classification,
    Contract,
    Field,
    Log,
    Propagate,
    Trust,
    mesh,
    networks,
    public,
    std,
)

Ask = Callable[..., Any]
Raw = list[tuple[bytes, bytes]]

GRADE = Field(
    "X-Grade",
    category=Category.EVOLUTION,
    owner="platform",
    syntax="[a-z]+",
    max_length=8,
    trust=Trust.CLIENT,
    caller_may_set=True,
    gateway_overwrites=False,
    downstream_may_forward=False,
    propagate=Propagate.NEVER,
    log=Log.CLEAR,
    classification=Classification.INTERNAL,
    description="Which answers are wanted",
    required=True,
)
MESHS = replace(GRADE, trust=Trust.MESH, caller_may_set=False)
OURS = mesh(verify=networks("127.0.0.0/8"))


def contract_of(*fields: Field) -> Contract:
    """One with these fields."""
    return Contract("test", version="1", owner="tests", fields=fields)


def missed() -> int:
    """How often a required field was missing so far."""
    return sum(each.total for each in counters.samples() if each.cause == "missing")


@pytest.fixture(params=["asgi", "wsgi"])
def ask(request: pytest.FixtureRequest, through: Any) -> Ask:
    """Either door."""
    return partial(through[request.param])


@pytest.mark.req(12, 99)
@pytest.mark.parametrize(
    "sent",
    [
        [],
        [(b"x-other", b"good")],
        [(b"x-grade", b"BAD-VALUE")],
        [(b"x-grade", b"far-too-long-a-value")],
        [(b"x-grade", b"")],
        [(b"x-grade", b"good"), (b"x-grade", b"fine")],
        [(b"x-grade", b"good"), (b"connection", b"x-grade")],
    ],
    ids=["absent", "another", "malformed", "too long", "empty", "contradictory", "for one connection"],
)
def test_request_without_a_required_field_is_refused(ask: Ask, sent: Raw) -> None:
    """With 400, before the application is called; the answer names the field and repeats no value."""
    before = missed()
    asked = ask(contract_of(GRADE), public(), sent)

    assert (400, False, before + 1) == (asked.status, asked.was_served, missed())
    problem = msgspec.json.decode(asked.body)
    assert ("header_required", "x-grade", 400) == (problem["code"], problem["field"], problem["status"])
    assert "urn:pennon:problem:header_required" == problem["type"]
    assert not any(value and value in asked.body for name, value in sent if name == b"x-grade")


@pytest.mark.req(12)
@pytest.mark.parametrize("boundary", [public(), OURS], ids=["public", "mesh"])
def test_request_with_it_is_served(ask: Ask, boundary: Any) -> None:
    """As any other is."""
    before = missed()
    asked = ask(contract_of(GRADE), boundary, [(b"x-grade", b"good")])

    assert (204, "good", before) == (asked.status, dict(asked.context.fields)["x-grade"], missed())


@pytest.mark.req(8, 10)
def test_value_of_a_caller_who_may_not_set_it_does_not_count(ask: Ask) -> None:
    """A stranger's is dropped, so that it is missing; a verified caller's counts."""
    sent = [(b"x-grade", b"good")]

    assert 400 == ask(contract_of(MESHS), public(), sent).status
    assert 204 == ask(contract_of(MESHS), OURS, sent).status


@pytest.mark.req(10)
def test_required_tenant_is_told_by_headers_only_where_nobody_else_tells_it(ask: Ask) -> None:
    """Where the boundary's `identity` knows who asks, its word is all: no header of it need be there."""
    contract = contract_of(replace(std.TENANT_ID, required=True))
    knows = mesh(verify=networks("127.0.0.0/8"), identity=lambda _: Identity("acme"))

    assert [400, 204, 204, 400] == [
        ask(contract, OURS, []).status,
        ask(contract, OURS, [(b"x-tenant-id", b"acme")]).status,
        ask(contract, knows, []).status,
        ask(contract, public(), [(b"x-tenant-id", b"acme")]).status,
    ]


def test_request_that_is_over_a_limit_is_told_of_that(ask: Ask) -> None:
    """One that is refused anyhow is not read to its end."""
    asked = ask(contract_of(GRADE), public(), [(b"x-filler", b"v" * 20_000)])

    assert (431, "headers_refused") == (asked.status, msgspec.json.decode(asked.body)["code"])


def test_first_declared_field_that_is_missing_is_named(ask: Ask) -> None:
    """One after the other; a standard's can be required as well."""
    contract = contract_of(replace(std.IDEMPOTENCY_KEY, required=True), GRADE)

    assert ["idempotency-key", "x-grade"] == [
        msgspec.json.decode(ask(contract, public(), sent).body)["field"] for sent in ([], [(b"idempotency-key", b"k")])
    ]


def test_browser_that_asks_what_it_may_send_is_served(ask: Ask) -> None:
    """A preflight holds none of the fields it asks about (Fetch); any other OPTIONS request must have them."""
    preflight = [(b"origin", b"https://shop.example"), (b"access-control-request-method", b"POST")]
    ask_for = partial(ask, contract_of(GRADE), public(), method="OPTIONS")

    assert [204, 400] == [ask_for(preflight).status, ask_for(preflight[:1]).status]
    assert 400 == ask(contract_of(GRADE), public(), preflight).status
