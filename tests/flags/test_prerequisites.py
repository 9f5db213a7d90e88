"""Flags that need others: the vectors, any graph against a plain recursive reading of the rules, and hostile depths."""

import json
import sys
from collections import UserDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.context import Answer, ErrorCode, Origin, Reason
from pennon.flags import (
    EqualsClause,
    Flag,
    FlagRecord,
    PrerequisiteRecord,
    PresentClause,
    Prior,
    Put,
    RuleRecord,
    Ruleset,
    RulesetRecord,
    SegmentClause,
    SegmentRecord,
    ServeRecord,
    decode_ruleset,
)
from pennon.flags.prerequisites import needed_by

VECTORS = json.loads(
    (Path(__file__).parents[1] / "conformance" / "vectors" / "prerequisites.json").read_text(encoding="utf-8")
)
KEYS = tuple(f"f{at}" for at in range(6))
USERS, ACCOUNTS = ("user-1", "user-2"), ("acc-1", "acc-2")


@pytest.fixture(scope="module")
def vector_rules() -> Ruleset:
    """The ruleset of the vectors."""
    return Ruleset.of(decode_ruleset(msgspec.json.encode(VECTORS["ruleset"])))


def as_vector(answer: Answer) -> dict[str, Any]:
    """An answer as the vectors write it."""
    origin = None if answer.origin is None else answer.origin.name.lower()
    fields = {name: getattr(answer, name) for name in ("value", "variant", "variant_id", "rule", "revision")}
    return {**fields, "reason": answer.reason.value, "origin": origin, "error": answer.error}


def prior_of(held: Mapping[tuple[str, str | None], str]) -> Prior:
    """What holds these variants, by flag and unit."""

    def prior(flag: Flag, unit_key: str | None) -> Answer | None:
        variant = held.get((flag.key, unit_key))
        if variant is None:
            return None
        return Answer(flag.key, None, variant, 1, Reason.CARRIED, Origin.SPLIT, None, 1)

    return prior


def needing(make: Any, key: str, *needs: tuple[str, tuple[str, ...]], **over: Any) -> FlagRecord:
    """A flag that is on where all that it needs holds; its id comes from its key's number."""
    number = int(key.removeprefix("f")) if key.removeprefix("f").isdigit() else 99
    prerequisites = tuple(PrerequisiteRecord(flag, variants) for flag, variants in needs)
    whole: dict[str, Any] = {"id": number, "fallthrough": ServeRecord("on"), "prerequisites": prerequisites, **over}
    record: FlagRecord = make.flag(key, **whole)
    return record


def flag_in(rules: Ruleset, key: str) -> Flag:
    """The flag that must be there."""
    flag = rules.flag(key)
    assert flag is not None
    return flag


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_prerequisites_fulfil_the_vectors(vector_rules: Ruleset, case: dict[str, Any]) -> None:
    """Answer, effective floor, and which of its own prerequisites do not hold."""
    kills = {int(flag_id): revision for flag_id, revision in case.get("kills", {}).items()}
    flag = flag_in(vector_rules.with_kills(kills), case["flag"])
    prior = prior_of({(key, unit): variant for key, unit, variant in case.get("prior", [])})
    ask = (case["unit_key"], case["attributes"], case["units"])
    assert case["answer"] == as_vector(flag.answer_with(prior, *ask))
    assert case["floor"] == flag.floor == flag.scope.floor
    if "prior" not in case:
        explanation = flag.explain(*ask)
        assert case["answer"] == as_vector(flag.answer(*ask)) == as_vector(explanation.answer)
        assert case["failed"] == [trace.flag for trace in explanation.prerequisites if not trace.holds]


def test_vectors_need_the_engine(vector_rules: Ruleset) -> None:
    """Without their prerequisites the flags of the vectors would answer something else in most of the cases."""
    records = {key: msgspec.structs.replace(r, prerequisites=()) for key, r in vector_rules.records.items()}
    bare = Ruleset.of(RulesetRecord(vector_rules.environment, 1, 43, flags=records, segments={**vector_rules.segments}))
    differing = [
        case["name"]
        for case in VECTORS["cases"]
        if case["answer"]["variant"]
        != flag_in(bare, case["flag"]).answer(case["unit_key"], case["attributes"], case["units"]).variant
    ]
    assert len(differing) >= 35


# The second reading of the rules: recursive, on records, knowing nothing of gates and orders.


class Reference:
    """What flags answer, worked out the slow way: as variant keys, None for an error."""

    def __init__(self, make: Any, record: RulesetRecord, kills: Mapping[int, int]) -> None:
        self.flags, self.kills = record.flags, kills
        alone = {key: msgspec.structs.replace(flag, prerequisites=()) for key, flag in record.flags.items()}
        self.alone = Ruleset.of(msgspec.structs.replace(record, flags=alone)).with_kills(kills)
        reached = {key: {each.flag for each in flag.prerequisites} for key, flag in record.flags.items()}
        for _ in reached:
            for keys in reached.values():
                keys |= {far for near in keys & reached.keys() for far in reached[near]}
        self.reached = reached

    def floor(self, key: str) -> int:
        """The greatest void_before and overlay revision over the flag and all that it reaches."""
        on_the_way = [self.flags[each] for each in {key, *self.reached[key]} if each in self.flags]
        return max(max(flag.void_before, self.kills.get(flag.id, 0)) for flag in on_the_way)

    def variant(
        self, key: str, unit: str | None, context: Any, held: Mapping[Any, str], *, is_asked: bool = True
    ) -> str | None:
        """The variant of one flag. is_asked: it is the one that was asked for, about which no prior is consulted."""
        flag = self.flags[key]
        attributes, units = context
        if flag.killed or flag.id in self.kills:
            return flag.off
        if not is_asked and (key, unit) in held:
            return held[key, unit]
        if not flag.on:
            return flag.off
        if key in self.reached[key] or any(not self._has(each) for each in flag.prerequisites):
            return None
        for each in flag.prerequisites:
            if each.flag not in self.flags:
                return flag.off
            whom = units.get(self.flags[each.flag].unit)
            if self.variant(each.flag, whom, context, held, is_asked=False) not in each.variants:
                return flag.off
        return flag_in(self.alone, key).answer(unit, attributes, units).variant

    def _has(self, each: PrerequisiteRecord) -> bool:
        needed = self.flags.get(each.flag)
        return needed is None or {variant.key for variant in needed.variants}.issuperset(each.variants)


@st.composite
def graphs(draw: st.DrawFn, make: Any) -> RulesetRecord:
    """Six flags that need one another somehow: circles, diamonds, flags that are not there."""
    variants = st.sets(st.sampled_from(["on", "on", "off", "gone"]), min_size=1, max_size=2).map(sorted).map(tuple)
    if draw(st.booleans()):
        variants = st.just(("on",))
    flags = []
    for at, key in enumerate(KEYS):
        # Mostly later ones need earlier ones, so that not everything is a circle.
        others = KEYS[:at] if draw(st.integers(0, 3)) and at else (*KEYS, "nowhere")
        needs = draw(st.lists(st.tuples(st.sampled_from(others), variants), max_size=3))
        fallthrough = draw(st.sampled_from([ServeRecord("on"), ServeRecord("off"), make.split(coverage=50_000)]))
        rules = (RuleRecord("r1", (EqualsClause("x", at % 2),), ServeRecord("on")),) if draw(st.booleans()) else ()
        flags.append(
            needing(
                make,
                key,
                *needs,
                fallthrough=fallthrough if rules or draw(st.booleans()) else ServeRecord("on"),
                rules=rules,
                unit=draw(st.sampled_from(["user", "user", "account"])),
                on=draw(st.integers(0, 5)) > 0,
                killed=draw(st.integers(0, 7)) == 0,
                void_before=draw(st.integers(0, 20)),
                revision=draw(st.integers(0, 20)),
            )
        )
    record: RulesetRecord = make.record(*flags)
    return record


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_graph_answers_as_the_rules_read(make: Any, data: st.DataObject) -> None:
    """Every flag of any graph answers what the recursive reading says, with any prior and any kills."""
    record = data.draw(graphs(make))
    kills = data.draw(st.dictionaries(st.integers(0, 6), st.integers(1, 30), max_size=2))
    rules, reference = Ruleset.of(record).with_kills(kills), Reference(make, record, kills)
    units = {"user": data.draw(st.sampled_from(USERS)), "account": data.draw(st.sampled_from(ACCOUNTS))}
    places = st.tuples(st.sampled_from(KEYS), st.sampled_from([*USERS, *ACCOUNTS]))
    held: dict[Any, str] = data.draw(st.dictionaries(places, st.sampled_from(["on", "off"]), max_size=4))
    attributes = data.draw(st.sampled_from([{}, {"x": 0}, {"x": 1}]))
    for key in data.draw(st.permutations(KEYS)):
        flag = flag_in(rules, key)
        unit = units[flag.unit_kind]
        expected = reference.variant(key, unit, (attributes, units), held)
        assert expected == flag.answer_with(prior_of(held), unit, attributes, units).variant
        assert reference.variant(key, unit, (attributes, units), {}) == flag.answer(unit, attributes, units).variant
        assert reference.floor(key) == flag.floor
        assert {*reference.reached[key]} - {key} == {*flag.prerequisites}
        assert (key in reference.reached[key] and flag.constant is None) is False


@settings(deadline=None)
@given(data=st.data())
def test_answer_is_total_whatever_it_needs(make: Any, anything: Any, data: st.DataObject) -> None:
    """Any input and a prior that raises are an answer or an error, never an exception."""
    record = data.draw(graphs(make))
    rules = Ruleset.of(record)
    ask = (data.draw(anything.unit_key), data.draw(anything.attributes), data.draw(anything.units))

    def hostile(_flag: Flag, _unit_key: str | None) -> Answer | None:
        raise RuntimeError

    for key in KEYS:
        flag = flag_in(rules, key)
        answers = (flag.answer(*ask), flag.answer_with(hostile, *ask), flag.explain(*ask).answer)
        assert all(answer.origin is not None or answer.error is not None for answer in answers)


def test_answer_survives_mappings_that_raise(make: Any, hostile_mapping: Mapping[str, Any]) -> None:
    """Attributes or units that cannot be read are an error of the flag that reads them, and so what it gates is off."""
    gate = make.gate(EqualsClause("x", "a"), key="f0", id=0)
    flag = flag_in(Ruleset.of(make.record(gate, needing(make, "f1", ("f0", ("on",))))), "f1")
    assert Reason.DISABLED is flag.answer("user-1", hostile_mapping, {}).reason

    class Units(UserDict[str, str]):
        def __iter__(self) -> Any:
            raise RuntimeError

    assert ErrorCode.GENERAL is flag.answer("user-1", {}, Units(user="u")).error


def test_prior_is_asked_once_about_each_and_never_about_a_killed_one(make: Any) -> None:
    """A diamond's end is asked about once; a kill stands above everything a ledger may hold."""
    flags = [
        needing(make, "f0"),
        needing(make, "f1", ("f0", ("on",))),
        needing(make, "f2", ("f0", ("on",)), unit="account"),
        needing(make, "f3", killed=True),
        needing(make, "f4", ("f1", ("on",)), ("f2", ("on",)), ("f3", ("off",))),
    ]
    asked: list[tuple[str, str | None]] = []

    def prior(flag: Flag, unit_key: str | None) -> Answer | None:
        asked.append((flag.key, unit_key))
        return None

    answer = flag_in(Ruleset.of(make.record(*flags)), "f4").answer_with(prior, "u", {}, {"account": "a"})
    assert "on" == answer.variant
    assert [("f0", "u"), ("f1", "u"), ("f2", "a")] == sorted(asked)


def test_flag_without_prerequisites_asks_no_prior_and_runs_no_gate(make: Any) -> None:
    """The hot path of a flag that needs nothing is what it was."""
    flag = make.compiled(make.flag(fallthrough=make.split()))

    def prior(_flag: Flag, _unit_key: str | None) -> Answer | None:
        raise AssertionError

    assert flag.answer("u", {}, {}) is flag.answer_with(prior, "u", {}, {})
    assert ((), None) == (flag.prerequisites, flag.gate)


def test_flag_that_needs_others_is_not_static(make: Any) -> None:
    """Who gets a STATIC answer may keep it; this one hangs on another flag."""
    rules = Ruleset.of(make.record(needing(make, "f0"), needing(make, "f1", ("f0", ("on",)))))
    flag = flag_in(rules, "f1")
    assert (Reason.DEFAULT, None) == (flag.answer(None, {}, {}).reason, flag.constant)
    assert Reason.STATIC is flag_in(rules, "f0").answer(None, {}, {}).reason


@pytest.mark.slow
def test_chain_of_a_thousand_is_answered_without_depth(make: Any) -> None:
    """A chain beyond the recursion limit answers, first use and all, and breaks where its end does."""
    count = sys.getrecursionlimit() + 100
    chain = [needing(make, f"f{at}", *([(f"f{at - 1}", ("on",))] if at else [])) for at in range(count)]
    last = flag_in(Ruleset.of(make.record(*chain)), f"f{count - 1}")
    assert "on" == last.answer("u", {}, {}).variant
    assert "off" == last.answer_with(prior_of({("f0", "u"): "off"}), "u", {}, {}).variant
    assert tuple(f"f{at}" for at in range(count - 1)) == last.prerequisites


def test_ladder_of_diamonds_costs_its_flags_and_not_its_paths(make: Any) -> None:
    """2^30 ways lead from the top to the bottom; each flag is answered once."""
    flags = [needing(make, "f0"), needing(make, "f1")]
    for at in range(2, 60):
        below = (at - 2) // 2 * 2
        flags.append(needing(make, f"f{at}", (f"f{below}", ("on",)), (f"f{below + 1}", ("on",))))
    asked: list[str] = []

    def prior(flag: Flag, _unit_key: str | None) -> Answer | None:
        asked.append(flag.key)
        return None

    top = flag_in(Ruleset.of(make.record(*flags)), "f59")
    assert "on" == top.answer_with(prior, "u", {}, {}).variant
    assert len(asked) == 58


def test_faults_name_what_is_wrong(vector_rules: Ruleset) -> None:
    """An author reads which prerequisite, what was found and what is allowed."""
    circle = "itself; prerequisites must not run in a circle"
    expected = {
        "circle-self": f"flag 'circle-self': prerequisite 'circle-self' needs 'circle-self' {circle}",
        "circle-a": f"flag 'circle-a': prerequisite 'circle-b' needs 'circle-a' {circle}",
        "unknown-variant": "flag 'unknown-variant': prerequisite 'arms': variant 'd' is not one of ['a', 'b', 'c']",
    }
    assert expected == {key: flag_in(vector_rules, key).fault for key in expected}


@settings(deadline=None)
@given(data=st.data())
def test_needed_flags_stand_before_what_needs_them(make: Any, data: st.DataObject) -> None:
    """In the order of any flag whatever is on no circle comes after all that it needs."""
    flags = data.draw(graphs(make)).flags
    for record in flags.values():
        order = needed_by(record, flags)
        assert len(set(order)) == len(order)
        for at, key in enumerate(order):
            needs = needed_by(flags[key], flags) if key in flags else ()
            if key not in needs:
                assert {*needs} <= {*order[:at]}


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_patched_graph_equals_building_afresh(make: Any, data: st.DataObject) -> None:
    """After deltas, kills and changed segments, asked or not between them, every flag answers as if built anew."""
    flags = dict(data.draw(graphs(make)).flags)
    segments = {"s": SegmentRecord("s", "user", "s", rules=((PresentClause("y"),),))}
    rules = Ruleset.of(make.record(*flags.values(), segments=tuple(segments.values())))
    for revision in range(2, 5):
        for key in data.draw(st.lists(st.sampled_from(KEYS), max_size=6)):
            rules.flag(key)
        put = {key: data.draw(graphs(make)).flags[key] for key in data.draw(st.sets(st.sampled_from(KEYS), max_size=2))}
        if data.draw(st.booleans()):
            gate = make.gate(SegmentClause("s"), key="f0", id=0, revision=revision)
            put["f0"] = gate
        gone = data.draw(st.sets(st.sampled_from(KEYS), max_size=1)) - put.keys()
        put_segments = (
            {"s": SegmentRecord("s", "user", "s", rules=((EqualsClause("x", revision),),), revision=revision)}
            if data.draw(st.booleans())
            else {}
        )
        flags = {key: flag for key, flag in {**flags, **put}.items() if key not in gone}
        segments = {**segments, **put_segments}
        kills = data.draw(st.dictionaries(st.integers(0, 6), st.integers(1, 30), max_size=1))
        rules = rules.patched(revision, Put(put, put_segments), make.delete(flags=tuple(gone))).with_kills(kills)
        whole = make.record(*flags.values(), segments=tuple(segments.values()), revision=revision)
        assert seen(Ruleset.of(whole).with_kills(kills), flags) == seen(rules, flags)


def seen(rules: Ruleset, keys: Mapping[str, FlagRecord]) -> Any:
    """Everything that hangs on a flag's own record or another's."""
    units = {"user": "user-1", "account": "acc-1"}
    asks = [({}, {}), ({"x": 0}, {}), ({"x": 3, "y": 1}, units)]
    return {
        key: (
            flag.floor,
            flag.scope,
            flag.fault,
            flag.prerequisites,
            flag.segments,
            flag.ids,
            [flag.answer(units[flag.unit_kind], *ask) for ask in asks],
        )
        for key in keys
        for flag in [flag_in(rules, key)]
    }


def test_patched_keeps_what_hangs_on_nothing_that_changed(make: Any) -> None:
    """A change compiles the changed flag and what needs it anew, and nothing else."""
    flags = [needing(make, "f0"), needing(make, "f1", ("f0", ("on",))), needing(make, "f2", ("f1", ("on",)))]
    rules = Ruleset.of(make.record(*flags, needing(make, "f3")))
    before = {key: rules.flag(key) for key in ("f0", "f1", "f2", "f3")}
    patched = rules.patched(2, Put({"f1": msgspec.structs.replace(flags[1], revision=2)}), make.delete())
    assert [True, False, False, True] == [before[key] is patched.flag(key) for key in before]
    killed = rules.with_kills({0: 9})
    assert [False, False, False, True] == [before[key] is killed.flag(key) for key in before]


def test_prerequisite_that_comes_later_is_found(make: Any) -> None:
    """A flag that needs what does not exist yet is off until it does."""
    rules = Ruleset.of(make.record(needing(make, "f1", ("f0", ("on",)))))
    assert "off" == flag_in(rules, "f1").answer("u", {}, {}).variant
    later = rules.patched(2, Put({"f0": needing(make, "f0")}), make.delete())
    assert "on" == flag_in(later, "f1").answer("u", {}, {}).variant
    gone = later.patched(3, Put(), make.delete(flags=("f0",)))
    assert "off" == flag_in(gone, "f1").answer("u", {}, {}).variant


def test_explain_shows_prerequisites_and_stops_at_one_that_does_not_hold(make: Any) -> None:
    """Each prerequisite with its answer; rules are shown only once all hold."""
    rule = RuleRecord("r1", (EqualsClause("plan", "pro"),), ServeRecord("on"))
    flags = [
        needing(make, "f0", on=False),
        needing(make, "f1"),
        needing(make, "f2", ("f1", ("on",)), ("f0", ("on",)), ("nowhere", ("on",)), rules=(rule,)),
        needing(make, "f3", ("f1", ("on",)), rules=(rule,)),
    ]
    rules = Ruleset.of(make.record(*flags))
    failed = flag_in(rules, "f2").explain("u", {"plan": "pro"}, {})
    assert [("f1", True, "on"), ("f0", False, "off"), ("nowhere", False, None)] == [
        (trace.flag, trace.holds, trace.answer and trace.answer.variant) for trace in failed.prerequisites
    ]
    assert () == failed.rules
    held = flag_in(rules, "f3").explain("u", {"plan": "pro"}, {})
    assert (["f1"], ["r1"]) == ([trace.flag for trace in held.prerequisites], [trace.rule for trace in held.rules])


MISSING: list[tuple[str, dict[str, Any], set[str]]] = [
    ("own", {}, {"plan", "age"}),
    ("own", {"plan": "x"}, {"age"}),
    ("own", {"plan": None, "age": 0}, {"plan"}),
    ("own", {"plan": "x", "age": 1, "other": 1}, set()),
    ("segment", {}, {"country", "staff"}),
    ("needs", {"age": 1}, {"plan", "country", "staff", "email"}),
    ("killed", {}, set()),
    ("static", {}, set()),
    ("broken", {}, set()),
]


@pytest.mark.parametrize(("key", "attributes", "expected"), MISSING)
def test_missing_attributes_are_those_asked_for_and_not_there(
    make: Any, key: str, attributes: dict[str, Any], expected: set[str]
) -> None:
    """Of its clauses, of its segments' rules, and of the flags that it needs; null is missing."""
    rules = (
        RuleRecord("r1", (EqualsClause("plan", "pro"), EqualsClause("age", 3)), ServeRecord("on")),
        RuleRecord("r2", (PresentClause("plan", negate=True),), ServeRecord("on")),
    )
    segment = SegmentRecord(
        "s", "user", "s", rules=((EqualsClause("country", "de"),), (PresentClause("staff"), PresentClause("country")))
    )
    flags = [
        needing(make, "own", rules=rules, id=1),
        make.gate(SegmentClause("s"), key="segment", id=2),
        needing(make, "middle", ("own", ("on",)), ("segment", ("on",)), id=3),
        make.gate(
            EqualsClause("email", "x"), key="needs", id=4, prerequisites=(PrerequisiteRecord("middle", ("on",)),)
        ),
        needing(make, "killed", ("own", ("on",)), rules=rules, killed=True, id=5),
        needing(make, "static", id=6),
        needing(make, "broken", ("own", ("gone",)), rules=rules, id=7),
    ]
    flag = flag_in(Ruleset.of(make.record(*flags, segments=(segment,))), key)
    assert expected == flag.missing_attributes(attributes)


def test_missing_attributes_are_what_could_change_an_answer(make: Any) -> None:
    """Where nothing is missing, no further attribute changes what a flag answers."""
    asked: Callable[[dict[str, Any]], Any] = lambda attributes: flag.answer("u", attributes, {}).variant  # noqa: E731
    flag = make.compiled(make.gate(EqualsClause("x", "a"), PresentClause("y", negate=True)))
    assert frozenset() == flag.missing_attributes({"x": "a", "y": 1})
    assert asked({"x": "a", "y": 1}) == asked({"x": "a", "y": 1, "z": 1})
    assert frozenset("y") == flag.missing_attributes({"x": "a"})
    assert asked({"x": "a"}) != asked({"x": "a", "y": 1})
