"""Deadlines: the soonest counts, nothing extends it, and every form comes out as it went in."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Deadline
from pennon.headers.deadline import (
    VALVE_SPAN_S,
    DeadlineForm,
    DeadlinePolicy,
    ReadDeadline,
    Valve,
    capped,
    deadline_faults,
    for_call,
    format_deadline,
    read_deadline,
)

Case = dict[str, Any]
S_NS = 1_000_000_000
NOW_NS = 1_795_256_100 * S_NS
# The monotonic clock starts anywhere, and the wall clock has nothing to do with it.
MONOTONIC_NS = 77 * S_NS
# Beyond every deadline of the vectors.
FAR_S = 4e14

forms = st.sampled_from(DeadlineForm)
values = st.one_of(st.binary(max_size=70), st.text("0123456789HMSmun-:.TZ+ ", max_size=30).map(str.encode))
# Some that differ, some that agree, some that nobody can read.
lines = st.sampled_from(
    [
        *(("x-request-timeout-ms", value) for value in (b"1000", b" 1000", b"99999", b"-1")),
        *(("x-request-deadline", b"2026-11-21T%s:10Z" % value) for value in (b"09:15", b"10:14", b"10:15", b"10:16")),
        *(("grpc-timeout", value) for value in (b"7S", b"2S", b"7")),
    ]
)


def policy(**changes: Any) -> DeadlinePolicy:
    """All forms, 30 s at most, but for what a test says."""
    settings: dict[str, Any] = {"accept": list(DeadlineForm), "cap_s": 30}
    return DeadlinePolicy(**(settings | changes))


def read(headers: list[tuple[str, bytes]], *, is_trusted: bool = True, **changes: Any) -> ReadDeadline:
    """What a door reads of these headers."""
    found: dict[str, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return read_deadline(
        found, policy(**changes), is_trusted=is_trusted, now_ns=NOW_NS, monotonic_ns=MONOTONIC_NS
    )  # fmt: skip


@pytest.mark.req(60, 67)
def test_deadline_of_one_header_is_read_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Every form, to the nanosecond; what is malformed is dropped."""
    for case in vectors("deadline.json", "parse"):
        came = read([(case["form"], case["value"].encode("latin-1"))], cap_s=FAR_S)
        left = came.deadline.remaining_ns(MONOTONIC_NS) if came.took else None

        assert case["remaining_ns"] == left, case
        assert came.took or [(case["form"], "malformed")] == [(drop.name, drop.reason) for drop in came.dropped], case


@pytest.mark.req(60, 61, 67)
def test_deadline_of_several_headers_is_read_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """The minimum, capped, and why the others did not count."""
    for case in vectors("deadline.json", "read"):
        settings = {key: case[key] for key in ("accept", "from_strangers") if key in case}
        headers = [(name, value.encode()) for name, value in case["headers"]]
        came = read(headers, is_trusted=case.get("is_trusted", True), **settings)
        due_ns = MONOTONIC_NS + case["remaining_ns"]

        assert Deadline(due_ns, case["form"], case.get("is_capped", False)) == came.deadline, case["name"]
        assert case["took"] == sorted(came.took, key=case["took"].index), case["name"]
        assert case["dropped"] == [[drop.name, drop.reason] for drop in came.dropped], case["name"]


@pytest.mark.req(67, 111)
def test_deadline_is_written_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Cut towards sooner; the absolute one ends in Z."""
    for case in vectors("deadline.json", "format"):
        assert case["value"].encode() == format_deadline(
            DeadlineForm(case["form"]), case["timeout_ns"], now_ns=NOW_NS
        ), case


@pytest.mark.req(63, 65)
def test_call_gets_what_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """What is left without the margin, and whether that is worth sending."""
    for case in vectors("deadline.json", "call"):
        deadline = Deadline(MONOTONIC_NS + case["remaining_ns"])
        timeout = for_call(deadline, MONOTONIC_NS, margin_s=case["margin_s"], floor_s=case["floor_s"])

        assert (case["timeout_ns"], case["is_too_short"]) == (timeout.timeout_ns, timeout.is_too_short), case
        assert case["timeout_ns"] / 1e9 == timeout.timeout_s


@pytest.mark.req(61, 64, 122)
@given(st.lists(st.tuples(forms, values), max_size=6), st.booleans())
def test_deadline_is_there_for_any_bytes_and_never_beyond_the_cap(
    headers: list[tuple[str, bytes]], is_trusted: bool
) -> None:
    """No bytes raise; whoever says what, the service's cap holds."""
    came = read(headers, is_trusted=is_trusted)

    assert came.deadline.remaining_ns(MONOTONIC_NS) <= 30 * S_NS
    assert is_trusted or came.took == ()
    assert {name for name, _ in headers} == {*came.took, *(drop.name for drop in came.dropped)}


@pytest.mark.req(59, 64)
@given(forms, st.integers(0, 40 * S_NS), st.integers(0, S_NS))
def test_deadline_written_and_read_is_never_later(form: DeadlineForm, timeout_ns: int, passing_ns: int) -> None:
    """A hop takes from a deadline, at most a millisecond of rounding, and never adds to it."""
    written = format_deadline(form, timeout_ns, now_ns=NOW_NS + passing_ns)
    came = read_deadline(
        {form: [written]}, policy(cap_s=FAR_S), is_trusted=True, now_ns=NOW_NS + passing_ns, monotonic_ns=0
    )

    assert came.took == (form,)
    assert timeout_ns - 1_000_000 < came.deadline.due_ns <= timeout_ns


@pytest.mark.req(67)
@given(st.lists(st.integers(0, 60_000), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_order_of_the_forms_makes_no_difference(timeouts_ms: list[int], random: Any) -> None:
    """Neither that of the headers nor that of the policy decides: the soonest does."""
    headers = [
        (form.value, format_deadline(form, timeout_ms * 1_000_000, now_ns=NOW_NS))
        for form, timeout_ms in zip(DeadlineForm, timeouts_ms, strict=False)
    ]
    shuffled = random.sample(list(DeadlineForm), len(DeadlineForm))

    assert read(headers).deadline.due_ns == read(headers[::-1], accept=shuffled).deadline.due_ns
    assert MONOTONIC_NS + min(30_000, *timeouts_ms, 60_000) * 1_000_000 == read(headers).deadline.due_ns


@pytest.mark.req(60, 64, 67)
@given(st.lists(lines, max_size=4), st.lists(lines, max_size=4))
def test_nothing_that_is_added_extends_a_deadline(
    said: list[tuple[str, bytes]], added: list[tuple[str, bytes]]
) -> None:
    """Neither a further form nor a further line of one: what a client adds to its gateway's word."""
    assert read(said + added).deadline.due_ns <= read(said).deadline.due_ns


@pytest.mark.req(62)
def test_deadline_is_over_when_it_has_come() -> None:
    """At its very nanosecond nothing is left."""
    deadline = Deadline(100)

    assert (False, True) == (deadline.is_over(99), deadline.is_over(100))
    assert -1 == deadline.remaining_ns(101)


@pytest.mark.req(61, 64)
def test_capping_twice_takes_the_sooner_cap_and_keeps_the_form() -> None:
    """A later cap cannot give back what an earlier one took."""
    soon = capped(Deadline(100 * S_NS, DeadlineForm.GRPC), 5, 0)

    assert Deadline(5 * S_NS, DeadlineForm.GRPC, is_capped=True) == soon == capped(soon, 60, 0)


@pytest.mark.parametrize(
    ("changes", "paths"),
    [
        ({}, []),
        ({"accept": []}, []),
        ({"accept": ["grpc-timeout", "X-Deadline"]}, ["/accept/1"]),
        ({"accept": ["grpc-timeout", DeadlineForm.GRPC]}, ["/accept/1"]),
        ({"accept": "grpc-timeout"}, ["/accept"]),
        ({"cap_s": 0.075}, ["/cap_s"]),
        ({"cap_s": 86_400.5}, ["/cap_s"]),
        ({"cap_s": 1e300}, ["/cap_s"]),
        ({"cap_s": 0, "margin_s": -1, "max_skew_s": float("nan")}, ["/margin_s", "/max_skew_s"]),
        ({"floor_s": True}, ["/floor_s"]),
        ({"max_refused_share": 1.1}, ["/max_refused_share"]),
        ({"max_refused_share": -0.1}, ["/max_refused_share"]),
        ({"cap_s": "30s"}, ["/cap_s"]),
    ],
)
def test_policy_says_everything_that_is_wrong_with_it(changes: Case, paths: list[str]) -> None:
    """Each fault has its path, and all are told at once."""
    assert [f"/deadline{path}" for path in paths] == [
        fault.path for fault in deadline_faults(policy(**changes), "/deadline")
    ]


@pytest.mark.req(65)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.booleans()), max_size=80),
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]),
)
def test_valve_never_refuses_more_than_its_share(requests: list[tuple[int, bool]], share: float) -> None:
    """Whenever one is refused, those of the last seconds are at most the share; over all time too; none in time is."""
    valve, at_ms, log = Valve(), 0, []
    for pause_ms, is_late in requests:
        at_ms += pause_ms
        valve, is_refused = valve.after(at_ms * 1_000_000, is_late=is_late, max_share=share)
        log.append((at_ms // 1_000, is_refused))
        last = [refused for second, refused in log if second > at_ms // 1_000 - VALVE_SPAN_S]
        assert not is_refused or (is_late and sum(last) <= share * len(last))
        assert sum(refused for _, refused in log) <= share * len(log)


@pytest.mark.req(65)
def test_valve_refuses_as_much_as_it_may() -> None:
    """A tenth of a hundred, and every late one where the share is 1."""
    for share, expected in ((0.1, 10), (1.0, 50)):
        valve, refused_count = Valve(), 0
        for number in range(100):
            valve, is_refused = valve.after(number, is_late=number % 2 == 1, max_share=share)
            refused_count += is_refused
        assert expected == refused_count


def test_valve_forgets_what_is_long_past() -> None:
    """An hour of good requests does not pay for a minute of refusals."""
    valve = Valve()
    for second in range(100):
        valve, _ = valve.after(second * 1_000_000_000, is_late=False, max_share=0.5)
    valve, is_refused = valve.after(300 * 1_000_000_000, is_late=True, max_share=0.5)

    assert not is_refused
    assert (1, ()) == (valve.seen, valve.before)
