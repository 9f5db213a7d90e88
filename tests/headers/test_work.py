"""Several long lists in one message: what matters most is read, and the rest is dropped whole and told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import Forwarded
from pennon.headers import BaggagePolicy, Contract, Drop, DropReason, Extracted, extract
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.work import list_steps, shares_of

PARENT = (b"traceparent", b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01")
PROXIES = TrustedProxies(["10.0.0.0/8"], reads=list(ForwardedSource))
STATE_DROPPED = Drop("tracestate", DropReason.TOO_MANY)
REST_DROPPED = Drop("baggage", DropReason.TOO_MANY)

steps = st.integers(0, 5_000)


def chain(elements: int) -> tuple[bytes, bytes]:
    """So many elements, the left-most of a stranger."""
    return (b"x-forwarded-for", b", ".join([b"192.0.2.7", *[b"10.0.0.3"] * (elements - 1)]))


def baggage(count: int, *, own: bool = False) -> tuple[bytes, bytes]:
    """So many members, ours behind them."""
    members = [b"k%d=%b" % (number, b"v" * 50) for number in range(count)]
    return (b"baggage", b",".join([*members, *([b"pennon=AAAA"] if own else [])]))


def state(count: int) -> tuple[bytes, bytes]:
    """So many members."""
    return (b"tracestate", b",".join(b"k%d=1" % number for number in range(count)))


@pytest.fixture
def read(contract: Contract) -> Callable[..., Extracted]:
    def read(*headers: tuple[bytes, bytes], kept: int = 16) -> Extracted:
        policy = BaggagePolicy(allow=["k0"], max_members=kept, max_bytes=64 * kept)
        under = replace(contract, proxies=PROXIES, baggage=policy)
        return extract(under, [PARENT, *headers], is_trusted=True, entropy=bytes(40), peer="10.0.0.1")

    return read


@pytest.mark.req(11, 110)
@pytest.mark.parametrize("kept", [16, 64])
def test_the_largest_message_that_nobody_made_up_is_read_whole(read: Callable[..., Any], kept: int) -> None:
    """Five proxies, all members of a tracestate, and as much baggage as is kept."""
    arrived = read(chain(5), baggage(kept), state(32), kept=kept)

    assert (Forwarded("192.0.2.7"), kept, 32) == (
        arrived.forwarded, len(arrived.baggage), arrived.trace.state.count("=")
    )  # fmt: skip
    assert () == arrived.report.dropped


@pytest.mark.req(11, 110)
def test_long_lists_go_in_the_order_of_what_matters(read: Callable[..., Any]) -> None:
    """Who calls first, then ours, some baggage, and tracestate not at all; each thing that went is told."""
    arrived = read(chain(8), baggage(60, own=True), state(32))

    assert Forwarded("192.0.2.7") == arrived.forwarded
    assert ["pennon"] == [member.key for member in arrived.ours]
    assert [f"k{number}" for number in range(8)] == [member.key for member in arrived.baggage]
    assert "" == arrived.trace.state
    assert PARENT[1].startswith(b"00-" + arrived.trace.trace_id.encode())
    assert {STATE_DROPPED, REST_DROPPED} == set(arrived.report.dropped)
    assert ("tracestate",) == arrived.spoiled


@pytest.mark.req(110)
@pytest.mark.parametrize("elements", [1, 5, 8])
def test_a_few_of_each_list_are_read_behind_any_chain(read: Callable[..., Any], elements: int) -> None:
    """Sixteen members of tracestate stay."""
    assert 16 == read(chain(elements), baggage(8), state(16)).trace.state.count("=")


@pytest.mark.req(11)
def test_chain_beyond_its_limit_is_nobodys(read: Callable[..., Any]) -> None:
    """It is never the nearest proxy's, nor the stranger's to invent."""
    assert Forwarded(None) == read(chain(10), baggage(60), state(32)).forwarded


@pytest.mark.parametrize(
    "wire",
    [
        b",".join([b"k=1"] * 80 + [b" pennon=AAAA;p=1", b"pennon=BBBB"]),
        b"pennon=AAAA;p=1,pennon=BBBB," + b",".join([b"k=1"] * 80),
        b",".join([b"pennon=AAAA;p=1", *[b"k=a pennon=1", b"k=pennon"] * 40, b"\tpennon=BBBB"]),
    ],
)
def test_our_members_are_found_wherever_they_stand(read: Callable[..., Any], wire: bytes) -> None:
    """Before or behind all others, and not within one of them."""
    assert ["AAAA", "BBBB"] == [member.value for member in read((b"baggage", wire)).ours]


def test_of_ours_four_are_read_among_many(read: Callable[..., Any]) -> None:
    """We write one; the first count, and each other one is told."""
    arrived = read((b"baggage", b",".join(b"pennon=A%d" % number for number in range(60)) + b",k=" + b"v" * 600))

    assert [f"A{number}" for number in range(4)] == [member.value for member in arrived.ours]
    assert 56 == sum(drop.count for drop in arrived.report.dropped if drop.reason is DropReason.TOO_MANY)
    assert ["k"] == [member.key for member in arrived.baggage]


@pytest.mark.req(110)
def test_long_tracestate_goes_before_any_baggage(read: Callable[..., Any]) -> None:
    """One that would be cut anyway is not even split where there is much else; alone it is."""
    long = (b"tracestate", b",".join(b"k%d=%b" % (number, b"v" * 120) for number in range(32)))

    assert STATE_DROPPED in read(baggage(16), long).report.dropped
    assert 4 == read(long).trace.state.count("=")


@pytest.mark.req(11)
def test_long_beginning_of_a_chain_hides_nobody(read: Callable[..., Any]) -> None:
    """It costs its sender baggage, and nothing else."""
    name, value = chain(2)
    arrived = read((name, b"x" * 8_000 + b", " + value), baggage(60))

    assert (Forwarded("192.0.2.7"), 8) == (arrived.forwarded, len(arrived.baggage))


@given(st.integers(0, 64), st.integers(0, 8_192), steps, steps, steps)
def test_more_of_one_list_never_makes_room_for_another(
    kept: int, kept_bytes: int, said: int, members: int, length: int
) -> None:
    """And what is left is between the least and the most that is looked at."""
    policy = BaggagePolicy(allow=[], max_members=kept or 1, max_bytes=kept_bytes or 1)
    shares = shares_of(policy, chain=said, baggage=members, state=length)
    longer = shares_of(policy, chain=said + 1, baggage=members, state=length)

    assert 8 <= longer.members <= shares.members <= 64
    assert shares.reads_state or not longer.reads_state


@given(st.integers(1, 16), steps)
def test_without_proxies_all_of_baggage_is_looked_at(kept: int, members: int) -> None:
    """However little its contract keeps."""
    policy = BaggagePolicy(allow=[], max_members=kept)

    assert 64 == shares_of(policy, chain=0, baggage=members, state=1).members


def test_list_that_is_too_long_to_be_read_is_not_counted() -> None:
    """A megabyte of commas would cost more than all the rest."""
    assert (0, 8) == (list_steps([b"," * 20_000], 2), list_steps([b"a=1,b=2", b",c=3"], 2))
