"""The wire format against vectors that another implementation wrote."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.carry import Decoded, decode, encode_entries
from pennon.context import Entry

WIRE = json.loads((Path(__file__).parent / "vectors" / "carry" / "wire.json").read_text(encoding="utf-8"))


def _by_id(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


def _place(entry: dict[str, Any]) -> tuple[int, int, int, int]:
    return entry["environment"], entry["epoch"], entry["fingerprint"], entry["flag_id"]


def _by_place(entries: list[dict[str, Any]]) -> dict[tuple[int, int, int, int], list[dict[str, Any]]]:
    return {_place(entry): [each for each in entries if _place(each) == _place(entry)] for entry in entries}


@pytest.mark.parametrize("case", _by_id(WIRE["read"]))
def test_decode_reads_as_the_vector_says(case: dict[str, Any], said_by: Callable[[Entry], dict[str, Any]]) -> None:
    """Entries, their order within a place, flags of the member and the fault of each dropped group are the vector's."""
    decoded: Decoded = decode(case["value"])
    assert _by_place(case["entries"]) == _by_place([said_by(entry) for entry in decoded.entries])
    assert (case["was_cut"], case["is_replay"]) == (decoded.was_cut, decoded.is_replay)
    assert tuple(case["dropped"]) == decoded.dropped


@pytest.mark.parametrize("case", _by_id(WIRE["write"]))
def test_encode_writes_as_the_vector_says(case: dict[str, Any], entry_from: Callable[[dict[str, Any]], Entry]) -> None:
    """The value is the vector's to the character, and so is the count of what did not fit."""
    encoded = encode_entries(
        [entry_from(entry) for entry in case["entries"]],
        was_cut=case["was_cut"],
        is_replay=case["is_replay"],
        budget_bytes=case["budget_bytes"],
    )
    assert case["value"] == encoded.value
    assert case["cut_count"] == encoded.cut_count
