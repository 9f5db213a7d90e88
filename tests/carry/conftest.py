"""What the tests of carrying share: the vectors, and short ways to write entries, scopes and decisions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.context import Answer, Decision, Entry, Environment, Origin, Reason, Scope

VECTORS = Path(__file__).parent.parent / "conformance" / "vectors" / "carry"
ENVIRONMENT = Environment(0x0102030405, "production", "salt")
MINUTE_NS = 60_000_000_000


def _entry(**fields: Any) -> Entry:
    plain = {
        "environment": ENVIRONMENT.id,
        "epoch": 5,
        "fingerprint": 0xA1B2C3,
        "decided_min": 29_925_600,
        "flag_id": 1,
        "variant_id": 1,
        "origin": Origin.SPLIT,
        "revision": 41,
    }
    return Entry(**plain | fields)


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], Any]:
    """A vector file's content, by name."""
    return lambda name: json.loads((VECTORS / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def entry_of() -> Callable[..., Entry]:
    """An entry, of which only what a test is about need be said."""
    return _entry


@pytest.fixture(scope="session")
def entry_from() -> Callable[[dict[str, Any]], Entry]:
    """An entry from a vector's JSON."""
    return lambda fields: Entry(
        **fields | {"origin": Origin[fields["origin"].upper()], "revision": int(fields["revision"])}
    )


@pytest.fixture(scope="session")
def decision_of() -> Callable[..., Decision]:
    """A decision made here, of which only what a test is about need be said."""

    def build(
        *,
        flag_id: int = 1,
        variant_id: int = 1,
        unit_key: str | None = "7",
        minute: int = 29_925_600,
        origin: Origin = Origin.SPLIT,
        revision: int = 41,
        epoch: int = 5,
        floor: int = 0,
        carry: bool = True,
        environment: Environment = ENVIRONMENT,
        unit_kind: str = "user",
    ) -> Decision:
        key = f"{environment.id}/{epoch}/{flag_id}/{floor}"
        scope = Scope(environment, epoch, flag_id, unit_kind, floor, carry, key)
        answer = Answer(f"flag-{flag_id}", "x", f"v{variant_id}", variant_id, Reason.SPLIT, origin, None, revision)
        return Decision(answer, scope, unit_key, minute * MINUTE_NS, origin, revision)

    return build
