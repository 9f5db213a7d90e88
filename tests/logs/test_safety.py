"""What goes out of a line: headers however they are handed in, what a name says is secret, what looks like it."""

import json
import logging
import logging.config
import logging.handlers
import sys
import types
import uuid
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from requests.structures import CaseInsensitiveDict
from starlette.datastructures import Headers
from werkzeug.datastructures import EnvironHeaders

from pennon.context import RequestContext
from pennon.headers import Contract
from pennon.logs import ContextFilter, structlog_processor

SALT = b"salt"
SECRET = "s3cr3t-0f-th3-d4y"
PLAIN = {"x-api-key": SECRET, "cookie": f"sid={SECRET}", "accept": "text/html", "x-unknown": SECRET}
RAW = [(name.encode(), value.encode()) for name, value in PLAIN.items()]
ENVIRON = {
    "REQUEST_METHOD": "GET",
    "QUERY_STRING": SECRET,
    **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in PLAIN.items()},
}
FORMS: dict[str, Any] = {
    "dict": PLAIN,
    "frozen dict": types.MappingProxyType(PLAIN),
    "pairs": list(PLAIN.items()),
    "pairs of bytes": tuple(RAW),
    "a record's": [(name, value.encode()) for name, value in PLAIN.items()],
    "lists of values": {name: [value] for name, value in PLAIN.items()},
    "environ": ENVIRON,
    "httpx": httpx.Headers(PLAIN),
    "Starlette": Headers(raw=RAW),
    "requests": CaseInsensitiveDict(PLAIN),
    "aiohttp": CIMultiDict(PLAIN),
    "werkzeug": EnvironHeaders(ENVIRON),
}


@pytest.fixture(scope="module")
def process() -> Any:
    return structlog_processor(Contract("c", version="1", owner="t"), salt=SALT)


@pytest.fixture(scope="module")
def keep() -> logging.Filter:
    return ContextFilter(Contract("c", version="1", owner="t"), salt=SALT)


@pytest.mark.req(96, 97, 105)
@pytest.mark.parametrize("form", FORMS)
def test_headers_stand_by_their_rules_in_whatever_form(form: str, written: Any, process: Any) -> None:
    """As an argument, as an extra, as a key of an event: what is harmless can be read, what is not is gone."""
    headers = FORMS[form]
    written.log.info("headers %s", headers)
    written.log.info("headers %s and %s", headers, 1)
    written.log.info("came", extra={"request_headers": headers})
    event = process(None, "info", {"event": "came", "headers": headers, "scope": {"type": "http", "headers": headers}})

    said = [written.lines[0], written.lines[1], str(written.record.request_headers), json.dumps(event)]
    assert all("text/html" in line for line in said)
    assert not [line for line in said if SECRET in line]
    assert not [line for line in said if "cookie" in line.lower()]


@pytest.mark.req(96)
def test_extra_that_may_never_be_logged_is_not_there_by_name(written: Any, process: Any) -> None:
    """Neither in a record nor in an event, nor within them."""
    written.log.info("x", extra={"authorization": "a", "set_cookie": "b", "inner": {"Cookie": "c", "n": 1}})
    event = process(None, "info", {"event": "x", "authorization": "a", "inner": {"pennon-override": "c", "n": 1}})

    assert not {"authorization", "set_cookie"} & written.record.__dict__.keys()
    assert "ookie" not in str(written.record.inner)
    assert {"event": "x", "inner": {"n": "<redacted>"}} == {**event, "inner": {"n": "<redacted>"}}
    assert "override" not in str(event)


@pytest.mark.req(97)
def test_secret_by_its_name_or_its_look_is_gone_wherever_it_stands(written: Any, process: Any) -> None:
    """In message, argument, extra, and as deep as lists and dicts go; numbers under such names stay."""
    token = "ghp_0123456789abcdef"
    log = written.log
    log.info("got ghp_0123456789abcdef")
    log.info("got %s from %s", token, "b")
    log.info("got %(token)s", {"token": SECRET})
    log.info("api_key=%s", SECRET)
    log.info("x", extra={"deep": [{"a": (token, 1)}], "password": SECRET, "tokens_used": 5})
    event = process(None, "info", {"event": f"x {token}", "list": [token], "session_id": SECRET, "tokens_used": 5})

    said = [*written.lines, str(written.record.__dict__), str(event)]
    assert not [line for line in said if SECRET in line or token in line]
    assert "got <redacted> from b" == written.lines[1]
    assert 5 == written.record.tokens_used == event["tokens_used"]


@pytest.mark.req(97)
def test_exception_says_nothing_secret(written: Any, process: Any) -> None:
    """Its message, those of its causes, its notes; also where the traceback is rendered before us."""
    try:
        try:
            raise KeyError(f"cookie: sid={SECRET}")
        except KeyError as cause:
            cause.add_note(f"x-api-key: {SECRET}")
            raise ValueError(f"bad headers {PLAIN}") from cause
    except ValueError as error:
        written.log.exception("failed")
        written.log.error("failed: %s", error)
        written.log.error(error)
        events = [process(None, "error", {"event": "failed", "exc_info": given}) for given in (True, error)]
        rendered = structlog.processors.format_exc_info(None, "error", {"event": "failed", "exc_info": error})
        events.append(process(None, "error", rendered))
        events.append(process(None, "error", {"event": "failed", "error": error}))

    said = [*written.lines, *map(str, events), str([record.__dict__ for record in written.records])]
    assert not [line for line in said if SECRET in line]
    assert "ValueError: bad headers" in written.lines[0]
    assert "test_exception_says_nothing_secret" in written.lines[0]
    assert all("ValueError" in str(event) for event in events)


def test_line_without_secrets_stays_as_it_is(written: Any, process: Any) -> None:
    """The very same objects: who groups lines by their template, or renders exceptions in its own way, still can."""
    thing, error = object(), ValueError("plain")
    extra = {"thing": thing, "items": [1, "b"], "id": uuid.UUID(int=1)}
    try:
        raise error
    except ValueError:
        written.log.exception("took %d ms for %s", 5, thing, extra=extra)
    event = process(None, "info", {"event": "x", **extra, "exc_info": error})

    record = written.record
    assert ("took %d ms for %s", (5, thing)) == (record.msg, record.args)
    assert error is record.exc_info[1] is event["exc_info"]
    assert all(record.__dict__[name] is value is event[name] for name, value in extra.items())


class _Hostile:
    """What cannot be looked at."""

    def __repr__(self) -> str:
        raise RuntimeError(SECRET)

    items = property(lambda self: self.gone)


def test_value_that_cannot_be_looked_at_is_dropped_the_line_is_not(written: Any, process: Any, capsys: Any) -> None:
    """Nothing raises into whoever logs, and logging's own complaint, which shows the arguments, is not provoked."""
    log = written.log
    log.info("got %s and %s", _Hostile(), 1)
    log.info("one too few %s %s", *[SECRET])
    log.info("not a number %d", f"x-api-key: {SECRET}")
    log.info("x", extra={"a": _Hostile(), "headers": _Hostile(), "b": {"c": _Hostile(), "d": 1}})
    circle: list[Any] = []
    circle.append(circle)
    event = process(None, "info", {"event": "x", "circle": circle, "a": _Hostile(), "wide": list(range(10_000))})

    assert "got <redacted> and 1" == written.lines[0]
    assert "one too few %s %s" == written.lines[1]
    assert {"c": "<redacted>", "d": 1} == written.record.b
    assert ("<redacted>", "<redacted>") == (event["a"], event["wide"])
    assert SECRET not in str(written.lines)
    assert "" == "".join(capsys.readouterr())


_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=8)
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12) | st.binary(max_size=3), inner)
    | st.tuples(inner, inner) | st.frozensets(_leaves, max_size=2),
    max_leaves=12,
)  # fmt: skip


@given(message=st.text(max_size=30), args=st.lists(_values, max_size=3), extra=st.dictionaries(st.text(), _values))
def test_no_line_raises(message: str, args: list[Any], extra: dict[str, Any], keep: Any, process: Any) -> None:
    """Whatever is logged, it passes, and can be formatted."""
    given = logging.makeLogRecord({"msg": message, "args": tuple(args)} | {f"x{name}": extra[name] for name in extra})

    assert keep.filter(given)
    given.getMessage()
    process(None, "info", {"event": message, "args": args, **extra})


def test_event_in_a_record_is_safe_too(keep: Any) -> None:
    """Structlog hands its event to the standard library as a record's message."""
    record: Any = logging.makeLogRecord({"msg": {"event": "came", "headers": PLAIN}})
    keep.filter(record)

    assert SECRET not in str(record.msg)
    assert "came" == record.msg["event"]


def test_processor_formatter_writes_nothing_secret(process: Any, serving: RequestContext) -> None:
    """Structlog's events and other libraries' records alike, where its formatter has ours before the renderer."""
    chain = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.format_exc_info, process]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[*chain, structlog.processors.JSONRenderer(default=repr)]
    )
    try:
        raise ValueError(f"cookie: sid={SECRET}")
    except ValueError:
        failure = sys.exc_info()
    foreign = logging.makeLogRecord({"msg": "came %s", "args": (PLAIN,), "exc_info": failure})
    line = json.loads(formatter.format(foreign))

    assert SECRET not in str(line)
    assert ("req_1", True) == (line["request_id"], "ValueError: <redacted>" in line["exception"])


def test_filter_is_made_by_a_configuration() -> None:
    """By `logging.config`, as most services set logging up."""
    contract = Contract("c", version="1", owner="t")
    configuration = {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"pennon": {"()": "pennon.logs.ContextFilter", "contract": contract}},
        "handlers": {"kept": {"class": "logging.handlers.BufferingHandler", "capacity": 9, "filters": ["pennon"]}},
        "loggers": {"pennon.test.configured": {"handlers": ["kept"], "propagate": False}},
    }
    logging.config.dictConfig(configuration)
    log = logging.getLogger("pennon.test.configured")
    log.warning("x-api-key: %s", SECRET)
    (handler,) = log.handlers

    assert ["x-api-key: <redacted>"] == [record.getMessage() for record in handler.buffer]  # type: ignore[attr-defined]
