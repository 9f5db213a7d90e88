"""What flags answer: the vectors; any flag and any input; explanations."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Answer, ErrorCode, Origin, Reason
from pennon.flags import (
    EqualsClause,
    Explanation,
    FlagType,
    NumberClause,
    Outcome,
    RuleRecord,
    Ruleset,
    SegmentClause,
    SegmentRecord,
    ServeRecord,
    VariantRecord,
    bucket_of,
    decode_ruleset,
    member_hash,
)
from pennon.flags.records import Comparison

NOT_CONSTANT = ("targeted", "always", "both", "rollout", "arms", "rule-split", "by-account", "in-beta")


@pytest.fixture(scope="module")
def vector_rules(vectors: Callable[[str], dict[str, Any]]) -> Ruleset:
    """The ruleset of the evaluation vectors. Their segments hold a lone surrogate only as a hash."""
    return Ruleset.of(decode_ruleset(msgspec.json.encode(vectors("evaluation")["ruleset"])))


def as_vector(answer: Answer) -> dict[str, Any]:
    """An answer as the vectors write it."""
    origin = None if answer.origin is None else answer.origin.name.lower()
    fields = {name: getattr(answer, name) for name in ("value", "variant", "variant_id", "rule", "revision")}
    return {**fields, "reason": answer.reason.value, "origin": origin, "error": answer.error}


def test_flags_fulfil_the_vectors(vectors: Callable[[str], dict[str, Any]], vector_rules: Ruleset) -> None:
    """Every flag answers exactly as its vector says, kills over it included."""
    for case in vectors("evaluation")["cases"]:
        kills = {int(flag_id): revision for flag_id, revision in case.get("kills", {}).items()}
        flag = vector_rules.with_kills(kills).flag(case["flag"])
        if flag is None:
            assert case["answer"] is None, case["name"]
            continue
        answer = flag.answer(case["unit_key"], case["attributes"], case["units"])
        assert case["answer"] == as_vector(answer), case["name"]
        assert answer.flag == case["flag"]
        assert case.get("floor", flag.floor) == flag.floor, case["name"]


def test_flags_answer_values_of_their_type(vector_rules: Ruleset) -> None:
    """A float flag's integer is served as a float, so that a typed call gets what it asks for."""
    ratio = vector_rules.flag("ratio")
    assert ratio is not None
    assert "1.0" == repr(ratio.answer(None, {}, {}).value)


def test_flag_is_constant_exactly_where_it_looks_at_nothing(vector_rules: Ruleset) -> None:
    """A caller may take `constant` and leave unit and attributes alone."""
    varying = [key for key in vector_rules.records if (flag := vector_rules.flag(key)) and flag.constant is None]
    assert list(NOT_CONSTANT) == varying


def test_flag_fault_names_flag_and_trouble(vector_rules: Ruleset) -> None:
    """Whoever reads the fault knows which flag, what was found and what is allowed."""
    faults = {key: flag.fault for key in vector_rules.records if (flag := vector_rules.flag(key)) and flag.fault}
    assert "flag 'broken-variant': rule 'r1': variant 'gone' is not one of ['off', 'on']" == faults["broken-variant"]
    assert "flag 'broken-segment': rule 'r1': segment 'gone' does not exist" == faults["broken-segment"]
    assert "flag 'broken-algo': split: algo 'sha1' is not one of m3-cbor, m3-utf8" == faults["broken-algo"]
    assert "flag 'later-op': rule 'r1': clause op 'moon_phase' is not one that this version knows" == faults["later-op"]
    broken = {key for key in vector_rules.records if key.startswith("broken")} | {"later-op", "nested-segment"}
    # What a kill or an off flag leaves alone is not looked at.
    assert broken - {"broken-variant-killed", "broken-variant-disabled"} == faults.keys()


@given(data=st.data())
def test_answer_is_total(make: Any, anything: Any, data: st.DataObject) -> None:
    """Any flag answers any input, and the answer is one of its variants or an error, never both."""
    flag = make.compiled(data.draw(anything.flag), *data.draw(anything.segments))
    answer = flag.answer(data.draw(anything.unit_key), data.draw(anything.attributes), data.draw(anything.units))
    if answer.reason is Reason.ERROR:
        assert (None, None, None) == (answer.value, answer.variant, answer.origin)
        assert answer.error is not None
    else:
        variant = flag.variant_by_id(answer.variant_id)
        assert (variant.key, variant.value, None) == (answer.variant, answer.value, answer.error)
        assert answer.origin is not None


@given(data=st.data())
def test_explain_is_total_and_agrees(make: Any, anything: Any, data: st.DataObject) -> None:
    """An explanation gives the very answer, and the rule that holds in it is the answer's."""
    flag = make.compiled(data.draw(anything.flag), *data.draw(anything.segments))
    key, attributes = data.draw(anything.unit_key), data.draw(anything.attributes)
    units = data.draw(anything.units)
    explanation = flag.explain(key, attributes, units)
    answer = flag.answer(key, attributes, units)
    assert answer is explanation.answer
    held = [trace.rule for trace in explanation.rules if trace.holds]
    assert len(held) <= 1
    if answer.rule is not None:
        assert [answer.rule] == held


@given(data=st.data())
def test_answer_is_the_same_every_time(make: Any, anything: Any, data: st.DataObject) -> None:
    """Two compilations of one record agree, and so does asking twice."""
    record, segments = data.draw(anything.flag), data.draw(anything.segments)
    ask = (data.draw(anything.unit_key), data.draw(anything.attributes), data.draw(anything.units))
    one, other = make.compiled(record, *segments), make.compiled(record, *segments)
    assert one.answer(*ask) == one.answer(*ask)
    # repr: Hypothesis may draw values that refuse to be compared.
    assert repr(one.answer(*ask)) == repr(other.answer(*ask))


def test_answer_survives_a_mapping_that_raises(make: Any, hostile_mapping: Mapping[str, Any]) -> None:
    """Attributes that cannot be read are an error answer, not an exception."""
    for clauses in ((EqualsClause("x", "a"),), (EqualsClause("x", "a"), EqualsClause("y", "a"))):
        flag = make.compiled(make.gate(*clauses))
        assert ErrorCode.GENERAL == flag.answer("user-7", hostile_mapping, {}).error
        assert ErrorCode.GENERAL == flag.explain("user-7", hostile_mapping, {}).answer.error


@pytest.mark.parametrize("key", [7, b"user-7", 1.5, True, ["user-7"], object()])
def test_answer_of_a_key_that_is_no_text_is_an_error(make: Any, key: Any) -> None:
    """A key of another type is not guessed into a bucket."""
    flag = make.compiled(make.flag(fallthrough=make.split()))
    assert ErrorCode.GENERAL == flag.answer(key, {}, {}).error


@pytest.mark.parametrize("negate", [False, True])
@pytest.mark.parametrize("kind", ["user", "account"])
def test_segment_takes_a_unit_that_is_no_text_as_none(make: Any, kind: str, *, negate: bool) -> None:
    """A key of another type is neither listed nor not, of whatever kind."""
    segment = SegmentRecord("s", kind, "s", (member_hash("s", "7"),))
    flag = make.compiled(make.gate(SegmentClause("s", negate=negate)), segment)
    assert Reason.DEFAULT == flag.answer(7, {}, {"account": 7}).reason


def test_segment_survives_units_that_raise(make: Any, hostile_mapping: Mapping[str, Any]) -> None:
    """Units that cannot be read are an error answer, not an exception."""
    segment = SegmentRecord("s", "account", "s", (member_hash("s", "acme"),))
    flag = make.compiled(make.gate(SegmentClause("s")), segment)
    assert ErrorCode.GENERAL == flag.answer("user-7", {}, hostile_mapping).error


def test_variants_of_one_key_make_a_flag_unusable(make: Any) -> None:
    """Nobody can say which of them a rule means."""
    twins = (VariantRecord("off", 1, value=True), VariantRecord("off", 2, value=False))
    assert "flag 'f': two variants have one key or one id" == make.compiled(make.flag(variants=twins)).fault


def test_answers_are_built_once(make: Any) -> None:
    """Equal answers are one object: evaluating builds nothing."""
    flag = make.compiled(make.flag(fallthrough=make.split()))
    assert flag.answer("user-7", {}, {}) is flag.answer("user-8", {}, {})


def test_scope_tells_floors_environments_and_kinds_apart(make: Any) -> None:
    """The ledger's key changes with everything that makes a decision another one."""
    record = make.record(make.flag(void_before=3))
    bases = [
        record,
        msgspec.structs.replace(record, epoch=8),
        msgspec.structs.replace(record, environment=msgspec.structs.replace(make.environment, id=9)),
        make.record(make.flag(void_before=4)),
        make.record(make.flag(void_before=3, unit="account")),
        make.record(make.flag(void_before=3, id=2)),
    ]
    rulesets = [*map(Ruleset.of, bases), Ruleset.of(record).with_kills({1: 5})]
    keys = {flag.scope.key for rules in rulesets if (flag := rules.flag("f"))}
    assert len(rulesets) == len(keys)


def test_scope_says_what_the_record_says(make: Any) -> None:
    """Floor, kind, id, epoch and carry come from record and ruleset."""
    flag = make.compiled(make.flag(id=5, unit="account", void_before=9, carry=True))
    scope = flag.scope
    assert (make.environment, 7, 5, "account", 9, True) == (
        scope.environment,
        scope.epoch,
        scope.flag_id,
        scope.unit_kind,
        scope.floor,
        scope.carry,
    )


def test_explain_says_how_each_clause_came_out(make: Any) -> None:
    """A clause that compared and failed is told from one that had nothing to compare."""
    plan, age = EqualsClause("plan", "pro"), NumberClause("age", Comparison.AT_LEAST, 18)
    rules = (RuleRecord("r1", (plan, age), ServeRecord("on")), RuleRecord("r2", (age,), ServeRecord("on")))
    explanation = make.compiled(make.flag(rules=rules)).explain("user-7", {"age": 17}, {})
    seen = [(rule.rule, rule.holds, [clause.outcome for clause in rule.clauses]) for rule in explanation.rules]
    assert [("r1", False, [Outcome.NOT_COMPARABLE, Outcome.FAILS]), ("r2", False, [Outcome.FAILS])] == seen


def test_explain_stops_at_the_rule_that_holds(make: Any) -> None:
    """Rules after it were not asked, and its split's bucket is shown."""
    rules = (RuleRecord("r1", (), make.split()), RuleRecord("r2", (), ServeRecord("on")))
    explanation = make.compiled(make.flag(rules=rules)).explain("user-7", {}, {})
    assert ["r1"] == [rule.rule for rule in explanation.rules]
    assert bucket_of("m3-cbor", "s", "user-7") == explanation.bucket


def test_explain_of_a_killed_flag_shows_no_rules(make: Any) -> None:
    """A kill stands above all rules."""
    flag = make.compiled(make.gate(EqualsClause("x", "a"), killed=True))
    assert Explanation(flag.off_answer) == flag.explain("user-7", {"x": "a"}, {})


def test_explain_of_an_unusable_flag_says_why(make: Any) -> None:
    """The fault stands in the explanation."""
    flag = make.compiled(make.flag(fallthrough=ServeRecord("gone")))
    assert flag.fault == flag.explain("user-7", {}, {}).fault


def test_off_answer_is_ready_on_a_live_flag(make: Any) -> None:
    """Judging serves it for a carried kill, before the replica knows."""
    off = make.compiled(make.flag(fallthrough=ServeRecord("on"), revision=6)).off_answer
    assert ("off", Reason.KILLED, Origin.KILL, 6) == (off.variant, off.reason, off.origin, off.revision)


def test_variants_are_found_by_id_also_on_an_unusable_flag(make: Any) -> None:
    """A carried decision can still be judged where a rule is broken."""
    flag = make.compiled(make.flag(fallthrough=ServeRecord("gone")))
    assert "on" == flag.variant_by_id(1).key
    assert flag.variant_by_id(99) is None


@pytest.mark.parametrize(
    ("flag_type", "good", "bad"),
    [
        (FlagType.BOOLEAN, [True, False], [1, "true", None, 0.0]),
        (FlagType.STRING, ["", "a"], [1, None, True, ["a"]]),
        (FlagType.INTEGER, [0, -1, 10**12], [1.0, True, "1", None]),
        (FlagType.FLOAT, [0.5, 1, -0.0], [True, "0.5", None, 2**53 + 1]),
        (FlagType.JSON, [None, 1, "a", [1], {"a": None}], []),
    ],
)
def test_variant_values_are_of_the_flags_type(make: Any, flag_type: FlagType, good: list[Any], bad: list[Any]) -> None:
    """A value of another type makes the flag unusable; nothing is coerced but an integer of a float flag."""
    for value, expected in [*((value, True) for value in good), *((value, False) for value in bad)]:
        flag = make.compiled(make.flag(type=flag_type, variants=(VariantRecord("off", 1, value),)))
        assert expected is (flag.fault is None), value
