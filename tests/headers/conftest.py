"""Contracts, fields and short ways to cross a door."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.context import Member
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    Downstream,
    Extracted,
    Field,
    Log,
    Outgoing,
    Propagate,
    Trust,
    extract,
    inject,
    std,
)
from pennon.headers.baggage import RawMember, decoded

ENTROPY = bytes(range(1, 41))
VECTORS = Path(__file__).parents[1] / "conformance" / "vectors" / "headers"


@pytest.fixture(scope="session")
def vectors() -> Callable[[str, str], list[dict[str, Any]]]:
    """The cases of one part of a file of vectors; there is at least one."""

    def cases(file: str, part: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((VECTORS / file).read_text(encoding="utf-8"))[part]
        assert found
        return found

    return cases


@pytest.fixture(scope="session")
def make_field() -> Callable[..., Field]:
    """A field like the seed's x-tenant-id, but for what a test says."""

    def make(name: str = "x-tenant-id", **changes: Any) -> Field:
        declared: dict[str, Any] = {
            "category": Category.SECURITY,
            "owner": "identity",
            "syntax": r"[a-z0-9-]+",
            "max_length": 64,
            "trust": Trust.GATEWAY,
            "caller_may_set": False,
            "gateway_overwrites": True,
            "downstream_may_forward": True,
            "propagate": Propagate.PER_DOWNSTREAM,
            "log": Log.HASH,
            "classification": Classification.INTERNAL_ID,
            "description": "Tenant execution context",
        }
        return Field(name, **(declared | changes))

    return make


@pytest.fixture(scope="session")
def contract(make_field: Callable[..., Field]) -> Contract:
    """One of everything that the first cut knows."""
    open_to_all = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False}
    return Contract(
        "orders",
        version="1",
        owner="platform",
        fields=[
            make_field(kafka="tenant"),
            make_field("X-Region", propagate=Propagate.ALWAYS, classification=Classification.INTERNAL, **open_to_all),
            std.IDEMPOTENCY_KEY,
            make_field("x-local", propagate=Propagate.ALWAYS, downstream_may_forward=False),
        ],
        baggage=BaggagePolicy(allow=["tenant.tier", "region"]),
        downstreams=[
            Downstream("posts", host="posts.internal"),
            Downstream("cases", host="cases.internal", fields=["X-Tenant-Id"]),
            Downstream("feed", topic="feed.posts", fields=["x-tenant-id"]),
            Downstream("stripe", host="api.stripe.com", external=True, trace=False),
            Downstream(
                "quiet",
                host="quiet.internal",
                trace=False,
                request_id=False,
                correlation_id=False,
                baggage=False,
                decisions=False,
            ),
            Downstream("plain", host="plain.internal", decisions=False),
            Downstream("decided", host="decided.internal", baggage=False),
        ],
    )


@pytest.fixture(scope="session")
def take(contract: Contract) -> Callable[..., Extracted]:
    """Extract from a verified sender, of a list of (name, value) texts; `is_trusted=False` for a stranger."""

    def take(headers: list[tuple[str, str]], *, is_trusted: bool = True, under: Contract = contract) -> Extracted:
        wire = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return extract(under, wire, is_trusted=is_trusted, entropy=ENTROPY)

    return take


@pytest.fixture
def decoded_keys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the baggage members whose values extract decodes from now on."""
    keys: list[str] = []

    def spy(raw: RawMember) -> Member:
        keys.append(raw.key)
        return decoded(raw)

    monkeypatch.setattr("pennon.headers.admission.decoded", spy)
    return keys


@pytest.fixture(scope="session")
def send(contract: Contract) -> Callable[..., Outgoing]:
    """Inject for the downstream with this name (None: undeclared), of what was extracted but for what a test says."""

    def send(name: str | None, arrived: Extracted | None = None, under: Contract = contract, **given: Any) -> Outgoing:
        downstream = next((each for each in under.downstreams if each.name == name), None)
        held: dict[str, Any] = {"trace": None, "request_id": None, "correlation_id": None, "baggage": (), "ours": ()}
        if arrived is not None:
            held = {each: getattr(arrived, each) for each in (*held, "fields")}
        return inject(under, downstream, **(held | given))

    return send
