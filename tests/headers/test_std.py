"""The built-in fields: complete, consistent, and usable in a contract as far as it takes them today."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers import (
    Category,
    Classification,
    Contract,
    Extracted,
    Log,
    Propagate,
    Trust,
    UnknownHeaders,
    std,
    std_http,
)
from pennon.headers.cloudevents import CONTENT_TYPE
from pennon.headers.deadline import DeadlineForm
from pennon.headers.grammar import HOP_BY_HOP, OWN, STANDARD
from pennon.headers.proxies import FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO
from pennon.headers.standard import Direction, HeaderScope, StandardField

# One good value of each that is not free text, and one that must not pass.
VALUES = {
    "traceparent": ("00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01", "00-8A3C-1-01"),
    "x-request-id": ("req_01KAH6ZK3T8V9QWX2M5N7P4R6S", "a b"),
    "x-correlation-id": ("corr_01KAH6ZK4B1C2D3E4F5G6H7J8K", '{"id":1}'),
    "x-request-deadline": ("2026-11-21T10:15:30.250Z", "2026-11-21T10:15:30"),
    "x-request-timeout-ms": ("250", "250ms"),
    "grpc-timeout": ("99999999n", "1s"),
    "x-envoy-expected-rq-timeout-ms": ("250", "-1"),
    "retry-after": ("Fri, 30 Jun 2023 23:59:59 GMT", "soon"),
    "x-shard": ("shard-7", "a/b"),
    "x-region": ("eu-west-1", ""),
    "x-canary": ("always", "yes please"),
    "x-tenant-id": ("tenant-42", "Acme Inc"),
    "x-actor-id": ("system:scheduler", "jane@example.com"),
    "x-actor-type": ("HUMAN", "human"),
    "x-on-behalf-of": ("user-991", "Jane Doe"),
    "x-caller-service": ("checkout", "check out"),
    "etag": ('W/"a"', "a"),
    "if-match": ('"a", W/"b"', '"a" "b"'),
    "if-none-match": ("*", "**"),
    "if-modified-since": ("Fri, 30 Jun 2023 23:59:59 GMT", "2023-06-30"),
    "sunset": ("Fri, 30 Jun 2023 23:59:59 GMT", "Friday, 30-Jun-23 23:59:59 GMT"),
    "content-type": ('application/json; charset="utf-8";', "json"),
    "host": ("[::1]:8080", "a b"),
    "content-length": ("12", "1e2"),
    "x-forwarded-port": ("443, 80", "https"),
    "pennon-override": ("eyJhbGciOiJFZERTQSJ9.e30.x", "a b"),
}
STRICT = Contract("c", version="1", owner="t", unknown=UnknownHeaders.REJECT)
# As they were sent, but for the host: a browser's first page, its preflight, its stream and its WebSocket; two tools.
CLIENTS = {
    "browser": """host connection cache-control sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform upgrade-insecure-requests
        user-agent accept sec-fetch-site sec-fetch-mode sec-fetch-user sec-fetch-dest accept-encoding accept-language
        cookie dnt sec-gpc priority te referer origin pragma if-none-match if-modified-since range if-range""",
    "preflight": """host connection accept access-control-request-method access-control-request-headers origin
        sec-fetch-mode sec-fetch-site sec-fetch-dest referer user-agent accept-encoding accept-language""",
    "stream": "host accept cache-control last-event-id user-agent sec-fetch-mode",
    "websocket": """host connection upgrade origin sec-websocket-version sec-websocket-key sec-websocket-extensions
        sec-websocket-protocol user-agent pragma cache-control accept-encoding""",
    "curl": "host user-agent accept content-length content-type expect authorization",
    "script": """host x-requested-with accept-encoding accept connection user-agent content-type content-length date
        from via""",
}
every = pytest.mark.parametrize("each", std.ALL, ids=lambda each: each.name)


@pytest.mark.req(1, 3, 4, 113)
def test_every_header_that_this_room_reads_is_built_in() -> None:
    """None of them is left without a category, an owner and a logging rule."""
    read = {*STANDARD, *OWN, *DeadlineForm, *HOP_BY_HOP, CONTENT_TYPE}
    read |= {FORWARDED, X_FORWARDED_FOR, X_FORWARDED_PROTO, X_FORWARDED_HOST, X_FORWARDED_PORT}

    assert set() == read - std.BY_NAME.keys()
    assert len(std.ALL) == len(std.BY_NAME)


def test_every_field_of_the_table_is_among_all() -> None:
    """A field that is declared and not listed would never be found."""
    declared = {value.name for value in vars(std).values() if isinstance(value, StandardField)}

    assert declared <= std.BY_NAME.keys()
    assert set(Category) == {each.category for each in std.ALL}


@pytest.mark.req(17)
def test_names_differ_by_more_than_case_and_dashes() -> None:
    """Twins would be one header behind a gateway."""
    assert len(std.ALL) == len({each.name.lower().replace("_", "-") for each in std.ALL})
    assert all(each.name == each.name.lower() for each in std.ALL)


@every
@pytest.mark.req(3, 22)
def test_contract_takes_a_built_in_field_as_it_is(each: StandardField) -> None:
    """None has a fault of its own; and what a codec, the server or the response handles is not read twice."""
    contract = Contract("c", version="1", owner="t", fields=[each])
    is_read = not (each.name in std.HANDLED or each.scope is HeaderScope.HOP or each.direction is Direction.RESPONSE)

    assert (each,) == contract.fields
    assert {each.name: each} == contract.declared
    assert is_read is (each.name in contract.fields_by_name)


@pytest.mark.req(18, 20)
@every
def test_field_of_one_connection_is_never_forwarded(each: StandardField) -> None:
    """Hop-by-hop ends here; and exactly what the grammar says is hop-by-hop is so."""
    if each.scope is HeaderScope.HOP:
        assert (Propagate.NEVER, False) == (each.propagate, each.downstream_may_forward)
    if each.name in HOP_BY_HOP:
        assert HeaderScope.HOP is each.scope
    assert each.downstream_may_forward is (each.propagate is not Propagate.NEVER)


@pytest.mark.req(96)
@every
def test_secret_is_neither_logged_nor_sent_everywhere(each: StandardField) -> None:
    """What proves or identifies somebody stays out of logs in clear, and of most calls."""
    if each.classification is Classification.SECRET:
        assert each.log is Log.NEVER
        assert each.propagate is not Propagate.ALWAYS
    if each.classification is Classification.PERSONAL:
        assert each.log is not Log.CLEAR


@pytest.mark.req(8, 10, 104)
def test_identity_and_routing_are_not_a_strangers_to_set() -> None:
    """Tenant, actor, region: never from raw headers at the edge."""
    for name in ("x-tenant-id", "x-actor-id", "x-actor-type", "x-on-behalf-of", "x-caller-service", "x-region"):
        assert not std.BY_NAME[name].is_open
        assert Trust.CLIENT is not std.BY_NAME[name].trust


@pytest.mark.req(12)
@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_that_clients_send_by_themselves_is_unknown(client: str, take: Callable[..., Extracted]) -> None:
    """A contract that rejects unknown headers serves browsers and tools, whatever the spelling."""
    names = CLIENTS[client].split()

    assert take([(name, "1") for name in names], under=STRICT).refusal is None
    assert take([(name.title(), "1") for name in names], under=STRICT).refusal is None


@pytest.mark.req(1, 3, 113)
@pytest.mark.parametrize("each", std_http.ALL, ids=lambda each: each.name)
def test_everyday_field_says_where_it_is_defined_and_stays_here(each: StandardField) -> None:
    """An RFC's is named with its section; none travels on, and requests' are anybody's to send, answers' nobody's."""
    assert (re.fullmatch(r"RFC [0-9]{4} §[0-9.]+", each.source) is not None) is (each.owner == "IETF")
    assert each.owner in std.STANDARDS_OWNERS
    assert each.source
    assert (Propagate.NEVER, False) == (each.propagate, each.downstream_may_forward)
    assert HeaderScope.END_TO_END is each.scope
    assert each.is_open is (each.direction is not Direction.RESPONSE)


@pytest.mark.req(96, 97)
def test_who_asks_from_where_and_on_what_is_not_logged_in_clear() -> None:
    """A person, a page, a device or a token stands in no log line; what is personal cannot be declared otherwise."""
    names = ["from", "referer", "ping-from", "ping-to", "origin", "location", "sec-websocket-protocol", "dpop"]
    names += ["user-agent", "accept-language", "x-requested-with", "www-authenticate", "last-event-id"]
    names += [name for name in std.BY_NAME if name.startswith("sec-ch-")]
    personal = {each.name for each in std_http.ALL if each.classification is Classification.PERSONAL}

    assert all(std.BY_NAME[name].log is not Log.CLEAR for name in names)
    assert {"from", "referer", "ping-from", "ping-to"} == personal


@pytest.mark.req(3)
def test_everyday_values_pass_as_the_vectors_say(vectors: Callable[[str, str], list[dict[str, Any]]]) -> None:
    """Each field takes its standard's examples within its length, and refuses what is no value of it."""
    cases = vectors("fields.json", "values")
    for case in cases:
        each = std.BY_NAME[case["field"]]
        assert all(re.fullmatch(each.syntax, good) and len(good) <= each.max_length for good in case["good"]), case
        assert not any(re.fullmatch(each.syntax, bad) for bad in case["bad"]), case

    assert [each.name for each in std_http.ALL] == [case["field"] for case in cases]


@pytest.mark.parametrize("each", [each for each in std.ALL if each not in std_http.ALL], ids=lambda each: each.name)
def test_syntax_takes_and_refuses(each: StandardField) -> None:
    """One good value passes within the length, one bad does not; free text is text."""
    good, bad = VALUES.get(each.name, ("text, of any kind", "a\nb"))
    if each.name == "x-forwarded-proto":
        good, bad = "https, http", "a/b"
    if each.name == "idempotency-key":
        good = '"k"'
    if each.name == "pennon-context":
        good, bad = "eyJhbGciOiJFZERTQSJ9.e30.x", "a b"
    if each.name == "if-unmodified-since":
        good, bad = VALUES["sunset"]

    assert re.fullmatch(each.syntax, good)
    assert not re.fullmatch(each.syntax, bad)
    assert len(good) <= each.max_length


@given(st.sampled_from(std.ALL), st.text(st.sampled_from(' ",;=*W/\\a0-.:[]GMT\n'), max_size=60))
def test_syntax_never_takes_a_line_break(each: Any, text: str) -> None:
    """No built-in header can be made two."""
    assert not (re.fullmatch(each.syntax, text) and "\n" in text)
