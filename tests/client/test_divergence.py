"""Carried decisions compared with local ones: which, how many, and what is said of them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import pennon
from pennon.ambient import entered
from pennon.carry import Divergence
from pennon.client import Client, answering
from pennon.client.comparing import Comparing
from pennon.client.reports import KEYS_LIMIT_COUNT, Reports
from pennon.context import Origin
from pennon.counters import Count
from pennon.errors import SettingInvalid
from pennon.flags import Ruleset

Counted = Callable[[Count], dict[str, int]]


@pytest.fixture
def connected(server: Any) -> Iterator[Callable[[float], Client]]:
    """Makes clients that compare this share, and answer from the blocks of the test."""
    clients: list[Client] = []

    def make(share: float) -> Client:
        clients.append(pennon.connect(server.url, token="t", divergence=share))
        return clients[-1]

    with pennon.testing.flags({}):
        yield make
    for client in clients:
        client.close()


@pytest.fixture
def rules(make: Any) -> Ruleset:
    """Static flags, one that looks at an attribute, one that does not carry."""
    flags = [
        make.flag(carry=True, revision=5),
        make.flag("ruled", id=11, serve="off", rules=(make.rule("plan", "pro", "on"),), carry=True, revision=5),
        make.flag("staying", id=12, revision=5),
        make.flag("killed", id=13, carry=True, killed=True, void_before=5, revision=5),
    ]
    return Ruleset.of(make.ruleset(*flags, revision=9))


def found(client: Client) -> dict[tuple[str, str], int]:
    """What would be reported now."""
    assert client._link is not None
    return {(each.flag, each.cause.value): each.count for each in client._link.reports.drain_divergences()}


@pytest.mark.parametrize(
    ("flag_id", "flag", "entry", "attributes", "cause"),
    [
        (10, "checkout", {"variant_id": 1, "revision": 5}, {}, "agreed"),
        (10, "checkout", {"variant_id": 2, "revision": 4}, {}, "revision_skew"),
        (10, "checkout", {"variant_id": 2, "revision": 12}, {}, "revision_skew"),
        (11, "ruled", {"variant_id": 1, "revision": 5}, {}, "missing_attribute"),
        (11, "ruled", {"variant_id": 1, "revision": 5}, {"plan": "free"}, "other"),
    ],
)
def test_carried_decision_is_compared_at_its_first_use(
    connected: Any, rules: Ruleset, make: Any, counted: Counted, flag_id: int, flag: str, entry: Any, attributes: Any,
    cause: str,
) -> None:  # fmt: skip
    """Once, however often it is asked; the carried one is the answer."""
    client = connected(1.0)
    context = make.request({"user": "u"}, attributes)
    make.arrived(context, flag_id=flag_id, **entry)
    with answering(rules), entered(context):
        assert [entry["variant_id"] == 1] * 3 == [client.is_on(flag) for _ in range(3)]
        client.peek(flag)
    assert {(flag, cause): 1} == found(client)
    assert {} == found(client)
    assert {cause: 1} == counted(Count.DIVERGENCE)


@pytest.mark.parametrize("origin", [Origin.OVERRIDE, Origin.KILL])
def test_what_differs_on_purpose_is_not_compared(connected: Any, rules: Ruleset, make: Any, origin: Origin) -> None:
    """An override, a kill; nor a flag that is killed here."""
    client = connected(1.0)
    context = make.request({"user": "u"})
    make.arrived(context, variant_id=2, revision=5, origin=origin)
    make.arrived(context, flag_id=13, variant_id=1, revision=5)
    with answering(rules), entered(context):
        assert [False, False] == [client.is_on("checkout"), client.is_on("killed")]
    assert {} == found(client)


def test_local_decision_after_a_cut_may_have_been_dropped(connected: Any, rules: Ruleset, make: Any) -> None:
    """Of flags that carry, for a unit, and where nothing arrived about it."""
    client = connected(1.0)
    context = make.request({"user": "u"})
    context.ledger.was_cut = True
    make.arrived(context, revision=5)
    with answering(rules):
        with entered(make.request({"user": "u"})):
            for flag in ("checkout", "ruled", "staying"):
                client.is_on(flag)
        assert {} == found(client)
        with entered(context):
            for flag in ("checkout", "ruled", "staying", "killed"):
                client.is_on(flag)
    assert {("checkout", "agreed"): 1, ("ruled", "dropped"): 1} == found(client)


def test_error_is_no_decision_that_was_dropped(connected: Any, make: Any) -> None:
    """However often it is asked."""
    client = connected(1.0)
    context = make.request({"user": "u"})
    context.ledger.was_cut = True
    broken = make.flag(serve="no-such-variant", carry=True)
    with answering(Ruleset.of(make.ruleset(broken, revision=9))), entered(context):
        for _ in range(3):
            client.is_on("checkout")
    assert {} == found(client)


def test_decisions_about_unknown_flags_are_counted_once_a_request(connected: Any, rules: Ruleset, make: Any) -> None:
    """They are forwarded, and nobody here can ask for them."""
    client = connected(1.0)
    context = make.request({"user": "u"})
    for flag_id in (98, 99):
        make.arrived(context, flag_id=flag_id)
    with answering(rules):
        with entered(make.request({"user": "u"})):
            client.is_on("checkout")
        with entered(context):
            for flag in ("checkout", "ruled", "checkout"):
                client.is_on(flag)
    assert {("", "unknown_flag"): 2} == found(client)


def test_share_of_zero_compares_nothing(connected: Any, rules: Ruleset, make: Any) -> None:
    """Off."""
    client = connected(0)
    context = make.request({"user": "u"})
    make.arrived(context, revision=5)
    make.arrived(context, flag_id=99)
    with answering(rules), entered(context):
        client.is_on("checkout")
    assert {} == found(client)


def test_share_is_that_of_the_samples_below_it(rules: Ruleset, make: Any) -> None:
    """The sample is the caller's."""
    from pennon.carry import decide

    flag = rules.flag("checkout")
    assert flag is not None
    samples = iter([0.0, 0.2, 0.249, 0.25, 0.3, 0.999])
    reports = Reports()
    comparing = Comparing(reports, 0.25, lambda: next(samples))
    for _ in range(6):
        context = make.request({"user": "u"})
        make.arrived(context, revision=5)
        decision = decide(flag, rules, context.ledger, "u", {}, {}, 5, print)
        comparing.first_use(flag, rules, context.ledger, decision, {}, {})
    assert [3] == [each.count for each in reports.drain_divergences()]


def test_comparing_changes_no_answer_whatever_it_meets(connected: Any, rules: Ruleset, make: Any) -> None:
    """Attributes that cannot be read are no reason for a default."""

    class Hostile(dict[str, Any]):
        def get(self, *_: Any) -> Any:
            raise RuntimeError

    client = connected(1.0)
    context = make.request({"user": "u"}, Hostile(plan="pro"))
    make.arrived(context, flag_id=11, revision=5)
    with answering(rules), entered(context):
        assert client.is_on("ruled")


def test_report_is_bounded_and_says_what_it_dropped(counted: Counted) -> None:
    """Who is in it goes on being counted."""
    reports = Reports()
    for at in [*range(KEYS_LIMIT_COUNT + 5), 0]:
        reports.compared(f"flag-{at}", Divergence.AGREED)
    drained = reports.drain_divergences()
    assert (KEYS_LIMIT_COUNT, 2, 1) == (len(drained), drained[0].count, drained[1].count)
    assert {"divergence": 5} == counted(Count.REPORTS_DROPPED)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan"), True, "0.5", None])
def test_share_that_is_none_is_named_with_all_other_faults(share: Any) -> None:
    """Before anything connects."""
    with pytest.raises(SettingInvalid) as alone:
        pennon.connect("http://127.0.0.1:1", token="t", divergence=share)
    message = f"divergence: {share!r} is not a share; must be a number from 0 to 1"
    assert message == str(alone.value)
    with pytest.raises(SettingInvalid) as together:
        pennon.connect("nowhere", token="t", divergence=share)
    assert ["url", "divergence"] == [fault.path for fault in together.value.faults]
