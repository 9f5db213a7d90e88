"""The wire format against vectors that another implementation wrote."""

import json
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.carry import decode, encode_entries
from pennon.context import Entry

FOLDER = Path(__file__).parent.parent / "conformance" / "vectors" / "carry"
WIRE = json.loads((FOLDER / "wire.json").read_text(encoding="utf-8"))


def _by_id(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in cases]


@pytest.mark.parametrize("case", _by_id(WIRE["read"]))
def test_decode_reads_as_the_vector_says(case: dict[str, Any], entry_from: Callable[[dict[str, Any]], Entry]) -> None:
    """Entries, flags of the member and the fault of each dropped group are the vector's."""
    decoded = decode(case["value"])
    assert {entry_from(entry) for entry in case["entries"]} == set(decoded.entries)
    assert len(case["entries"]) == len(decoded.entries)
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


def test_wire_vectors_are_what_their_writer_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody edited the JSON without its cases, or the cases without the JSON."""
    monkeypatch.syspath_prepend(FOLDER.parents[3])
    documents = runpy.run_path(str(FOLDER / "write_wire.py"))["documents"]()
    assert documents == {name: (FOLDER / name).read_text(encoding="ascii") for name in documents}


def test_decode_keeps_wire_order_within_a_flag(entry_of: Callable[..., Entry]) -> None:
    """A ledger's places hold their entries as they stood on the wire."""
    units = [entry_of(fingerprint=number) for number in (3, 1, 2)]
    assert {(units[0].environment, 1): tuple(units)} == decode(encode_entries(units).value).arrived


def test_encode_holds_40_decisions_in_512_bytes(entry_of: Callable[..., Entry]) -> None:
    """One unit, one minute, the longest revisions of four bytes."""
    entries = [entry_of(flag_id=number, revision=2**28 - 1) for number in range(40)]
    assert 506 == len(encode_entries(entries).value)
