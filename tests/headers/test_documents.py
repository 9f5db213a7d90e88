"""The contract's documents: complete, valid, the same for the same contract."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it has none
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Breaker,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Field,
    Limits,
    Log,
    Propagate,
    Retries,
    Trust,
    std,
)
from pennon.headers.asyncapi import asyncapi
from pennon.headers.documents import markdown, marks_of, spliced
from pennon.headers.openapi import openapi
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.schemas import ecma_pattern


def _field(name: str, **changes: Any) -> Field:
    declared: dict[str, Any] = {
        "category": Category.EVOLUTION,
        "owner": "billing",
        "syntax": "free|pro",
        "max_length": 8,
        "trust": Trust.MESH,
        "caller_may_set": False,
        "gateway_overwrites": True,
        "downstream_may_forward": True,
        "propagate": Propagate.ALWAYS,
        "log": Log.CLEAR,
        "classification": Classification.INTERNAL,
        "description": "Which plan | the tenant\nhas",
        "kafka": "plan",
    }
    return Field(name, **(declared | changes))


CONTRACT = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[
        *(std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF, std.IDEMPOTENCY_KEY, std.ETAG),
        *(std.AUTHORIZATION, std.COOKIE, std.CONTENT_TYPE, std.HOST),
        _field("X-Plan"),
    ],
    baggage=BaggagePolicy(allow=["tier", BaggageKey("region", enum=["eu", "us"], description="where")]),
    deadline=DeadlinePolicy(accept=["grpc-timeout"], cap_s=30),
    proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.FORWARDED]),
    downstreams=[
        Downstream(
            "pay",
            host="*.pay.internal",
            tenant=True,
            deadline=DeadlineForm.GRPC,
            audience="pay",
            retries=Retries(attempts=2),
            breaker=Breaker(),
        ),
        Downstream("feed", topic="feed.posts", tenant=True),
        Downstream("quiet", topic="quiet", trace=False, request_id=False, correlation_id=False, baggage=False),
        Downstream("stripe", host="api.stripe.com", external=True, trace=False),
    ],
)
EMPTY = Contract("empty", version="1", owner="platform")
both = pytest.mark.parametrize("contract", [CONTRACT, EMPTY], ids=lambda each: each.name)


def _rows(text: str) -> list[list[str]]:
    """The cells of all rows, escaped bars kept."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.req(99)
def test_markdown_says_of_each_header_what_its_readers_ask() -> None:
    """One row a header, with these nine columns."""
    rows = _rows(markdown(CONTRACT))

    assert [
        *("Header", "Direction", "Required", "Trust source", "Propagate", "Log", "Classification", "Max length"),
        "Description",
    ] == rows[0]
    assert [
        *("`x-plan`, on records `plan`", "request", "no", "a verified service", "always", "clear", "internal", "8"),
        "Which plan \\| the tenant has",
    ] in rows
    assert [
        *("`etag`", "response", "no", "a verified service", "never", "clear", "public", "256"),
        "Which version of the resource this is",
    ] in rows


@pytest.mark.req(99)
@both
def test_markdown_holds_tables_that_are_tables(contract: Contract) -> None:
    """Whatever stands in a description, each row has the columns of its head."""
    tables = [rows for block in markdown(contract).split("\n\n") if (rows := _rows(block))]
    widths = [{len(row) for row in rows} for rows in tables]

    assert [{9}, {8}, {5}][: len(widths)] == widths


@pytest.mark.req(99)
def test_markdown_names_what_codecs_read_whether_listed_or_not() -> None:
    """The document says what the doors do, not only what somebody has written down."""
    listed = {row[0] for row in _rows(markdown(EMPTY))}
    named = {row[0] for row in _rows(markdown(CONTRACT))}

    assert {"`traceparent`", "`tracestate`", "`baggage`", "`x-request-id`", "`x-correlation-id`"} <= listed
    assert {"`grpc-timeout`", "`forwarded`", "`pennon-context`"} <= named - listed


@pytest.mark.req(95, 99)
def test_markdown_shows_what_looks_like_a_tag() -> None:
    """A page would show `system:<name>` as "system:"; in code it is as it stands."""
    said = replace(std.ACTOR_ID, description="system:<name>, or `<none>` | 1 < 2")
    text = markdown(Contract("tags", version="1", owner="tests", fields=[said]))

    assert r"| system:\<name>, or `<none>` \| 1 \< 2 |" in text


@pytest.mark.req(99)
def test_markdown_holds_whatever_a_contract_is_called_and_says() -> None:
    """Backticks within a span of code, tags and comments in a name, what turns a text around in a description."""
    odd = Contract(
        "a`b <!-- c",
        version="1",
        owner="<i>me",
        fields=[replace(_field("X-Plan"), description="\u202ecba\x00 d")],
        baggage=BaggagePolicy(allow=[BaggageKey("k", enum=["`", "a|b"]), BaggageKey("z", syntax="a``b")]),
    )
    text = markdown(odd)

    assert "Header contract ``a`b <!-- c``, version 1, owned by \\<i>me.\n" in text
    assert "| `k` | `` ` ``, `a\\|b` |" in text
    assert "| `z` | ```a``b``` |" in text
    assert "| cba d |" in text


@pytest.mark.req(99)
def test_documents_have_a_component_for_each_whatever_it_is_called() -> None:
    """Two names that differ only in what no key may hold do not become one."""
    topics = [Downstream(name, topic=f"t{number}") for number, name in enumerate(["a b", "a_b", "a/b"])]
    fields = [_field("x-a!", kafka="x-a!"), _field("x-a$", kafka="x-a$")]
    odd = Contract("c", version="1", owner="t", fields=fields, downstreams=topics)

    assert ["a_b", "a_b-1", "a_b-2"] == list(asyncapi(odd)["components"]["messageTraits"])
    assert {"x-a!", "x-a$"} <= {each["name"] for each in openapi(odd)["components"]["parameters"].values()}


@pytest.mark.req(99)
@pytest.mark.parametrize("names", list(permutations(["a_b-1", "a_b-2", "a_b", "a b"])))
def test_components_are_numbered_past_those_that_are_called_so(names: Sequence[str]) -> None:
    """A name that looks like a numbered one holds nobody up, whichever comes first."""
    topics = [Downstream(name, topic=f"t{number}") for number, name in enumerate(names)]
    traits = asyncapi(Contract("c", version="1", owner="t", downstreams=topics))["components"]["messageTraits"]

    assert len(names) == len(traits)


def test_markdown_says_what_goes_to_whom() -> None:
    """The route of each downstream: what it gets, not what it asked for."""
    rows = {row[0]: row[1:] for row in _rows(markdown(CONTRACT)) if len(row) == 8}
    ids = "trace, request id, correlation id"

    assert [
        *("`*.pay.internal`", ids, "members, decisions", "x-tenant-id, signed for `pay`", "x-plan", "grpc-timeout"),
        "2 attempts, 5 failures, then 10 s rest",
    ] == rows["pay"]
    assert ["topic `feed.posts`", ids, "members, decisions", "x-tenant-id", "x-plan", "-", "-"] == rows["feed"]
    assert ["`api.stripe.com`", "request id, correlation id", "-", "-", "-", "-", "-"] == rows["stripe, external"]


@pytest.mark.req(99)
def test_markdown_says_what_may_stand_in_baggage_and_how_much() -> None:
    """Keys, values, limits."""
    text = markdown(CONTRACT)

    assert ["`region`", "`eu`, `us`", "-", "internal", "where"] in _rows(text)
    assert "16 members of 1,024 bytes, 8,192 on the wire" in text
    assert "at most 100 of 16,384 bytes together" in text
    assert "Deadline: at most 30 s; read of verified callers from `grpc-timeout`" in text
    assert "Deadline: none is read or kept." in markdown(EMPTY)
    assert "Limits are only observed" in markdown(replace(EMPTY, limits=Limits.OBSERVE))
    assert "observed" not in markdown(EMPTY)


def test_spliced_page_holds_the_document_and_all_else_as_it_was() -> None:
    """What stands before and behind the marks is nobody's business."""
    begin, end = marks_of(CONTRACT)
    page = f"# Shop\n\n{begin}\nold\n{end}\n\nMore.\n"
    written = spliced(page, CONTRACT)

    assert f"# Shop\n\n{begin}\n\n{markdown(CONTRACT)}\n{end}\n\nMore.\n" == written
    assert written == spliced(written, CONTRACT)


@pytest.mark.parametrize(
    "page",
    ["", "{begin}", "{end}", "{end}{begin}", "{begin}{begin}{end}", "{begin}{end}{end}", "{begin}{end}{begin}{end}"],
)
def test_spliced_refuses_a_page_whose_place_is_not_clear(page: str) -> None:
    """Both marks, once, in order; of another contract's it takes none."""
    begin, end = marks_of(CONTRACT)

    assert spliced(page.format(begin=begin, end=end), CONTRACT) is None
    assert spliced("{}{}".format(*marks_of(EMPTY)), CONTRACT) is None


@pytest.mark.req(99)
@both
def test_openapi_fragment_is_valid_in_a_description(contract: Contract) -> None:
    """OpenAPI 3.1, by its own schema, with every component referred to."""
    components = openapi(contract)["components"]
    parameters = [{"$ref": f"#/components/parameters/{key}"} for key in components["parameters"]]
    headers = {key: {"$ref": f"#/components/headers/{key}"} for key in components["headers"]}
    answer = {"description": "done", "headers": headers}
    document = {
        "openapi": "3.1.0",
        "info": {"title": contract.name, "version": contract.version},
        "paths": {"/": {"get": {"parameters": parameters, "responses": {"200": answer}}}},
        "components": components,
    }

    validate(document)


@pytest.mark.req(99)
def test_openapi_tells_requests_from_responses() -> None:
    """By direction; what is both is in both. OpenAPI has another place for some, and none for one connection's."""
    components = openapi(CONTRACT)["components"]

    assert {"x-plan", "x-tenant-id", "idempotency-key", "traceparent", "x-request-id"} <= components[
        "parameters"
    ].keys()
    assert {"etag", "x-request-id", "x-correlation-id"} == components["headers"].keys()
    assert (
        not {"etag", "authorization", "cookie", "content-type", "host", "forwarded"} & components["parameters"].keys()
    )
    assert {
        "name": "x-plan",
        "in": "header",
        "required": False,
        "description": "Which plan | the tenant\nhas",
        "schema": {"type": "string", "maxLength": 8, "pattern": "^(?:free|pro)$"},
        "x-pennon": {
            "category": "evolution",
            "owner": "billing",
            "trust": "mesh",
            "propagate": "always",
            "log": "clear",
            "classification": "internal",
        },
    } == components["parameters"]["x-plan"]


@pytest.mark.req(43, 99)
def test_asyncapi_says_which_headers_records_bear() -> None:
    """A trait for each topic, by the names on records; what the topic does not get is not there."""
    traits = asyncapi(CONTRACT)["components"]["messageTraits"]
    feed, quiet = traits["feed"], traits["quiet"]

    assert {"feed", "quiet"} == traits.keys()
    assert {
        *("traceparent", "tracestate", "x-request-id", "x-correlation-id", "baggage", "plan", "x-tenant-id"),
    } == feed["headers"]["properties"].keys()
    assert {"baggage", "plan"} == quiet["headers"]["properties"].keys()
    assert "$message.header#/x-correlation-id" == feed["correlationId"]["location"]
    assert "correlationId" not in quiet
    jsonschema.Draft7Validator.check_schema(feed["headers"])


@pytest.mark.req(99)
def test_asyncapi_schema_takes_a_record_and_refuses_another() -> None:
    """The schema means something."""
    schema = asyncapi(CONTRACT)["components"]["messageTraits"]["feed"]["headers"]
    validator = jsonschema.Draft7Validator(schema)

    assert validator.is_valid({"plan": "pro", "x-tenant-id": "tenant-42"})
    assert not validator.is_valid({"plan": "gratis"})


@pytest.mark.req(99)
def test_every_document_says_which_fields_are_required() -> None:
    """Each in its own words, and for who reads it by program."""
    fields = [_field("x-plan", required=True), _field("x-zone", kafka=None), replace(std.TENANT_ID, required=True)]
    contract = replace(CONTRACT, fields=[*fields, *CONTRACT.fields[1:4]], downstreams=[Downstream("feed", topic="f")])
    required = {row[0]: row[2] for row in _rows(markdown(contract))}
    parameters = openapi(contract)["components"]["parameters"]
    headers = asyncapi(contract)["components"]["messageTraits"]["feed"]["headers"]

    named = "`x-plan`, on records `plan`"
    assert ["yes", "no", "yes", "no"] == [required[each] for each in (named, "`x-zone`", "`x-tenant-id`", "`baggage`")]
    assert {"x-plan", "x-tenant-id"} == {name for name, each in parameters.items() if each["required"]}
    assert ["plan"] == headers["required"]
    assert not jsonschema.Draft7Validator(headers).is_valid({})
    assert jsonschema.Draft7Validator(headers).is_valid({"plan": "pro"})


@both
def test_documents_are_the_same_for_the_same_contract(contract: Contract) -> None:
    """Equal contracts, equal texts: drift is what somebody changed."""
    again = Contract(
        contract.name,
        version=contract.version,
        owner=contract.owner,
        fields=contract.fields,
        baggage=contract.baggage,
        downstreams=contract.downstreams,
        deadline=contract.deadline,
        proxies=contract.proxies,
    )

    assert markdown(contract) == markdown(again)
    assert (openapi(contract), asyncapi(contract)) == (openapi(again), asyncapi(again))


@pytest.mark.parametrize(
    ("syntax", "pattern"),
    [
        ("free|pro", "^(?:free|pro)$"),
        ("[a-z]++", "^(?:[a-z]+)$"),
        (r"a?+b*+c{1,2}+d{3}", r"^(?:a?b*c{1,2}d{3})$"),
        (r"\++[+*]+", r"^(?:\++[+*]+)$"),
        (r"[]*+]++", r"^(?:[]*+]+)$"),
        ("(?i:a)", None),
        ("(?P<a>b)", None),
        (r"(?>a+)", None),
        (r"a\Z", None),
        ("(?:a)(?=b)(?!c)(?<=d)", "^(?:(?:a)(?=b)(?!c)(?<=d))$"),
    ],
)
def test_ecma_pattern_is_what_json_schema_means(syntax: str, pattern: str | None) -> None:
    """Possessive quantifiers, which ECMA 262 has not, become plain; of what it cannot say nothing is said."""
    assert pattern == ecma_pattern(syntax)


@given(st.sampled_from(std.ALL), st.text(st.sampled_from(' ",;=*W/\\a0-.:[]GMT%'), max_size=30))
def test_ecma_pattern_takes_what_the_syntax_takes(each: Any, text: str) -> None:
    """For every built-in field, whatever the value."""
    pattern = ecma_pattern(each.syntax)

    assert pattern is not None
    assert "++" not in pattern.replace(r"\+", "")
    assert (re.fullmatch(each.syntax, text) is None) is (re.fullmatch(pattern, text) is None)
