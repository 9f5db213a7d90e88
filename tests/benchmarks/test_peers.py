"""The race against the peers: that the jobs are the same jobs in every format, and that wrong answers are found."""

import json
import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest
from benchmarks.engine.jobs import job_flags, ruleset
from benchmarks.peers.bench import verdict
from benchmarks.peers.checks import faults
from benchmarks.peers.field import MEMBERS, OURS, PEERS, Question

from pennon.flags import Ruleset

NAMES = [peer.name for peer in PEERS]


def written(name: str) -> Any:
    """The jobs in a contender's format, as it reads them."""
    document = import_module(f"benchmarks.peers.formats.{name}").document(job_flags(), MEMBERS)
    return json.loads(json.dumps(document))


@pytest.fixture(scope="module")
def rules() -> Ruleset:
    """The jobs as pennon evaluates them."""
    return Ruleset.of(ruleset(*job_flags()))


def answers_of(rules: Ruleset, job: str, asks: Sequence[Question]) -> list[Any]:
    """What pennon's engine answers."""
    flag = rules.flag(job)
    assert flag is not None
    return [flag.answer(unit, attributes, {"user": unit}).value for unit, attributes in asks]


def test_faults_accepts_the_engine(rules: Ruleset) -> None:
    """Every answer that peers are held to is also pennon's."""
    assert [] == list(faults(lambda job, asks: answers_of(rules, job, asks), is_ours=True))


@pytest.mark.parametrize("job", ["a", "b", "c", "d"])
def test_faults_names_a_job_answered_with_a_constant(rules: Ruleset, job: str) -> None:
    """A contender that does no work in a job does not enter the race."""
    constant = "blue" if job == "c" else job != "a"
    found = list(faults(lambda asked, asks: [constant] * len(asks) if asked == job else answers_of(rules, asked, asks)))
    assert found
    assert all(fault.startswith(f"job {job}:") for fault in found)


def test_faults_names_a_split_that_forgets(rules: Ruleset) -> None:
    """A unit that is asked again must get the same."""
    turns = iter(range(1_000))

    def forgetful(job: str, asks: Sequence[Question]) -> list[Any]:
        found = answers_of(rules, job, asks)
        return found[::-1] if job == "b" and next(turns) % 2 else found

    assert ["job b: "] == [fault[:7] for fault in faults(forgetful)]


@pytest.mark.parametrize("name", NAMES)
def test_document_holds_every_member_of_the_segment(name: str) -> None:
    """No peer looks through a shorter list than the others."""
    assert set(MEMBERS["beta"]) == set(re.findall(r"member-\d+", json.dumps(written(name))))


def test_pennon_document_refuses_other_members_than_the_jobs_have() -> None:
    """The segment that peers are given is the one that pennon looks in."""
    formats = import_module(f"benchmarks.peers.formats.{OURS.name}")
    with pytest.raises(ValueError, match="segment 'beta'"):
        formats.document(job_flags(), {"beta": MEMBERS["beta"][1:]})


def test_documents_split_job_c_50_30_20() -> None:
    """Each format states the shares in its own unit."""
    launchdarkly = written("launchdarkly")["flags"]["c"]["rules"][4]["rollout"]["variations"]
    assert [(0, 50_000), (1, 30_000), (2, 20_000)] == [(one["variation"], one["weight"]) for one in launchdarkly]
    flagd = written("flagd")["flags"]["c"]["targeting"]["if"][9]["fractional"]
    assert [["a", 50_000], ["b", 30_000], ["c", 20_000]] == flagd
    growthbook = written("growthbook")["features"]["c"]["rules"][4]
    assert (["red", "green", "blue"], [0.5, 0.3, 0.2]) == (growthbook["variations"], growthbook["weights"])
    unleash = written("unleash")["features"][2]["strategies"][4]["variants"]
    assert [("red", 500), ("green", 300), ("blue", 200)] == [
        (one["payload"]["value"], one["weight"]) for one in unleash
    ]


def test_statsig_rules_name_conditions_that_exist() -> None:
    """Ten clauses, the two buckets, the segment's list and gate, and the one that always holds."""
    specs = written("statsig")["specs"]
    rules = [
        rule for kind in ("feature_gates", "dynamic_configs") for one in specs[kind].values() for rule in one["rules"]
    ]
    assert set(specs["condition_map"]) == {name for rule in rules for name in rule["conditions"]}
    assert 15 == len(specs["condition_map"])


def test_verdict_holds_the_best_peer_against_the_bar() -> None:
    """The smallest ratio among the peers counts; ours, which is 1, does not."""
    standings = {"pennon": (1.0, 100.0), "one": (4.0, 390.0), "other": (3.3, 310.0)}
    contenders = {
        name: {"jobs": {"a": {"ratio": ratio, "least_ns": least_ns}}} for name, (ratio, least_ns) in standings.items()
    }
    by_bar = {bar: verdict(contenders, "a", bar) for bar in (3.0, 3.2, 3.4)}
    assert {"best": "other", "ratio": 3.3, "least_ratio": 3.1, "bar": 3.0, "met": True} == by_bar[3.0]
    assert [True, False, False] == [found["met"] for found in by_bar.values()]
