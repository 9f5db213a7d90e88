"""Fingerprints of units and ids of exposures against vectors, and which uses of a decision are exposures."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.carry import exposure_id, exposure_of, fingerprint_of
from pennon.context import Answer, Decision, Environment, Origin, Reason, Unit
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

CARRY = Path(__file__).parent / "vectors" / "carry"
FINGERPRINTS = json.loads((CARRY / "fingerprint.json").read_text(encoding="ascii"))
EXPOSURES = json.loads((CARRY / "exposure.json").read_text(encoding="ascii"))


def _by_id(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize("case", _by_id(FINGERPRINTS["cases"]))
def test_fingerprint_is_what_the_vector_says(case: dict[str, Any]) -> None:
    """Murmur3 over canonical CBOR, lone surrogates and long keys included."""
    assert case["fingerprint"] == fingerprint_of(case["salt"], case["kind"], case["key"])


@pytest.mark.parametrize("case", _by_id(EXPOSURES["ids"]))
def test_exposure_id_is_what_the_vector_says(case: dict[str, Any]) -> None:
    """SHA-256 over canonical CBOR, halved."""
    unit = Unit(case["unit_kind"], case["unit_key"])
    said = exposure_id(case["environment"], case["flag_id"], case["phase"], unit, case["variant_id"])
    assert case["exposure_id"] == said


def test_exposure_ids_of_other_treatments_differ() -> None:
    """Another environment, flag, phase, unit or variant has another id."""
    assert len(EXPOSURES["ids"]) == len({case["exposure_id"] for case in EXPOSURES["ids"]})


@pytest.mark.parametrize("case", _by_id(EXPOSURES["uses"]))
def test_use_is_an_exposure_where_the_vector_says_so(case: dict[str, Any]) -> None:
    """By the flag's mark, the decision's origin and the request's replay, whoever made the decision."""
    record = msgspec.convert(
        {
            "key": "checkout",
            "id": 77,
            "type": "boolean",
            "variants": [{"key": "on", "id": 1, "value": True}],
            "off": "on",
            "fallthrough": {"variant": "on"},
            "exposes": case["exposes"],
        },
        FlagRecord,
    )
    ruleset = Ruleset.of(RulesetRecord(Environment(1, "production", "salt"), 5, 60, flags={"checkout": record}))
    flag = ruleset.flag("checkout")
    assert flag is not None
    origin = Origin[case["origin"].upper()]
    answer = Answer("checkout", "", "on", 1, Reason.CARRIED, origin, None, 41)
    decision = Decision(answer, flag.scope, "7", 0, origin, 41)
    exposure = exposure_of(flag, decision, is_replay=case["is_replay"], now_ns=0)
    assert case["is_exposure"] == (exposure is not None)
