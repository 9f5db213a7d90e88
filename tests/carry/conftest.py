"""What the tests of carrying share: the vectors, and short ways to write entries, scopes and decisions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.carry import Note, decide, fingerprint_of
from pennon.context import Answer, Decision, Entry, Environment, Ledger, Origin, Reason, Scope
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

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


def _ruleset(*flags: dict[str, Any], revision: int = 60, epoch: int = 5, **others: Any) -> Ruleset:
    records = {record.key: record for record in (_record(**flag) for flag in flags or [{}])}
    return Ruleset.of(RulesetRecord(ENVIRONMENT, epoch, revision, flags=records, **others))


def _record(key: str = "checkout", **changes: Any) -> FlagRecord:
    plain = {
        "key": key,
        "id": 1,
        "type": "string",
        "variants": [{"key": f"v{number}", "id": number, "value": f"value {number}"} for number in range(5)],
        "off": "v0",
        "fallthrough": {"variant": "v1"},
        "carry": True,
        "revision": 41,
    }
    return msgspec.convert(plain | changes, FlagRecord)


@pytest.fixture(scope="session")
def ruleset_of() -> Callable[..., Ruleset]:
    """A ruleset of these flags: `checkout`, id 1, serving v1, unless said otherwise; off is v0, variants up to v4."""
    return _ruleset


class Asking:
    """What asks of one ledger come to. notes: all so far."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.notes = ledger, list[Note]()

    def __call__(
        self,
        ruleset: Ruleset,
        key: str = "checkout",
        *,
        unit: str | None = "7",
        units: dict[str, str] = {},  # noqa: B006
        minute: int = 29_925_600,
        override: str | None = None,
    ) -> Decision:
        flag = ruleset.flag(key)
        assert flag is not None
        now_ns = minute * MINUTE_NS
        note = self.notes.append
        return decide(flag, ruleset, self.ledger, unit, {}, units, now_ns, note, override=override)


@pytest.fixture
def asking() -> Callable[..., Asking]:
    """Asks of a ledger to which these entries have come."""

    def build(*entries: Entry) -> Asking:
        ledger = Ledger()
        for entry in entries:
            place = (entry.environment, entry.flag_id)
            ledger.arrived[place] = (*ledger.arrived.get(place, ()), entry)
        return Asking(ledger)

    return build


@pytest.fixture(scope="session")
def seven() -> int:
    """The fingerprint of user 7."""
    return fingerprint_of(ENVIRONMENT.salt, "user", "7")
