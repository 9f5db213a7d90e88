"""A service with a contract that says something of everything, behind either door."""

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import pytest

import pennon.http
from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Boundary,
    Budgets,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Field,
    Log,
    Propagate,
    Trust,
    mesh,
    networks,
    public,
    std,
)

KIND: Final = Field(
    "x-case-kind",
    category=Category.EXECUTION,
    owner="cases",
    syntax="[a-z]{2,8}",
    max_length=6,
    trust=Trust.CLIENT,
    caller_may_set=True,
    gateway_overwrites=False,
    downstream_may_forward=True,
    propagate=Propagate.ALWAYS,
    log=Log.CLEAR,
    classification=Classification.INTERNAL,
    description="Which kind of case it is",
    kafka="case-kind",
)
DESK: Final = dataclasses.replace(
    KIND,
    name="x-desk",
    syntax="desk-[0-9]++",
    max_length=12,
    trust=Trust.GATEWAY,
    caller_may_set=False,
    gateway_overwrites=True,
    propagate=Propagate.PER_DOWNSTREAM,
    log=Log.HASH,
    classification=Classification.INTERNAL_ID,
    kafka=None,
)
NOTE: Final = dataclasses.replace(
    KIND,
    name="x-note",
    syntax="[!-~]+",
    max_length=32,
    propagate=Propagate.NEVER,
    downstream_may_forward=False,
    kafka=None,
)
CONTRACT: Final = Contract(
    "cases",
    version="1",
    owner="tests",
    fields=[
        KIND,
        DESK,
        dataclasses.replace(NOTE, syntax="[a-z]+"),
        std.TENANT_ID,
        std.ACTOR_ID,
        std.ACTOR_TYPE,
        std.ON_BEHALF_OF,
        std.CALLER_SERVICE,
        std.IDEMPOTENCY_KEY,
        std.REGION,
    ],
    baggage=BaggagePolicy(
        allow=[BaggageKey("tier", enum=["free", "paid"]), "region", BaggageKey("exp.*", syntax="[a-z]+", max_length=8)]
    ),
    budgets=Budgets(custom_bytes=300),
    deadline=DeadlinePolicy(accept=["x-request-deadline", "grpc-timeout"], cap_s=30, from_strangers=True),
    downstreams=[
        Downstream("pay", host="*.pay.internal", tenant=True, actor=True, deadline=DeadlineForm.TIMEOUT_MS),
        Downstream("read", host="read.internal:8001", fields=["x-caller-service", "x-desk"], decisions=False),
        Downstream("stripe", host="api.stripe.com", external=True, trace=False, deadline=DeadlineForm.ABSOLUTE),
        Downstream("feed", topic="feed.posts", tenant=True, request_id=False, baggage=False),
    ],
)
MESH: Final = mesh(verify=networks("10.0.0.0/8"))
PUBLIC: Final = public()


async def _asgi(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("a probe stands in its place")


def _wsgi(_environ: Any, _start_response: Any) -> Any:
    raise AssertionError("a probe stands in its place")


def _door(kind: str, contract: Contract = CONTRACT, boundary: Boundary = MESH) -> Any:
    if kind == "asgi":
        return pennon.http.asgi(_asgi, contract, boundary=boundary)
    return pennon.http.wsgi(_wsgi, contract, boundary=boundary)


@pytest.fixture(scope="session")
def door() -> Callable[..., Any]:
    """A door, "asgi" or "wsgi", of this contract or another, around an application that is never asked."""
    return _door


@pytest.fixture(scope="session")
def contract() -> Contract:
    """It says something of everything."""
    return CONTRACT


@pytest.fixture(scope="session")
def boundaries() -> dict[str, Boundary]:
    """A mesh of 10.0.0.0/8, and one where everybody is a stranger."""
    return {"mesh": MESH, "public": PUBLIC}
