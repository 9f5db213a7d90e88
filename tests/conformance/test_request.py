"""Whole requests against vectors: flags are asked, rulesets change, responses come back, something leaves."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.carry import Note, decide, decode, encode, returning, take_returned
from pennon.context import Ledger
from pennon.flags import Ruleset, RulesetRecord

DOCUMENT = json.loads((Path(__file__).parent / "vectors" / "carry" / "request.json").read_text(encoding="ascii"))
SECOND_NS = 1_000_000_000


def _ruleset(said: dict[str, Any]) -> Ruleset:
    record = msgspec.convert({key: part for key, part in said.items() if key != "kills"}, RulesetRecord)
    return Ruleset.of(record).with_kills({int(flag_id): revision for flag_id, revision in said["kills"].items()})


def _asked(step: dict[str, Any], ruleset: Ruleset, ledger: Ledger, notes: list[Note]) -> dict[str, Any]:
    flag = ruleset.flag(step["flag"])
    assert flag is not None
    decision = decide(
        flag,
        ruleset,
        ledger,
        step["unit"],
        step.get("attributes", {}),
        step.get("units", {}),
        step["now_s"] * SECOND_NS,
        notes.append,
        override=step.get("override"),
    )
    return {
        "variant": decision.answer.variant,
        "reason": decision.answer.reason,
        "origin": None if decision.origin is None else decision.origin.name.lower(),
        "revision": decision.revision,
    }


def _taken(step: dict[str, Any], ledger: Ledger, notes: list[Note]) -> dict[str, Any]:
    headers = [header.encode() for header in step["headers"]]
    began_ns = step["began_s"] * SECOND_NS
    taken = take_returned(ledger, headers, has_age=step["has_age"], began_ns=began_ns, note=notes.append)
    return {"taken_count": taken.taken_count, "faults": list(taken.faults), "dropped": taken.dropped}


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["id"]) for part in DOCUMENT.values() if isinstance(part, list) for case in part]
)
def test_request_goes_as_the_vector_says(case: dict[str, Any]) -> None:
    """Each answer and what it counts, each response and what it brings, and what leaves and returns at the end."""
    ruleset, ledger = _ruleset(case["ruleset"]), Ledger()
    arrived = decode(case["arrived_value"])
    ledger.arrived, ledger.was_cut = arrived.arrived, arrived.was_cut
    ledger.override = "a token" if case["is_public"] else None
    for step in case["steps"]:
        notes: list[Note] = []
        match step["do"]:
            case "ruleset":
                ruleset = _ruleset(step["ruleset"])
                continue
            case "ask":
                assert step["expect"] == _asked(step, ruleset, ledger, notes)
            case "response":
                assert step["expect"] == _taken(step, ledger, notes)
        assert step["notes"] == sorted(set(notes))
    leaving, returned = encode(ledger, is_replay=arrived.is_replay), returning(ledger, is_replay=arrived.is_replay)
    assert (case["leaves_value"], case["returns_value"]) == (leaving.value, returned.value)
