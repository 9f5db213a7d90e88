"""The change stream's messages and their JSON."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Environment
from pennon.errors import RulesetInvalid
from pennon.flags import FlagRecord, FlagType, RulesetRecord, SegmentRecord, ServeRecord, UnknownClause, VariantRecord
from pennon.sync import (
    Delete,
    Delta,
    FrameReader,
    Kill,
    Message,
    Ping,
    Put,
    decode_message,
    decode_position,
    encode_message,
    encode_position,
)

VARIANTS = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
FLAG = FlagRecord("checkout", 10, FlagType.BOOLEAN, VARIANTS, "off", ServeRecord("on"), revision=5)
SEGMENT = SegmentRecord("beta", "user", "salt", ("0123456789abcdef",))
ENVIRONMENT = Environment(7, "production", "salt")
SNAPSHOT = RulesetRecord(ENVIRONMENT, 1, 5, flags={"checkout": FLAG}, segments={"beta": SEGMENT})
DELTA = Delta(7, 1, 4, 5, Put({"checkout": FLAG}, {"beta": SEGMENT}), Delete(("old",), ("older",)))

# Flags as the wire has them, to bend one thing in each test.
WIRE = json.loads(json.dumps({"environment": 7, "epoch": 1, "from": 4, "to": 5, "put": {}, "delete": {}}))


def wire_flag(**bent: object) -> dict[str, object]:
    """One good flag as JSON, with these fields another way."""
    good: dict[str, object] = {
        "key": "checkout",
        "id": 10,
        "type": "boolean",
        "variants": [{"key": "on", "id": 1, "value": True}],
        "off": "on",
        "fallthrough": {"variant": "on"},
    }
    return {**good, **bent}


@pytest.mark.parametrize(
    ("message", "id_"), [(SNAPSHOT, "1.5"), (DELTA, "1.5"), (Kill(7, 1, 10, 6), None), (Ping(), None)], ids=repr
)
def test_message_comes_back_from_its_event(message: Message, id_: str | None) -> None:
    """Encoded, framed, read and decoded it is the same; only snapshot and delta have an id."""
    (frame,) = FrameReader().feed(encode_message(message))
    assert (message, id_) == (decode_message(frame.name, frame.data), frame.id)


def test_delta_names_on_the_wire_are_the_specification() -> None:
    """Other languages read these keys."""
    (frame,) = FrameReader().feed(encode_message(Delta(7, 1, 4, 5, delete=Delete(flags=("old",)))))
    expected = {"environment": 7, "epoch": 1, "from": 4, "to": 5, "put": {}, "delete": {"flags": ["old"]}}
    assert expected == json.loads(frame.data)


def test_event_of_another_name_is_passed_over() -> None:
    """A later version may say more."""
    assert decode_message("journey", b"what do I know") is None


@pytest.mark.parametrize("name", ["snapshot", "delta", "kill", "ping"])
@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 10_000], ids=repr)
def test_nonsense_is_refused_by_name(name: str, data: bytes) -> None:
    """What is no message is RulesetInvalid and nothing else."""
    with pytest.raises(RulesetInvalid):
        decode_message(name, data)


@given(st.sampled_from(["snapshot", "delta", "kill", "ping"]), st.binary(max_size=200))
def test_decoding_is_total(name: str, data: bytes) -> None:
    """Any bytes are a message or RulesetInvalid."""
    with suppress(RulesetInvalid):
        decode_message(name, data)


@pytest.mark.parametrize(
    ("bent", "place"),
    [
        ({"put": {"flags": {"checkout": wire_flag(id="ten")}}}, "/put/flags/checkout/id"),
        ({"put": {"flags": {"other": wire_flag()}}}, "/put/flags/other/key"),
        ({"put": {"flags": {"checkout": wire_flag(), "twin": wire_flag(key="twin")}}}, "/put/flags/twin/id"),
        ({"put": {"segments": {"beta": {"key": "beta", "unit": 5, "salt": "s"}}}}, "/put/segments/beta/unit"),
    ],
)
def test_fault_in_a_delta_has_its_place(bent: dict[str, object], place: str) -> None:
    """Where it is, as a JSON pointer into the delta."""
    with pytest.raises(RulesetInvalid) as invalid:
        decode_message("delta", json.dumps({**WIRE, **bent}).encode())
    assert place in [fault.path for fault in invalid.value.faults]


def test_delta_with_a_clause_of_a_later_version_is_read() -> None:
    """Only the flag that has it cannot be used, as in a snapshot."""
    rules = [{"id": "r", "clauses": [{"op": "moon_phase", "attribute": "a"}], "serve": {"variant": "on"}}]
    put = {"flags": {"checkout": wire_flag(rules=rules)}}
    delta = decode_message("delta", json.dumps({**WIRE, "put": put}).encode())
    assert isinstance(delta, Delta)
    assert (UnknownClause("moon_phase"),) == delta.put.flags["checkout"].rules[0].clauses


@pytest.mark.parametrize("bent", [{"from": -1}, {"to": 1.5}, {"epoch": None}, {"environment": "production"}])
def test_delta_of_impossible_numbers_is_refused(bent: dict[str, object]) -> None:
    """A position is two integers that are not negative."""
    with pytest.raises(RulesetInvalid):
        decode_message("delta", json.dumps({**WIRE, **bent}).encode())


@given(st.integers(0, 2**24), st.integers(0, 2**60))
def test_position_comes_back_from_its_id(epoch: int, revision: int) -> None:
    """An id says epoch and revision."""
    assert (epoch, revision) == decode_position(encode_position(epoch, revision))


@pytest.mark.parametrize(
    "text", ["", ".", "1", "1.", ".1", "1.2.3", "-1.2", "1.+2", "a.b", "1.٣", "1. 2", "1." + "9" * 30]
)
def test_id_that_is_not_ours_is_no_position(text: str) -> None:
    """A reader with such an id gets a snapshot."""
    assert decode_position(text) is None
