"""What long lists may cost is bounded: what is over a budget is not read, and what is read fast is read right."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import arrive
from pennon.context import Member
from pennon.counters import Count, count_arrival, samples
from pennon.headers import Contract, Drop, DropReason, UnknownHeaders, extract
from pennon.headers.baggage import (
    RawMember,
    all_decoded,
    decoded,
    decoded_bytes,
    format_baggage,
    join_baggage,
    least_bytes,
    raw_member,
)
from pennon.headers.report import NAMED_LIMIT_COUNT

PARENT = ("traceparent", "00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01")

pieces = """a 4 F 3D . %C3%A9 %c3 %0d %0A %00 %25 %zz %4 % = _ %E2%82%AC %3D %3d %FF %Ff %fF %ff %FE""".split()
values = st.lists(st.sampled_from(pieces)).map("".join)


@given(values)
def test_value_is_decoded_as_urllib_does(value: str) -> None:
    """Whether all of its escapes are whole or not."""
    member = decoded(RawMember("k", value.encode(), ""))

    assert unquote_to_bytes(value).decode("utf-8", "replace") == member.value


@given(st.lists(values, min_size=1))
def test_values_decoded_at_once_are_those_decoded_one_by_one(said: list[str]) -> None:
    """Whatever one of them holds, the others are not touched."""
    raws = [RawMember("k", value.encode(), "p") for value in said]

    assert list(map(decoded, raws)) == all_decoded(raws)


@given(st.lists(st.text(st.sampled_from('aé.=%",;\\\r\n\0 \t\ud800\x7f~'), max_size=90)))
def test_values_encoded_at_once_are_those_encoded_one_by_one(texts: list[str]) -> None:
    """Also where one is longer than a line of MIME, or holds what ends one."""
    members = [Member("k", text) for text in texts]

    assert format_baggage(members) == join_baggage(members)


@given(st.text())
def test_value_is_encoded_as_urllib_does(value: str) -> None:
    """What may stand there as it is stays."""
    text = quote_from_bytes(value.encode(), safe="!#$&'()*+/:<=>?@[]^`{|}")

    assert f"k={text}".encode() == format_baggage([Member("k", value)])


@given(values)
def test_no_member_is_smaller_than_is_known_before(value: str) -> None:
    """Else one that fits would be dropped undecoded."""
    raw = raw_member(f"k={value};p".encode())
    assert raw is not None

    assert least_bytes(raw) <= decoded_bytes(decoded(raw))


@pytest.mark.req(12, 110)
def test_members_are_not_read_in_vain_for_ever(take: Callable[..., Any]) -> None:
    """After eight that break a line the others are not read, and said to be too many."""
    arrived = take([("baggage", ",".join(f"k{n}=%0D" for n in range(40)))])
    reasons = [drop.reason for drop in arrived.report.dropped for _ in range(drop.count)]

    assert [DropReason.UNSAFE] * 8 + [DropReason.TOO_MANY] * 32 == reasons


@pytest.mark.req(12, 25)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_what_is_dropped_of_a_list_is_named_so_far_and_counted_beyond(
    take: Callable[..., Any], is_trusted: bool
) -> None:
    """What matters most is named: our own member of a stranger's, wherever it stands."""
    said = ",".join([*(f"k{n}=%0D" for n in range(40)), "=1", "pennon=AAAA"])
    dropped = take([("baggage", said)], is_trusted=is_trusted).report.dropped
    named = [drop for drop in dropped if ":" in drop.name]

    assert (NAMED_LIMIT_COUNT, 41 if is_trusted else 42) == (len(named), sum(drop.count for drop in dropped))
    assert Drop("baggage", DropReason.MALFORMED) in dropped
    assert is_trusted is (Drop("baggage:pennon", DropReason.NOT_TRUSTED) not in named)


def test_what_is_told_in_one_is_counted_as_many(contract: Contract) -> None:
    """A counter says how many members were dropped, however many were named."""

    def total() -> int:
        causes = {sample.cause: sample.total for sample in samples() if sample.name is Count.HEADERS_DROPPED}
        return causes.get("too_many", 0)

    before = total()
    said = [(b"baggage", b",".join(b"k%d=%%0D" % n for n in range(40)))]
    count_arrival(arrive(contract, said, is_trusted=True, identity=None, entropy=bytes(40)))

    assert 32 == total() - before


@pytest.mark.req(110)
def test_lists_share_what_is_read(take: Callable[..., Any]) -> None:
    """Where there is much baggage a long tracestate is dropped, a short one is not; baggage is kept all the same."""
    many = ("baggage", ",".join(f"k{n}=1" for n in range(60)))
    long, short = (("tracestate", ",".join(f"k{n}=1" for n in range(count))) for count in (32, 16))
    dropped = Drop("tracestate", DropReason.TOO_MANY)

    assert dropped not in take([PARENT, many, short]).report.dropped
    arrived = take([PARENT, many, long])
    assert (dropped, "") == (arrived.report.dropped[-1], arrived.trace.state)
    assert [f"k{n}" for n in range(16)] == [member.key for member in arrived.baggage]


@pytest.mark.req(7)
@pytest.mark.parametrize(("before", "is_read"), [(499, True), (500, False)])
def test_record_with_too_many_headers_is_searched_so_far(contract: Contract, before: int, is_read: bool) -> None:
    """A producer writes its trace behind its own headers; what 5,000 of them cost is bounded all the same."""
    headers = [*((b"x-%d" % number, b"1") for number in range(before)), (PARENT[0].encode(), PARENT[1].encode())]
    arrived = extract(contract, headers, is_trusted=True, entropy=bytes(range(40)))

    assert is_read is (arrived.trace.parent_span_id is not None)


@pytest.mark.req(12)
@pytest.mark.parametrize("policy", [UnknownHeaders.DROP, UnknownHeaders.REJECT])
def test_headers_nobody_knows_are_named_so_far_and_counted_beyond(contract: Contract, policy: UnknownHeaders) -> None:
    """A hundred names of a stranger's are not in a report."""
    said = [(b"x-later-%d" % number, b"1") for number in range(60)]
    under = replace(contract, unknown=policy)
    dropped = extract(under, said, is_trusted=False, entropy=bytes(40)).report.dropped

    assert [f"x-later-{number}" for number in range(NAMED_LIMIT_COUNT)] == [drop.name for drop in dropped[:-1]]
    assert Drop("headers", DropReason.UNKNOWN, 60 - NAMED_LIMIT_COUNT) == dropped[-1]
