"""The change stream's messages and their JSON."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Environment
from pennon.errors import RulesetInvalid
from pennon.flags import (
    FlagRecord,
    FlagType,
    ReconciledRecord,
    RevocationRecord,
    RulesetRecord,
    SegmentRecord,
    ServeRecord,
    SignerRecord,
    SignerUse,
    UnknownClause,
    VariantRecord,
)
from pennon.sync import (
    BreakGlass,
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
SIGNERS = {"k1": SignerRecord("k1", "AAAA", SignerUse.KILL, 99), "k2": SignerRecord("k2", "BBBB", SignerUse.OVERRIDE)}
REVOCATIONS = {"t1": RevocationRecord("t1", 50)}
RECONCILED = {"bg-1": ReconciledRecord("bg-1", 60)}
SNAPSHOT = RulesetRecord(
    ENVIRONMENT, 1, 5, "server", {"checkout": FLAG}, {"beta": SEGMENT}, SIGNERS, REVOCATIONS, RECONCILED
)
PUT = Put({"checkout": FLAG}, {"beta": SEGMENT}, SIGNERS, REVOCATIONS, RECONCILED)
DELTA = Delta(7, 1, 4, 5, PUT, Delete(("old",), ("older",), ("k0",), ("t0",), ("bg-0",)))
BREAK_GLASS = BreakGlass(7, 10, "bg-1", 1_900_000_000)

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
    ("message", "id_"),
    [(SNAPSHOT, "1.5"), (DELTA, "1.5"), (Kill(7, 1, 10, 6), None), (BREAK_GLASS, None), (Ping(), None)],
    ids=repr,
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


def test_kinds_of_a_delta_on_the_wire_are_the_specification() -> None:
    """`put` has records by key, `delete` lists of keys, each under its kind."""
    (frame,) = FrameReader().feed(encode_message(DELTA))
    delta = json.loads(frame.data)
    assert ["flags", "segments", "signers", "revocations", "reconciled"] == list(delta["put"]) == list(delta["delete"])
    assert {"id": "k1", "key": "AAAA", "use": "kill", "until_s": 99} == delta["put"]["signers"]["k1"]
    assert {"t1": {"id": "t1", "until_s": 50}} == delta["put"]["revocations"]
    assert ["bg-0"] == delta["delete"]["reconciled"]


def test_break_glass_kill_is_a_kill_event_with_an_id() -> None:
    """Its name is the one that every reader obeys; the id tells it apart."""
    (frame,) = FrameReader().feed(encode_message(BREAK_GLASS))
    assert "kill" == frame.name
    assert {"environment": 7, "flag": 10, "id": "bg-1", "until_s": 1_900_000_000} == json.loads(frame.data)


def test_kill_with_an_id_and_a_position_is_a_break_glass_kill() -> None:
    """A later version may say more; what has an id of its own is never read as numbered."""
    both = {"environment": 7, "epoch": 1, "flag": 10, "revision": 6, "id": "bg-1", "until_s": 9}
    assert BreakGlass(7, 10, "bg-1", 9) == decode_message("kill", json.dumps(both).encode())


@pytest.mark.parametrize(
    "bent", [{"id": None}, {"id": 5}, {"id": ""}, {"until_s": None}, {"until_s": -1}, {"flag": "f"}]
)
def test_break_glass_kill_of_impossible_members_is_refused(bent: dict[str, object]) -> None:
    """Text for an id, a second for an end."""
    good = {"environment": 7, "flag": 10, "id": "bg-1", "until_s": 9}
    with pytest.raises(RulesetInvalid):
        decode_message("kill", json.dumps({**good, **bent}).encode())


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
        ({"put": {"signers": {"k1": {"id": "k1", "key": "A", "use": "dance"}}}}, "/put/signers/k1/use"),
        ({"put": {"signers": {"k1": {"id": "k2", "key": "A", "use": "kill"}}}}, "/put/signers/k1/id"),
        ({"put": {"revocations": {"t1": {"id": "t1"}}}}, "/put/revocations/t1"),
        ({"put": {"reconciled": {"bg-1": {"id": "bg-2", "until_s": 5}}}}, "/put/reconciled/bg-1/id"),
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
