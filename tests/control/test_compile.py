"""Records: what was accepted can be used, and equal documents give equal records."""

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.context import Environment, ErrorCode, Reason
from pennon.control import FlagDocument, SettingsDocument, edits
from pennon.control.compile import compile_flag
from pennon.flags import FlagRecord, Ruleset, RulesetRecord, SegmentRecord

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=5)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = TEXTS | NUMBERS | st.booleans()
COMPARISONS = st.sampled_from(("=", "<", "<=", ">", ">="))
CLAUSES = st.one_of(
    st.fixed_dictionaries({"op": st.just("equals"), "attribute": TEXTS, "value": SCALARS}),
    st.fixed_dictionaries(
        {"op": st.just("in"), "attribute": TEXTS, "values": st.lists(SCALARS, min_size=1, max_size=3)}
    ),
    st.fixed_dictionaries(
        {"op": st.sampled_from(("prefix", "suffix", "contains")), "attribute": TEXTS, "value": TEXTS}
    ),
    st.fixed_dictionaries({"op": st.just("number"), "attribute": TEXTS, "compare": COMPARISONS, "value": NUMBERS}),
    st.fixed_dictionaries(
        {
            "op": st.just("semver"),
            "attribute": TEXTS,
            "compare": COMPARISONS,
            "value": st.sampled_from(("1.0.0", "2.0.0-rc.1")),
        }
    ),
    st.fixed_dictionaries({"op": st.just("present"), "attribute": TEXTS, "negate": st.booleans()}),
    st.fixed_dictionaries({"op": st.just("segment"), "segment": st.just("beta")}),
)
VARIANTS = st.sampled_from(("on", "off"))


@st.composite
def serves(draw: st.DrawFn, *, salt: str) -> dict[str, Any]:
    """What a rule may serve."""
    if draw(st.booleans()):
        return {"variant": draw(VARIANTS), "split": None}
    share = draw(st.integers(0, 100_000))
    weights = [{"variant": "on", "weight": share}, {"variant": "off", "weight": 100_000 - share}]
    algo = draw(st.sampled_from(("m3-cbor", "m3-utf8")))
    split = {"weights": weights, "coverage": draw(st.integers(0, 100_000)), "salt": salt, "algo": algo}
    return {"variant": None, "split": split | draw(st.sampled_from(({}, {"rest": "on"})))}


@st.composite
def patches(draw: st.DrawFn) -> dict[str, Any]:
    """Settings that are right."""
    rules = [
        {
            "id": f"r{i}",
            "clauses": draw(st.lists(CLAUSES, min_size=1, max_size=3)),
            "serve": draw(serves(salt=f"salt-{i}")),
        }
        for i in range(draw(st.integers(0, 3)))
    ]
    return {
        "on": draw(st.booleans()),
        "off": draw(VARIANTS),
        "rules": rules,
        "fallthrough": draw(serves(salt="salt-rest")),
    }


@given(patch=patches(), attributes=st.dictionaries(TEXTS, SCALARS, max_size=3), unit=st.none() | TEXTS)
@settings(max_examples=150)
def test_what_is_accepted_can_be_evaluated(
    patch: dict[str, Any], attributes: dict[str, Any], unit: str | None, new_desk: Callable[..., Any]
) -> None:
    """Nothing that passes the checks is a flag that a replica finds unusable."""
    desk = new_desk()
    desk.patch(patch)
    segment = edits.put_segment("beta", {"members": ["7"]}, None, revision=3, draw=desk.draw)
    assert segment is not None

    answer = _ruleset(desk.outcome.record, segment.record).answer(unit, attributes, {})

    assert answer.error in {None, ErrorCode.TARGETING_KEY_MISSING}
    assert patch["on"] or answer.reason is Reason.DISABLED


@given(patch=patches())
@settings(max_examples=100)
def test_equal_documents_give_equal_records(patch: dict[str, Any], new_desk: Callable[..., Any]) -> None:
    """The record is a function of the documents, also after they have been kept as JSON."""
    desk = new_desk()
    desk.patch(patch)
    flag = FlagDocument.model_validate_json(desk.flag.document.model_dump_json())
    kept = SettingsDocument.model_validate_json(desk.settings.model_dump_json())

    assert desk.outcome.record == compile_flag(flag, kept)


@given(patch=patches())
@settings(max_examples=100)
def test_records_survive_their_json(patch: dict[str, Any], new_desk: Callable[..., Any]) -> None:
    """What is read back from the store is what was compiled."""
    desk = new_desk()
    desk.patch(patch)

    assert desk.outcome.record == msgspec.json.decode(msgspec.json.encode(desk.outcome.record), type=FlagRecord)


def test_carry_is_true_where_a_split_is_served(desk: Any, split_of: Any, rule_of: Any) -> None:
    """In the fallthrough or in a rule, unless the author says otherwise."""
    assert not desk.outcome.record.carry
    assert desk.patch({"rules": [rule_of("r1", split_of())]}).record.carry
    assert not desk.patch_flag({"carry": False}).outcomes[0].record.carry
    assert desk.patch_flag({"carry": None}).outcomes[0].record.carry
    assert not desk.patch({"rules": []}).record.carry
    assert desk.patch_flag({"carry": True}).outcomes[0].record.carry


def test_rest_is_the_off_variant_unless_named(desk: Any, split_of: Any) -> None:
    """Also when the off variant changes later."""
    assert "off" == desk.patch({"fallthrough": split_of()}).record.fallthrough.split.rest
    assert "on" == desk.patch({"off": "on"}).record.fallthrough.split.rest
    assert "off" == desk.patch({"fallthrough": {"split": {"rest": "off"}}}).record.fallthrough.split.rest


def test_ranges_are_the_covered_parts_of_the_slots(desk: Any, split_of: Any) -> None:
    """A tenth of each half."""
    record = desk.patch({"fallthrough": split_of(10_000)}).record

    assert (("on", 0, 5_000), ("off", 50_000, 55_000)) == record.fallthrough.split.ranges


def test_a_float_flag_serves_floats(new_desk: Callable[..., Any]) -> None:
    """An author may write 1 for 1.0; the caller of `float` gets a float."""
    record = new_desk({"key": "f", "type": "float", "variants": [{"key": "one", "value": 1}]}).outcome.record

    assert "1.0" == repr(record.variants[0].value)


def test_a_segment_lists_hashes_in_order(desk: Any) -> None:
    """Members in clear do not leave the store."""
    made = edits.put_segment("beta", {"members": ["eve", "anna"]}, None, revision=1, draw=desk.draw)
    assert made is not None

    assert list(made.record.members) == sorted(made.record.members)
    assert not {"anna", "eve"} & set(made.record.members)


def _ruleset(record: FlagRecord, segment: SegmentRecord) -> Any:
    environment = Environment(1, "production", "salt")
    whole = RulesetRecord(environment, 1, 9, flags={record.key: record}, segments={segment.key: segment})
    return Ruleset.of(whole).flag(record.key)
