"""A secret under a credential's name, in every shape in which lines come to hold one: it never stands in the line."""

import json
import logging
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final

import httpx
import pytest
import requests
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.headers import Classification, Contract, Field, Log, Propagate, std
from pennon.headers.redaction import Redaction
from pennon.logs import ContextFilter, structlog_processor

SALT: Final = b"salt"
# Names of credentials: of headers of any contract, of one of this one's own, and of such as nobody has declared.
NAMES: Final = [
    each.name
    for each in std.ALL
    if each.log is Log.NEVER and Redaction(Contract("c", version="1", owner="t"), salt=SALT).is_telling(each.name)
] + ["x-desk-key", "x-api-key", "x-session-id", "x-vault-token"]


def _mapping(name: str, secret: str) -> dict[str, str]:
    return {"name": name, "value": f"Token {secret}"}


def _envoy(name: str, secret: str) -> dict[str, Any]:
    return {"header": {"key": name, "value": secret}, "append_action": "ADD"}


def _har(name: str, secret: str) -> dict[str, Any]:
    return {"request": {"method": "GET", "headers": [{"name": "accept", "value": "a/b"}, _mapping(name, secret)]}}


def _otlp(name: str, secret: str) -> dict[str, Any]:
    return {"key": f"http.request.header.{name}", "value": {"arrayValue": {"values": [{"stringValue": secret}]}}}


# What is logged as it is.
VALUES: Final[dict[str, Callable[[str, str], Any]]] = {
    "a dict": lambda name, secret: {name: secret},
    "a list in a dict": lambda name, secret: {name: [secret, secret]},
    "a name and a value": _mapping,
    "a value and a name": lambda name, secret: {"value": secret, "name": name},
    "a name, something, and a value": lambda name, secret: {"Name": name.title(), "sensitive": True, "Value": secret},
    "a key and a value": lambda name, secret: {"key": name, "value": secret},
    "bytes": lambda name, secret: {"key": name.encode(), "raw_value": secret.encode()},
    "frozen": lambda name, secret: MappingProxyType(_mapping(name, secret)),
    "a list of them": lambda name, secret: [_mapping(name, secret), {"name": "accept", "value": "a/b"}],
    "Envoy's": _envoy,
    "HAR's": _har,
    "OTLP's": _otlp,
    "a pair": lambda name, secret: (name, secret),
    "a list for a pair": lambda name, secret: ["x", [name, secret]],
    "pairs": lambda name, secret: [("accept", "a/b"), (name, secret)],
    "a set of pairs": lambda name, secret: {("accept", "a/b"), (name, secret)},
    "a frozenset": lambda name, secret: {"seen": frozenset({(name, secret)})},
    "a set of much": lambda name, secret: {1, ("a", "b", "c"), (name, secret)},
    "httpx": lambda name, secret: httpx.Headers({name: secret}),
    "a request of httpx": lambda name, secret: httpx.Request("GET", f"http://u:{secret}@h/?{name}={secret}"),
    "requests": lambda name, secret: requests.Request("GET", "http://h", headers={name: secret}).prepare().headers,
    "an exception": lambda name, secret: ValueError({name: secret}),
    "an exception of pairs": lambda name, secret: ValueError([_mapping(name, secret)], (name, secret)),
}

IN_JSON: Final = (
    *("a dict", "a list in a dict", "a name and a value", "a value and a name", "a name, something, and a value"),
    *("a key and a value", "a list of them", "Envoy's", "HAR's", "OTLP's", "a pair", "a list for a pair", "pairs"),
)


def _as_repr(form: str) -> Callable[[str, str], str]:
    return lambda name, secret: repr(VALUES[form](name, secret))


def _as_json(form: str, indent: int | None) -> Callable[[str, str], str]:
    return lambda name, secret: json.dumps(VALUES[form](name, secret), indent=indent)


# What is logged as a text.
TEXTS: Final[dict[str, Callable[[str, str], str]]] = {
    **{f"repr of {form}": _as_repr(form) for form in VALUES},
    **{f"{form} as JSON": _as_json(form, None) for form in IN_JSON},
    **{f"{form} as JSON in lines": _as_json(form, 2) for form in IN_JSON},
    "JSON within JSON": lambda name, secret: json.dumps({"body": json.dumps(_har(name, secret))}),
    "a header": lambda name, secret: f"{name}: {secret}",
    "a header with a scheme": lambda name, secret: f"> {name.title()}: Custom {secret}\r\n> accept: a/b",
    "folded": lambda name, secret: f"GET / HTTP/1.1\r\n{name}: Basic\r\n {secret}\r\naccept: a/b",
    "folded at once": lambda name, secret: f"{name.upper()}:\n\t{secret}\n \n  {secret}",
    "folded within": lambda name, secret: f"  {name}: a,\n   {secret}",
    "a query": lambda name, secret: f"GET /a?b=c&{name}={secret} HTTP/1.1",
    "userinfo": lambda name, secret: f"calls https://{name}:{secret}@h/a",
    "an argument": lambda name, secret: f"call({name.replace('-', '_')}={secret!r})",
    "an object": lambda name, secret: f"Header(name={name!r}, value={secret!r})",
    "words": lambda name, secret: f"set name={name} value={secret}",
    "YAML": lambda name, secret: f"headers:\n- name: accept\n  value: a/b\n- name: {name}\n  value: {secret}\n",
    "YAML in a line": lambda name, secret: f"header: {{value: {secret}, key: {name}}}",
    "an environ": lambda name, secret: repr({f"HTTP_{name.upper().replace('-', '_')}": secret}),
}
CONTRACT: Final = Contract(
    "c",
    version="1",
    owner="t",
    fields=[
        Field(
            "x-desk-key",
            category=std.TENANT_ID.category,
            owner="t",
            syntax="[a-z]+",
            max_length=40,
            trust=std.TENANT_ID.trust,
            caller_may_set=std.TENANT_ID.caller_may_set,
            gateway_overwrites=std.TENANT_ID.gateway_overwrites,
            downstream_may_forward=False,
            propagate=Propagate.NEVER,
            log=Log.NEVER,
            classification=Classification.SECRET,
            description="Opens a desk",
        )
    ],
)
FILTER: Final = ContextFilter(CONTRACT, salt=SALT)
PROCESS: Final = structlog_processor(CONTRACT, salt=SALT)
FORMATTER: Final = logging.Formatter()
JSON: Final = structlog.processors.JSONRenderer(default=repr)

names = st.sampled_from(NAMES)
secrets = st.text("bcdfghjklmnpqrstvwxz0123456789", min_size=14, max_size=20)


def by_filter(message: object, *args: object, **members: object) -> str:
    """The line, and all that the record holds for formatters."""
    said = {"msg": message, "args": args[0] if len(args) == 1 and isinstance(args[0], dict) else args}
    record = logging.makeLogRecord(said | members)
    FILTER.filter(record)
    return f"{FORMATTER.format(record)} {vars(record)}"


def by_processor(event: object, **members: object) -> str:
    """The line of JSON, and the event itself."""
    processed: Any = PROCESS(None, "info", {"event": event, **members})
    return f"{JSON(None, 'info', dict(processed))!s} {processed}"


@pytest.mark.req(96, 97, 105, 119)
@pytest.mark.parametrize("shape", VALUES)
@settings(max_examples=25)
@given(name=names, secret=secrets)
def test_value_of_any_shape_says_no_secret(shape: str, name: str, secret: str) -> None:
    """As message, argument, extra, bound value, and within those."""
    value = VALUES[shape](name, secret)
    said = [
        by_filter("got %s", value, 1),
        by_filter(value),
        by_filter("got", given=value, within={"a": [value]}),
        by_processor("got", given=value, within={"a": (value,)}),
        by_processor(value),
    ]

    assert not [line for line in said if secret in line]


@pytest.mark.req(96, 97, 105, 119)
@pytest.mark.parametrize("shape", TEXTS)
@settings(max_examples=25)
@given(name=names, secret=secrets)
def test_text_of_any_shape_says_no_secret(shape: str, name: str, secret: str) -> None:
    """As message, argument, extra, bound value, key, and in what an exception says."""
    text = TEXTS[shape](name, secret)
    error = ValueError(text)
    error.add_note(text)
    said = [
        by_filter(text),
        by_filter("got %s", text),
        by_filter("got %(it)s", {"it": text}),
        by_filter("failed", exc_info=(ValueError, error, None), stack_info=text),
        by_filter("got", given=text, **{text: 1}),
        by_processor(text, within=[text], exc_info=error),
        by_processor("got", **{text: 1}),
    ]

    assert not [line for line in said if secret in line]


@pytest.mark.req(96, 97, 105)
@given(name=names, secret=secrets)
def test_members_of_a_line_are_looked_at_together(name: str, secret: str) -> None:
    """A header's name as a key, in any spelling, and one that stands beside its value."""
    said = [
        by_processor("got", **{name: secret}),
        by_processor("got", **{name.title().replace("-", "_"): secret}),
        by_processor("got", key=name, value=secret),
        by_processor("got", value=secret, name=name),
        by_filter("got", **{name: secret}),
        by_filter("got", value=secret, key=name),
        by_filter("%(name)s is %(value)s", {"name": name, "value": secret}),
        by_filter("%s: %s", name, secret),
    ]

    assert not [line for line in said if secret in line]


def test_what_is_no_credential_s_stays_beside_its_name() -> None:
    """Names and values of anything else, words in pairs, and headers that may be read: the very same objects."""
    entries = [{"name": "colour", "value": "blue"}, {"key": "content-type", "value": "a/b"}, ("a", "b"), {1, ("x", 2)}]
    event: Any = PROCESS(None, "info", {"event": "got", "name": "colour", "value": "blue", "entries": entries})
    text = json.dumps([{"name": "colour", "value": "blue"}, {"value": "red", "name": "content-type"}, ["a", "b"]])
    record = logging.makeLogRecord({"msg": text, "entries": entries})
    FILTER.filter(record)

    assert ("colour", "blue") == (event["name"], event["value"])
    assert entries is event["entries"] is record.entries  # type: ignore[attr-defined]
    assert text == record.getMessage()


def test_lines_that_no_header_is_folded_over_stay() -> None:
    """What is indented no deeper than the header, as in a traceback or a document, is no part of it."""
    text = 'a:\n  x-api-key: {}\n  accept: a/b\nx-api-key: {}\nb\n    x-api-key: {}\n    ^^^^\n  File "b"'

    line = by_filter(text.format("s3cr3t", "s3cr3t,\n s3cr3t", "s3cr3t")).partition(" {'")[0]
    assert text.format(*["<redacted>"] * 3) == line
