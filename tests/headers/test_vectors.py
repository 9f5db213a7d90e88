"""The conformance vectors of headers: they are the specification that other languages implement."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.context import Member
from pennon.headers import (
    Extracted,
    TraceParent,
    fit_tracestate,
    format_baggage,
    format_traceparent,
    format_tracestate,
    new_request_id,
    parse_baggage,
    parse_id,
    parse_traceparent,
    parse_tracestate,
)
from pennon.headers.baggage import fit_baggage
from pennon.headers.report import Drop

VECTORS = Path(__file__).parents[1] / "conformance" / "vectors" / "headers"
Case = dict[str, Any]


def _cases(file: str, part: str) -> list[Any]:
    cases: list[Case] = json.loads((VECTORS / file).read_text())[part]
    return [pytest.param(case, id=str(case.get("name") or case.get("test") or n)) for n, case in enumerate(cases)]


def _wire(values: list[str]) -> list[bytes]:
    return [value.encode("latin-1") for value in values]


def _drops(dropped: tuple[Drop, ...]) -> list[list[str]]:
    return [[drop.name, drop.reason.value] for drop in dropped]


@pytest.mark.req(22)
@pytest.mark.parametrize("case", _cases("traceparent.json", "parse"))
def test_traceparent_is_read_as_the_vector_says(case: Case) -> None:
    """Valid ones give their ids and known flags; everything else is none."""
    expected = None if case["trace_id"] is None else TraceParent(case["trace_id"], case["parent_id"], case["flags"])

    assert expected == parse_traceparent(case["value"].encode("latin-1"))


@pytest.mark.req(22)
@pytest.mark.parametrize("case", _cases("traceparent.json", "format"))
def test_traceparent_is_written_as_the_vector_says(case: Case) -> None:
    """Version 00, only the flags that level 2 knows."""
    assert case["value"].encode() == format_traceparent(case["trace_id"], case["parent_id"], case["flags"])


@pytest.mark.req(22)
@pytest.mark.parametrize("case", _cases("tracestate.json", "parse"))
def test_tracestate_is_read_as_the_vector_says(case: Case) -> None:
    """Members in order, and why others are not among them."""
    parsed = parse_tracestate(_wire(case["values"]))

    assert case["members"] == list(map(list, parsed.members))
    assert case["dropped"] == _drops(parsed.dropped)


@pytest.mark.req(22)
@pytest.mark.parametrize("case", _cases("tracestate.json", "fit"))
def test_tracestate_is_cut_as_the_vector_says(case: Case) -> None:
    """Whole members: those longer than 128 characters first, then from the end."""
    fitted = fit_tracestate(tuple((key, value) for key, value in case["members"]), limit_chars=case["limit_chars"])

    assert case["kept"] == [key for key, _ in fitted.members]
    assert [[f"tracestate:{key}", "over_budget"] for key in case["dropped"]] == _drops(fitted.dropped)
    assert len(format_tracestate(fitted.members)) <= case["limit_chars"]


@pytest.mark.parametrize("case", _cases("baggage.json", "parse"))
def test_baggage_is_read_as_the_vector_says(case: Case) -> None:
    """Members with decoded values and untouched properties, in order, and why others are not among them."""
    parsed = parse_baggage(_wire(case["values"]))

    assert [Member(*member) for member in case["members"]] == list(parsed.members)
    assert sorted(case["dropped"]) == sorted(_drops(parsed.dropped))


@pytest.mark.parametrize("case", _cases("baggage.json", "format"))
def test_baggage_is_written_as_the_vector_says(case: Case) -> None:
    """Only what must be encoded is; properties as they are."""
    assert case["value"].encode() == format_baggage(Member(*member) for member in case["members"])


@pytest.mark.req(29)
@pytest.mark.parametrize("case", _cases("baggage.json", "fit"))
def test_baggage_is_kept_within_its_budget_as_the_vector_says(case: Case) -> None:
    """Whole members: unknown ones first, then by priority from the lowest, ours last."""
    members = parse_baggage(_wire([",".join(case["members"])])).members
    fitted = fit_baggage(
        members,
        priorities={key: rank for rank, key in enumerate(case["allow"])},
        max_bytes=case["max_bytes"],
        max_members=case["max_members"],
    )

    assert parse_baggage(_wire([",".join(case["kept"])])).members == fitted.members
    assert len(members) == len(fitted.members) + len(fitted.dropped)


@pytest.mark.req(41)
@pytest.mark.parametrize("case", _cases("ids.json", "parse"))
def test_id_is_read_as_the_vector_says(case: Case) -> None:
    """The whole value matches, or it is none."""
    assert case["id"] == parse_id(case["value"].encode("latin-1"))


@pytest.mark.parametrize("case", _cases("ids.json", "new"))
def test_new_request_id_is_as_the_vector_says(case: Case) -> None:
    """req_ and the entropy in hex."""
    assert case["id"] == new_request_id(bytes.fromhex(case["entropy"]))


@pytest.mark.req(22)
@pytest.mark.parametrize("case", _cases("w3c_trace_context.json", "cases"))
def test_extract_passes_the_case_of_the_w3c_suite(case: Case, take: Callable[..., Extracted]) -> None:
    """From a verified sender the trace goes on exactly where the suite says so, with that tracestate."""
    trace = take([tuple(header) for header in case["headers"]]).trace
    sent_ids = {value.strip()[3:35] for name, value in case["headers"]}

    assert case["is_continued"] is (trace.trace_id == "12345678901234567890123456789012")
    assert case["is_continued"] or trace.trace_id not in sent_ids
    assert trace.span_id != "1234567890123456"
    assert case["tracestate"] == trace.state
