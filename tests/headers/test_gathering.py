"""Gather: what is counted, what is left out by its name alone, and what may be remembered."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Contract,
    Drop,
    DropReason,
    Extracted,
    Field,
    Refusal,
    UnknownHeaders,
    extract,
    std,
)

Take = Callable[..., Extracted]
LISTS = Contract(
    "c", version="1", owner="t", fields=[std.ACCEPT, std.IF_MATCH, std.ETAG, std.HOST, std.BY_NAME["te"], std.REGION]
)
STRANGE = Contract("c", version="1", owner="t", fields=[std.ACCEPT], unknown=UnknownHeaders.REJECT)

names = st.sampled_from(["Accept", "accept", "X-Region", "x-request-id", "baggage", "X-A", "pennon-x", "Host", "TE"])
values = st.sampled_from(["a", "", "a,b", "x=1", "\xff", " a ", "eu"])


def test_lines_of_a_list_are_one_value(take: Take) -> None:
    """RFC 9110 §5.3: several lines of a list are one; what stands once does not."""
    arrived = take([("accept", "text/html"), ("Accept", " */* "), ("x-region", "eu"), ("x-region", "us")], under=LISTS)

    assert (("accept", "text/html, */*"),) == arrived.fields
    assert (Drop("x-region", DropReason.REPEATED),) == arrived.report.dropped


def test_lines_of_a_list_are_as_long_as_one(take: Take) -> None:
    """Splitting a value does not make it shorter."""
    half = "a" * (std.ACCEPT.max_length // 2)

    assert 1 == len(take([("accept", half)] * 1, under=LISTS).fields)
    assert (Drop("accept", DropReason.TOO_LONG),) == take([("accept", half)] * 2, under=LISTS).report.dropped


@pytest.mark.req(18, 20)
def test_fields_of_one_connection_and_of_responses_are_not_kept(take: Take) -> None:
    """Host, TE and ETag in a request are nobody's context."""
    arrived = take([("host", "a"), ("te", "trailers"), ("etag", '"1"')], under=LISTS)

    assert ((), (), ()) == (arrived.fields, arrived.report.took, arrived.report.dropped)


@pytest.mark.req(18)
@pytest.mark.parametrize("lines", [["X-Region"], ["close, x-region"], ["keep-alive", " X-REGION "]])
def test_what_connection_names_is_not_kept(take: Take, lines: list[str]) -> None:
    """RFC 9110 §7.6.1: it was for the connection."""
    arrived = take([("x-region", "eu"), *(("Connection", line) for line in lines)], under=LISTS)

    assert ((), ("x-region",)) == (arrived.fields, arrived.spoiled)
    assert (Drop("x-region", DropReason.NOMINATED),) == arrived.report.dropped


@pytest.mark.req(6)
@pytest.mark.parametrize(("limit_bytes", "is_refused"), [(90, False), (89, True)])
def test_custom_fields_have_a_budget(make_field: Callable[..., Field], limit_bytes: int, is_refused: bool) -> None:
    """Names and values together; a request is refused by name, a record loses those declared last."""
    fields = [make_field("x-first"), make_field("x-last"), std.ACCEPT]
    contract = Contract("c", version="1", owner="t", fields=fields, budgets=Budgets(custom_bytes=limit_bytes))
    sent = [(b"x-last", b"a" * 37), (b"accept", b"*" * 90), (b"x-first", b"b" * 40)]
    record = extract(contract, sent, is_trusted=True, entropy=bytes(40))
    request = extract(contract, sent, is_trusted=True, entropy=bytes(40), stops=True)

    assert (Refusal(431, "custom", f"{limit_bytes} bytes") if is_refused else None) == request.refusal == record.refusal
    assert (["accept", "x-first"] if is_refused else ["accept", "x-first", "x-last"]) == sorted(dict(record.fields))
    assert (Drop("x-last", DropReason.OVER_BUDGET) in record.report.dropped) is is_refused


@pytest.mark.req(12)
def test_unknown_name_in_a_report_is_cut(take: Take) -> None:
    """Names are the sender's to choose."""
    arrived = take([("x-" + "y" * 200, "secret")], under=STRANGE)

    assert Refusal(400, "x-" + "y" * 62) == arrived.refusal
    assert "secret" not in repr(arrived)


@pytest.mark.req(12)
def test_standards_are_known_without_being_declared(take: Take) -> None:
    """Known is what the contract or `std` has; fields of pennon's own too."""
    sent = [("cookie", "a"), ("If-None-Match", '"1"'), ("transfer-encoding", "chunked"), ("pennon-later", "x")]

    assert None is take(sent, under=STRANGE).refusal


@given(st.lists(st.tuples(names, values), max_size=8), st.booleans())
def test_case_of_names_and_what_was_read_before_make_no_difference(
    headers: list[tuple[str, str]], is_trusted: bool
) -> None:
    """The same headers in any spelling, once and again, come to the same."""
    fresh = replace(LISTS, baggage=BaggagePolicy(allow=["x"]))
    wire = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    upper = [(name.upper(), value) for name, value in wire]
    first, again, shouted = (
        extract(fresh, each, is_trusted=is_trusted, entropy=bytes(40)) for each in (wire, wire, upper)
    )

    assert first == again == shouted
