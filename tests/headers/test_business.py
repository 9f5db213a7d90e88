"""Patterns of business ids: what they may say, what they find, and that finding it is cheap."""

import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import CorrelationId, RequestId
from pennon.errors import ContractInvalid
from pennon.headers import Contract, Downstream, Drop, DropReason, extract, inject
from pennon.headers.business import business_id_faults, business_id_guard
from pennon.headers.documents import markdown
from pennon.headers.ids import is_id, new_correlation_id, new_request_id

ORDER = "ORD-[0-9]+"
# Each can be declared.
GOOD = (
    *(ORDER, "case[._-]?[0-9]{4,8}", r"\d{4}-\d{4}", "^[0-9]{10}$", "^cust:", "-VIP$", "ORD-[0-9]+|INV-[0-9]+"),
    *(r"[A-Z]{2,3}-\d+", r"iban\.\w+", "ORD.[0-9]{2}"),
)
ids = st.text(st.sampled_from("ORDINVcase0123456789-._:abxyz"), min_size=1, max_size=128)


def holds(patterns: list[str], text: str) -> bool:
    """What the guard says."""
    return re.compile(business_id_guard(patterns)).match(text) is not None


@pytest.mark.req(42)
@pytest.mark.parametrize("pattern", GOOD)
def test_pattern_can_be_declared(pattern: str) -> None:
    """Characters, classes, quantifiers, alternatives, and an id's ends."""
    assert [] == list(business_id_faults([pattern], "/business_ids"))


@pytest.mark.req(42)
@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "",
            7,
            "|",
            "ORD|",
            "^$",
            "(ORD)",
            "(?=a)",
            "[0-9",
            "a**",
            "a++",
            "a+?",
            "a{3,2}",
            "a{,3}",
            r"a\b",
            r"(a+)+b",
        ),
        *("^^a", "a$b", r"\1", "a b", "ü", "[ -~]", "[a[b]", r"[\s]", "ORD-[z-a]"),
        # Found in what we make ourselves.
        *("[0-9]+", "[0-9]{8}", "^req_", "[a-f0-9]{8}", ".", r"\w+", "corr", "[A-Z]{6}", "[^x]", "a.b"),
        # Too many ways to go.
        *("[A-Z]*[A-Z]*x", "[A-Z]+-[0-9]+$", "[A-Z]+[0-9]+-[a-z]+", "[A-Z]*[A-Z]*-[a-z]*", "a{1,99}b{1,99}c{1,99}-"),
    ],
)
def test_pattern_that_cannot_be_searched_is_refused(pattern: Any) -> None:
    """By its place, and what is wrong."""
    [fault] = business_id_faults([ORDER, pattern], "/business_ids")

    assert "/business_ids/1" == fault.path


@pytest.mark.req(42)
def test_list_is_a_list_of_a_few() -> None:
    """One text is a mistake, and more than 16 are a search of their own."""
    assert ["/b"] == [each.path for each in business_id_faults(ORDER, "/b")]
    assert ["/b"] == [each.path for each in business_id_faults([ORDER] * 17, "/b")]
    assert ["/b"] == [each.path for each in business_id_faults(["|".join([ORDER] * 9)] * 2, "/b")]
    assert [[], ["/b"]] == [
        [each.path for each in business_id_faults(["[A-Z]+x[0-9]+"] * count, "/b")] for count in (2, 3)
    ]


@pytest.mark.req(42)
@given(st.lists(st.sampled_from(GOOD), min_size=1, max_size=4), ids)
def test_guard_finds_what_searching_would_find(patterns: list[str], text: str) -> None:
    """Each pattern, anywhere in the id, or at its ends where it says so."""
    assert any(re.search(pattern, text) for pattern in patterns) is holds(patterns, text)


@pytest.mark.req(42)
@given(st.sampled_from(GOOD), ids, st.sampled_from(["\n", "\nORD-1", " ", "\x00", "x" * 128]))
def test_guard_finds_nothing_in_what_is_no_id(pattern: str, text: str, more: str) -> None:
    """It may stand among other lines: what follows is another's."""
    whole = text + more
    if not is_id(whole) and not more.startswith("\n"):
        assert not holds([pattern], whole)
    assert holds([pattern], text) is holds([pattern], f"{text}\nORD-1")


@pytest.mark.req(42)
@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**48 - 1))
def test_guard_finds_nothing_in_what_we_make(entropy: bytes, ms: int) -> None:
    """Or a service would refuse its own."""
    made = new_request_id(entropy), new_correlation_id(ms * 1_000_000, entropy[:10])

    assert not any(holds(list(GOOD), each) for each in made)


CONTRACT = Contract(
    "orders",
    version="1",
    owner="t",
    business_ids=[ORDER],
    downstreams=[Downstream("posts", host="posts.internal"), Downstream("feed", topic="feed")],
)
ENTROPY = bytes(range(1, 41))
# The second one is read by the short way, the first, as it holds a line too many, by the long one.
BESIDE = ([(b"x-request-id", b"req-1"), (b"x-request-id", b"req-1")], [(b"x-request-id", b"req-1")])


@pytest.mark.req(42)
@pytest.mark.parametrize("beside", BESIDE, ids=["long way", "short way"])
@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("given", [b"ORD-1", b"mine:ORD-77", b" ORD-9 "])
def test_correlation_id_that_holds_one_of_the_business_does_not_come_in(
    given: bytes, is_trusted: bool, beside: list[tuple[bytes, bytes]]
) -> None:
    """From nobody; and it is said why."""
    headers = [(b"x-correlation-id", given), *beside]
    arrived = extract(CONTRACT, headers, is_trusted=is_trusted, entropy=ENTROPY)

    assert arrived.correlation_id is None
    assert Drop("x-correlation-id", DropReason.BUSINESS_ID) in arrived.report.dropped
    assert "x-correlation-id" in arrived.spoiled


@pytest.mark.req(41, 42)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_request_id_that_holds_one_of_the_business_is_made_anew(is_trusted: bool) -> None:
    """A stranger's does not even stand in logs."""
    arrived = extract(CONTRACT, [(b"x-request-id", b"ORD-1")], is_trusted=is_trusted, entropy=ENTROPY)

    assert (f"req_{ENTROPY[24:].hex()}", None) == (arrived.request_id, arrived.caller_request_id)


@pytest.mark.req(42)
@given(st.text(st.sampled_from("ORD-0123.x"), min_size=1, max_size=12))
def test_id_comes_in_and_goes_out_exactly_if_it_is_opaque(text: str) -> None:
    """By the long way and by the short one alike."""
    is_opaque = re.search(ORDER, text) is None
    for beside in BESIDE:
        headers = [(b"x-correlation-id", text.encode()), *beside]
        arrived = extract(CONTRACT, headers, is_trusted=True, entropy=ENTROPY)
        assert (text if is_opaque else None) == arrived.correlation_id
    for downstream in CONTRACT.downstreams:
        leaving = inject(
            CONTRACT,
            downstream,
            trace=None,
            request_id=RequestId("req-1"),
            correlation_id=CorrelationId(text),
            baggage=(),
            ours=(),
        )
        assert is_opaque is (b"x-correlation-id" in dict(leaving.set))
        assert b"x-correlation-id" in leaving.remove


@pytest.mark.req(42)
def test_contract_says_which_it_refuses() -> None:
    """In Python and in TOML, and to people."""
    toml = 'name = "orders"\nversion = "1"\nowner = "t"\nbusiness_ids = ["ORD-[0-9]+"]\n'
    with pytest.raises(ContractInvalid) as python:
        Contract("orders", version="1", owner="t", business_ids=["[0-9]+"])
    with pytest.raises(ContractInvalid) as text:
        Contract.from_toml(toml.replace("ORD-", ""))

    assert dataclasses.replace(CONTRACT, downstreams=()) == Contract.from_toml(toml)
    assert (
        ["/business_ids/0"] == [each.path for each in python.value.faults] == [each.path for each in text.value.faults]
    )
    assert "none holds `ORD-[0-9]+`" in markdown(CONTRACT)


def test_contract_without_patterns_searches_nothing() -> None:
    """There is nothing to call."""
    assert Contract("orders", version="1", owner="t").holds_business_id is None
