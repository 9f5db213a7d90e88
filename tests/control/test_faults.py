"""Every fault of a document, at once, with its path; and nothing but faults, whatever was sent."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.control.edits import put_segment
from pennon.control.reading import FAULTS_LIMIT_COUNT
from pennon.errors import DocumentInvalid, Fault
from pennon.flags import BUCKETS

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "documents.md"

# Lone surrogates, NaN, huge numbers and the words of our own documents: what is most likely to be mistaken for valid.
WORDS = st.sampled_from(
    "key type unit variants value id rules clauses serve split weights variant weight coverage rest algo salt phase op "
    "attribute values compare negate segment on off fallthrough boolean equals in number semver m3-cbor user members "
    "1.0.0 < \ud800 \x00 : / ~".split(" ")
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((0, 50_000, 100_000))
    | st.floats()
    | st.text(max_size=3)
    | WORDS
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=2), inner, max_size=5),
    max_leaves=20,
)


def test_faults_are_those_of_every_vector(
    vectors: Callable[[str], list[dict[str, Any]]], faults_of: Callable[[str, object], list[str]]
) -> None:
    """All of them, in document order, word for word."""
    for case in vectors("faults.json"):
        assert case["faults"] == faults_of(case["kind"], case["document"]), case["what"]


def test_reference_shows_every_fault_of_the_vectors(vectors: Callable[[str], list[dict[str, Any]]]) -> None:
    """Authors find each message, as it is, in the documentation."""
    reference = REFERENCE.read_text()

    missing = [fault for case in vectors("faults.json") for fault in case["faults"] if fault not in reference]

    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["flag", "flag_patch", "settings_patch", "segment"])
@given(data=st.data())
@settings(max_examples=150)
def test_any_json_gives_an_edit_or_faults(kind: str, data: st.DataObject, new_desk: Callable[..., Any]) -> None:
    """Nothing that an author sends raises anything else, and every fault can be sent back as UTF-8, once per place."""
    desk = new_desk()
    document = data.draw(JSON | _with_a_part_replaced(_valid(kind)))
    faults = _faults_of(kind, desk, document, new_desk)
    assert len(faults) == len({fault.path for fault in faults}) <= FAULTS_LIMIT_COUNT
    assert all(str(fault).encode() for fault in faults)


@pytest.mark.parametrize("kind", ["flag", "flag_patch", "settings_patch", "segment"])
def test_a_document_nested_without_end_is_a_fault(kind: str, new_desk: Callable[..., Any]) -> None:
    """A hostile document does not exhaust the stack."""
    document: Any = {}
    for _ in range(100_000):
        document = {"rules": [document]}

    with pytest.raises(DocumentInvalid, match="nested deeper"):
        _send(kind, new_desk(), document, new_desk)


def test_faults_of_a_hostile_document_are_bounded(new_desk: Callable[..., Any]) -> None:
    """Ten thousand faults are not told one by one."""
    with pytest.raises(DocumentInvalid) as raised:
        new_desk().patch({f"member-{i}": i for i in range(10_000)})

    assert FAULTS_LIMIT_COUNT == len(raised.value.faults)


@pytest.mark.parametrize("total", [0, BUCKETS - 1, BUCKETS + 1])
def test_weights_that_do_not_sum_to_the_whole_are_a_fault(total: int, desk: Any) -> None:
    """Also by one, in either direction."""
    weights = [{"variant": "on", "weight": total // 2}, {"variant": "off", "weight": total - total // 2}]

    with pytest.raises(DocumentInvalid, match=f"weights sum to {total}, must be 100000"):
        desk.patch({"fallthrough": {"variant": None, "split": {"weights": weights, "coverage": 1}}})


@pytest.mark.parametrize("key", ["a", "0", "a.b-c_d", "a" * 64])
def test_a_key_within_the_grammar_is_accepted(key: str, new_desk: Callable[..., Any]) -> None:
    """The shortest, the longest, and every sign."""
    assert key == new_desk(_valid("flag") | {"key": key}).flag.document.key


@pytest.mark.parametrize("key", ["", "-a", "_a", ".a", "A", "ä", "a b", "a/b", "a" * 65, "a\n", "a\x00"])
def test_a_key_outside_the_grammar_is_a_fault(key: str, new_desk: Callable[..., Any]) -> None:
    """One sign too many, a capital, a line end."""
    with pytest.raises(DocumentInvalid, match="/key: "):
        new_desk(_valid("flag") | {"key": key})


def _valid(kind: str) -> dict[str, Any]:
    weights = [{"variant": "on", "weight": 60_000}, {"variant": "off", "weight": 40_000}]
    clauses: list[dict[str, Any]] = [
        {"op": "equals", "attribute": "plan", "value": "pro", "negate": True},
        {"op": "in", "attribute": "country", "values": ["se", 7, True]},
        {"op": "suffix", "attribute": "email", "value": "@example.org"},
        {"op": "number", "attribute": "age", "compare": ">=", "value": 18},
        {"op": "semver", "attribute": "app", "compare": "<", "value": "2.0.0-rc.1"},
        {"op": "present", "attribute": "beta"},
    ]
    split = {"weights": weights, "coverage": 25_000, "rest": "off", "algo": "m3-utf8", "salt": "s"}
    documents: dict[str, dict[str, Any]] = {
        "flag": {
            "key": "checkout",
            "type": "boolean",
            "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
        },
        "flag_patch": {
            "description": "new",
            "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
        },
        "settings_patch": {
            "off": "on",
            "rules": [
                {"id": "r1", "clauses": clauses, "serve": {"split": split}},
                {"id": "r2", "clauses": [{"op": "segment", "segment": "beta"}], "serve": {"variant": "on"}},
            ],
            "fallthrough": {"variant": None, "split": {"weights": weights, "coverage": 0}},
        },
        "segment": {"key": "beta", "members": ["7", "8"], "rules": [{"clauses": clauses}]},
    }
    return documents[kind]


def _faults_of(kind: str, desk: Any, document: Any, new_desk: Callable[..., Any]) -> tuple[Fault, ...]:
    try:
        _send(kind, desk, document, new_desk)
    except DocumentInvalid as error:
        return error.faults
    return ()


def _send(kind: str, desk: Any, document: Any, new_desk: Callable[..., Any]) -> None:
    if kind == "flag":
        # None would be the desk's own flag.
        new_desk([] if document is None else document or [0])
    elif kind == "flag_patch":
        desk.patch_flag(document)
    elif kind == "settings_patch":
        desk.patch(document)
    else:
        put_segment("beta", document, None, revision=1, draw=desk.draw)


@st.composite
def _with_a_part_replaced(draw: st.DrawFn, document: Any) -> Any:
    """The document in which one part, somewhere, is any JSON."""
    if isinstance(document, dict) and document and draw(st.integers(0, 5)):
        name = draw(st.sampled_from(sorted(document)))
        return document | {name: draw(_with_a_part_replaced(document[name]))}
    if isinstance(document, list) and document and draw(st.integers(0, 5)):
        i = draw(st.integers(0, len(document) - 1))
        return [*document[:i], draw(_with_a_part_replaced(document[i])), *document[i + 1 :]]
    return draw(JSON)
