"""Rulesets from and to JSON: round trips, and documents that are not what the format says."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.errors import RulesetInvalid
from pennon.flags import Ruleset, UnknownClause, decode_ruleset, encode_ruleset

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def document(vectors: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
    """A good ruleset as JSON."""
    ruleset: dict[str, Any] = vectors("evaluation")["ruleset"]
    return ruleset


def faults_of(document: Any) -> list[tuple[str, str]]:
    """Places and messages of what is wrong; none if it is a ruleset. Any other exception comes through."""
    try:
        record = decode_ruleset(json.dumps(document).encode())
    except RulesetInvalid as invalid:
        return [(fault.path, fault.message) for fault in invalid.faults] or [("", "refused without a fault")]
    # What was decoded can be used, whatever it says.
    rules = Ruleset.of(record)
    for key in record.flags:
        flag = rules.flag(key)
        assert flag is not None
        flag.answer("user-7", {}, {})
    return []


def test_ruleset_survives_a_round_trip(document: dict[str, Any]) -> None:
    """Encoding what was decoded and decoding that gives the same value and the same bytes."""
    record = decode_ruleset(json.dumps(document).encode())
    assert record == decode_ruleset(encode_ruleset(record))
    assert encode_ruleset(record) == encode_ruleset(decode_ruleset(encode_ruleset(record)))


@given(data=st.data())
def test_any_ruleset_survives_a_round_trip(make: Any, anything: Any, data: st.DataObject) -> None:
    """Whatever records say, their JSON says too."""
    flag, segments = data.draw(anything.flag), data.draw(anything.segments)
    record = make.record(flag, segments=segments)
    try:
        encoded = encode_ruleset(record)
    except UnicodeEncodeError:  # a clause with a lone surrogate, which JSON in UTF-8 cannot hold
        return
    # msgspec writes infinities as null, and no author can have one.
    if b"null" not in encoded.replace(b'"variant":null', b"").replace(b'"split":null', b""):
        assert record == decode_ruleset(encoded)


@pytest.mark.parametrize("data", [b"", b"{", b"nonsense", b"\xff\xfe", b'{"epoch": 1', b"[" * 100_000, b'"\\ud800"'])
def test_decode_ruleset_refuses_what_is_no_json(data: bytes) -> None:
    """Bytes that are no JSON are one fault of the whole."""
    with pytest.raises(RulesetInvalid) as caught:
        decode_ruleset(data)
    assert [""] == [fault.path for fault in caught.value.faults]


@given(document=JSON)
def test_decode_ruleset_of_any_json_gives_faults_or_a_ruleset(document: Any) -> None:
    """Nothing but RulesetInvalid comes out of JSON that is something else."""
    assert faults_of(document)


@given(data=st.data())
def test_decode_ruleset_survives_any_change_of_a_part(
    vectors: Callable[[str], dict[str, Any]], data: st.DataObject
) -> None:
    """A good document with any part replaced or taken away is a ruleset or has faults with places."""
    document = vectors("evaluation")["ruleset"]
    part, step = document, data.draw(st.sampled_from(sorted(document)))
    while isinstance(part[step], dict | list) and part[step] and data.draw(st.booleans()):
        part = part[step]
        step = data.draw(st.sampled_from(sorted(part)) if isinstance(part, dict) else st.integers(0, len(part) - 1))
    if data.draw(st.booleans()):
        part[step] = data.draw(JSON)
    else:
        del part[step]
    assert all(path.startswith("/") or path == "" for path, _ in faults_of(document))


def test_decode_ruleset_names_every_place(document: dict[str, Any]) -> None:
    """Faults of several flags and of the whole come together, each with its JSON pointer."""
    document["flags"]["static"]["id"] = 1 << 24
    document["flags"]["targeted"]["rules"][1]["clauses"][0]["attribute"] = 5
    document["flags"]["a/b~c"] = {"key": "a/b~c"}
    document["segments"]["beta"]["members"] = [1]
    document["epoch"] = "late"
    assert [
        ("/flags/static/id", "Expected `int` <= 16777215"),
        ("/flags/targeted/rules/1/clauses/0/attribute", "Expected `str`, got `int`"),
        ("/flags/a~1b~0c", "Object missing required field `id`"),
        ("/segments/beta/members/0", "Expected `str`, got `int`"),
        ("/epoch", "Expected `int`, got `str`"),
    ] == faults_of(document)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("environment", None),
        ("environment", {"id": 1}),
        ("environment", {"id": 1 << 40, "key": "production", "salt": "s"}),
        ("epoch", -1),
        ("epoch", 1 << 24),
        ("revision", 1.5),
        ("flags", []),
        ("flags", {"static": None}),
        ("segments", 5),
        ("segments", {"s": []}),
        ("signers", []),
        ("signers", {"k1": {"id": "k1", "key": "A", "use": "dance"}}),
        ("signers", {"k1": {"id": "k1", "key": "A", "use": "kill", "until_s": "later"}}),
        ("revocations", {"t1": {"id": "t1", "until_s": None}}),
        ("reconciled", {"bg-1": {"until_s": 1}}),
    ],
)
def test_decode_ruleset_refuses_a_bad_part(document: dict[str, Any], part: str, value: Any) -> None:
    """What is not of its type or range is refused, and named."""
    document[part] = value
    faults = faults_of(document)
    assert faults
    assert all(path.startswith(f"/{part}") for path, _ in faults)


def test_decode_ruleset_refuses_a_record_under_another_key(document: dict[str, Any]) -> None:
    """The map's key is the record's own; else a delete would miss it."""
    document["flags"]["static"]["key"] = "other"
    assert [("/flags/static/key", "is 'other'; must be 'static', under which it stands")] == faults_of(document)


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("signers", {"id": "other", "key": "A", "use": "kill"}),
        ("revocations", {"id": "other", "until_s": 5}),
        ("reconciled", {"id": "other", "until_s": 5}),
    ],
)
def test_decode_ruleset_refuses_a_record_under_another_id(
    document: dict[str, Any], kind: str, record: dict[str, Any]
) -> None:
    """What is looked up by id stands under its id."""
    document[kind] = {"mine": record}
    assert [(f"/{kind}/mine/id", "is 'other'; must be 'mine', under which it stands")] == faults_of(document)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("prerequisites", [{"flag": "static"}]),
        ("prerequisites", [{"flag": "static", "variants": "on"}]),
        ("carry_max_age_s", 0),
        ("carry_max_age_s", 1.5),
        ("at", "sometime"),
        ("overridable", "yes"),
    ],
)
def test_decode_ruleset_refuses_a_bad_member_of_a_flag(document: dict[str, Any], member: str, value: Any) -> None:
    """Its place is named."""
    document["flags"]["static"][member] = value
    (fault,) = faults_of(document)
    assert fault[0].startswith(f"/flags/static/{member}")


def test_decode_ruleset_refuses_two_flags_of_one_id(document: dict[str, Any]) -> None:
    """A carried decision names a flag by id; it must name one."""
    document["flags"]["disabled"]["id"] = document["flags"]["static"]["id"]
    assert [("/flags/disabled/id", "is 1, which flag 'static' has")] == faults_of(document)


def test_decode_ruleset_reads_members_of_later_versions(document: dict[str, Any]) -> None:
    """Fields that this version does not know are passed over."""
    document["flags"]["static"]["layer"] = "checkout"
    document["layers"] = {}
    assert "static" in decode_ruleset(json.dumps(document).encode()).flags


def test_decode_ruleset_sets_aside_clauses_of_later_versions(document: dict[str, Any]) -> None:
    """An unknown op is kept as such, in rules of flags and of segments; a value that looks like one is left alone."""
    later = {"op": "cidr", "attribute": "ip", "value": "10.0.0.0/8"}
    document["segments"]["beta"]["rules"] = [[later]]
    document["flags"]["layout"]["variants"][0]["value"] = {"rules": [{"clauses": [later]}]}
    record = decode_ruleset(json.dumps(document).encode())
    assert (UnknownClause("moon_phase"),) == record.flags["later-op"].rules[0].clauses
    assert ((UnknownClause("cidr"),),) == record.segments["beta"].rules
    assert {"rules": [{"clauses": [later]}]} == record.flags["layout"].variants[0].value


def test_records_write_what_they_read(document: dict[str, Any]) -> None:
    """The encoded flag has the members that the format names, `serve` only the one that is set."""
    record = decode_ruleset(json.dumps(document).encode())
    written = msgspec.json.decode(encode_ruleset(record))
    assert document["flags"]["rollout"] == {
        key: value for key, value in written["flags"]["rollout"].items() if key in document["flags"]["rollout"]
    }
