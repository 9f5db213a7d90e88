"""One ask of one flag against vectors: a member arrives, an answer comes, a member leaves."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.carry import Note, decide, decode, encode
from pennon.context import Ledger
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

DOCUMENT = json.loads((Path(__file__).parent / "vectors" / "carry" / "judge.json").read_text(encoding="ascii"))
DEFAULTS = DOCUMENT["defaults"]
MINUTE_NS = 60_000_000_000


def _ruleset(case: dict[str, Any]) -> Ruleset:
    record = msgspec.convert(DEFAULTS["flag"] | case.get("flag", {}), FlagRecord)
    whole = msgspec.convert(DEFAULTS["ruleset"] | case.get("ruleset", {}), RulesetRecord)
    ruleset = Ruleset.of(msgspec.structs.replace(whole, flags={record.key: record}))
    return ruleset.with_kills({int(flag_id): revision for flag_id, revision in case.get("kills", {}).items()})


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in DOCUMENT["cases"]])
def test_decide_judges_as_the_vector_says(case: dict[str, Any]) -> None:
    """The answer, whether it is remembered, what is noted, and the member that leaves afterwards, to the character."""
    ask = DEFAULTS["ask"] | case.get("ask", {})
    ruleset = _ruleset(case)
    flag = ruleset.flag("checkout")
    assert flag is not None
    ledger = Ledger()
    ledger.arrived = decode(case["arrived_value"]).arrived
    notes: list[Note] = []
    decision = decide(flag, ruleset, ledger, ask["unit"], {}, {}, ask["now_min"] * MINUTE_NS, notes.append)

    assert case["expect"] == {
        "variant": decision.answer.variant,
        "reason": decision.answer.reason,
        "origin": None if decision.origin is None else decision.origin.name.lower(),
        "revision": decision.revision,
        "entered": decision in ledger.made.values(),
    }
    assert case["notes"] == sorted(set(notes))
    assert case["leaves_value"] == encode(ledger).value
