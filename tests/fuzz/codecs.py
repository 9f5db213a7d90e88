"""What is fuzzed: every codec of headers, of decisions and of tokens, with what it promises for any bytes.

An input is what came in: a value; or lines, with the byte 1E between them; or headers, with 1F between name and value.
Seeds are the conformance vectors.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz.fuzzer import Codec

from pennon import carry
from pennon.context import Ledger, SpanId, TraceId
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    DropReason,
    Extracted,
    Field,
    Headers,
    Log,
    Propagate,
    TraceParent,
    Trust,
    extract,
    fit_tracestate,
    format_baggage,
    format_traceparent,
    format_tracestate,
    inject,
    parse_baggage,
    parse_id,
    parse_traceparent,
    parse_tracestate,
)
from pennon.headers.cloudevents import EventMode, event_headers, parse_event
from pennon.headers.deadline import format_deadline, read_deadline
from pennon.headers.forwarded import parse_forwarded, parse_node, parse_x_forwarded_node
from pennon.headers.identity import IDENTITY_NAMES, identity_fields, identity_of
from pennon.headers.leaks import leak_in
from pennon.headers.proxies import TrustedProxies, client_behind
from pennon.headers.redaction import Redaction
from pennon.headers.structured import (
    format_deprecation,
    format_idempotency_key,
    format_ratelimit,
    format_ratelimit_policy,
    parse_deprecation,
    parse_idempotency_key,
    parse_ratelimit,
    parse_ratelimit_policy,
)
from pennon.headers.times import MS_NS, S_NS, format_grpc_timeout, format_rfc3339, parse_grpc_timeout_ns, parse_ms_ns
from pennon.headers.times import parse_rfc3339_ns as parse_rfc3339
from pennon.headers.ulid import new_ulid, parse_ulid
from pennon.signing.tokens import TOKEN_LIMIT_BYTES, SigningFault, claims_in, key_id_in

VECTORS: Final = Path(__file__).parents[1] / "conformance" / "vectors"
LINE: Final = b"\x1e"
VALUE: Final = b"\x1f"

NOW_NS: Final = 1_795_256_100_000_000_000
MONOTONIC_NS: Final = 77_000_000_000
ENTROPY: Final = bytes(range(1, 41))
CAP_S: Final = 30.0

_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
_ID: Final = re.compile(r"[A-Za-z0-9._:\-]{1,128}")
_SAFE_VALUE: Final = re.compile(rb"[\t\x20-\x7e]*")
_LOG_LINE: Final = re.compile(r"[\x20-\x7e]*")
_DEADLINES: Final = DeadlinePolicy(accept=list(DeadlineForm), cap_s=CAP_S)
_PROXIES: Final = TrustedProxies(["10.0.0.0/8", "fd00::/8"])
_PEERS: Final = ("10.0.0.1", "fd00::1", "192.0.2.9", None)

_OPEN: Final[Mapping[str, Any]] = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False}
_CLOSED: Final[Mapping[str, Any]] = {"trust": Trust.GATEWAY, "caller_may_set": False, "gateway_overwrites": True}


def _field(name: str, who: Mapping[str, Any], **more: Any) -> Field:
    declared: dict[str, Any] = {
        "category": Category.ROUTING,
        "owner": "platform",
        "syntax": r"[a-z0-9-]+",
        "max_length": 64,
        "downstream_may_forward": True,
        "propagate": Propagate.ALWAYS,
        "log": Log.CLEAR,
        "classification": Classification.INTERNAL,
        "description": "A field",
    }
    return Field(name, **(declared | dict(who) | more))


CONTRACT: Final = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[
        _field("x-pool", _CLOSED, kafka="pool"),
        _field("X-Zone", _OPEN),
        _field("x-once", _OPEN, syntax=r'"[\x20-\x7e]+"', classification=Classification.PUBLIC, log=Log.HASH),
        _field("x-local", _CLOSED, downstream_may_forward=False),
    ],
    baggage=BaggagePolicy(allow=["tenant.tier", "region"]),
    downstreams=[
        Downstream("posts", host="posts.internal"),
        Downstream("feed", topic="feed.posts"),
        Downstream("stripe", host="api.stripe.com", external=True),
        Downstream("plain", host="plain.internal", decisions=False),
    ],
)
_REDACTION: Final = Redaction(CONTRACT, salt=b"salt")


# ---- reading inputs


def _lines(data: bytes) -> list[bytes]:
    return data.split(LINE)


def _pairs(data: bytes) -> list[tuple[bytes, bytes | None]]:
    parts = [line.partition(VALUE) for line in data.split(LINE)]
    return [(name, value if mark else None) for name, mark, value in parts]


def _found(data: bytes) -> dict[str, list[bytes]]:
    """As an ingress hands them to a codec: lower-case name -> the values of its lines."""
    found: dict[str, list[bytes]] = {}
    for name, value in _pairs(data):
        if value is not None:
            found.setdefault(name.decode("latin-1").lower(), []).append(value)
    return found


# ---- what each promises


def check_traceparent(data: bytes) -> None:
    """What is read is valid, and is written and read as the same."""
    parsed = parse_traceparent(data)
    if parsed is not None:
        written = format_traceparent(parsed.trace_id, parsed.parent_id, parsed.flags)
        assert _TRACEPARENT.fullmatch(written)
        assert parsed == parse_traceparent(written) == TraceParent(
            TraceId(parsed.trace_id), SpanId(parsed.parent_id), parsed.flags & 3
        )  # fmt: skip


def check_tracestate(data: bytes) -> None:
    """At most 32 members, each key once; what fits is written and read as the same."""
    parsed = parse_tracestate(_lines(data))
    keys = [key for key, _ in parsed.members]
    assert len(keys) <= 32
    assert len(set(keys)) == len(keys)
    fitted = fit_tracestate(parsed.members).members
    written = format_tracestate(fitted)
    assert len(written) <= 512
    assert fitted == parse_tracestate([written.encode()]).members
    # The short way for a single member says what the long way says.
    assert parsed.members == parse_tracestate([*_lines(data), b""]).members


def check_baggage(data: bytes) -> None:
    """At most 64 members; what is read is written and read as the same."""
    parsed = parse_baggage(_lines(data))
    assert len(parsed.members) + len(parsed.dropped) <= 65
    written = format_baggage(parsed.members)
    assert _SAFE_VALUE.fullmatch(written)
    again = parse_baggage([written])
    assert (parsed.members, ()) == (again.members, again.dropped)


def check_deadline(data: bytes) -> None:
    """One is always there, and never beyond the cap; written and read it is never later."""
    found = _found(data)
    for is_trusted in (True, False):
        read = read_deadline(found, _DEADLINES, is_trusted=is_trusted, now_ns=NOW_NS, monotonic_ns=MONOTONIC_NS)
        left_ns = read.deadline.remaining_ns(MONOTONIC_NS)
        assert -2 * S_NS <= left_ns <= CAP_S * S_NS
        assert is_trusted or not read.took
        for form in DeadlineForm:
            wire = {form.value: [format_deadline(form, left_ns, now_ns=NOW_NS)]}
            again = read_deadline(wire, _DEADLINES, is_trusted=True, now_ns=NOW_NS, monotonic_ns=MONOTONIC_NS)
            assert ((form.value,), ()) == (again.took, again.dropped)
            assert again.deadline.remaining_ns(MONOTONIC_NS) <= max(0, left_ns)


def check_grpc_timeout(data: bytes) -> None:
    """A span of 0 or more; written and read it is not longer."""
    span_ns = parse_grpc_timeout_ns(data)
    if span_ns is not None:
        again_ns = parse_grpc_timeout_ns(format_grpc_timeout(span_ns))
        assert again_ns is not None
        assert 0 <= again_ns <= span_ns
        # The finest unit in which 8 digits hold it: less than one part in ten million is lost.
        assert span_ns - again_ns <= span_ns / 1_600_000


def check_milliseconds(data: bytes) -> None:
    """Digits, and what they say."""
    span_ns = parse_ms_ns(data)
    assert (span_ns is not None) is (data.isdigit() and len(data) <= 15)
    assert span_ns is None or int(data) * MS_NS == span_ns


def check_rfc3339(data: bytes) -> None:
    """Within the years that can be written, it is written and read as the same, cut to milliseconds."""
    at_ns = parse_rfc3339(data)
    if at_ns is None:
        return
    try:
        written = format_rfc3339(at_ns)
    except OverflowError:
        # An offset, or a leap second, leads out of the years 1 to 9999.
        assert data[:4] in {b"0001", b"9999"}
        return
    assert written.endswith(b"Z")
    assert at_ns // MS_NS * MS_NS == parse_rfc3339(written)


def check_forwarded(data: bytes) -> None:
    """A stranger is not believed; who is behind a proxy is somebody, or nobody for a reason."""
    lines = _lines(data)
    elements = list(parse_forwarded(lines))
    assert None not in elements[:-1]
    _check_client({"forwarded": lines})


def check_x_forwarded(data: bytes) -> None:
    """Likewise, and beside the standard header too."""
    _check_client(_found(data))


def _check_client(found: Mapping[str, Sequence[bytes]]) -> None:
    for peer in _PEERS:
        client = client_behind(peer, found, _PROXIES)
        assert client.address is None or client.address.isascii()
        assert client.port is None or 0 < client.port < 65_536
        assert client.proto is None or client.proto == client.proto.lower()
        assert len(client.hops) <= 9
        if peer in ("192.0.2.9", None):
            assert (peer, None, None, ()) == (client.address, client.proto, client.host, client.took)


def check_node(data: bytes) -> None:
    """An address as it is usually written is read as itself, in either header."""
    text = data.decode("latin-1")
    for parse in (parse_node, parse_x_forwarded_node):
        node = parse(text)
        if node is not None and node.address is not None:
            again = parse_x_forwarded_node(str(node.address))
            assert again is not None
            assert node.address == again.address


def check_id(data: bytes) -> None:
    """It matches the syntax as a whole, and is read as itself."""
    parsed = parse_id(data)
    if parsed is not None:
        assert _ID.fullmatch(parsed)
        assert parsed == parse_id(parsed.encode()) == data.strip(b" \t").decode()
    else:
        assert not _ID.fullmatch(data.decode("latin-1")) or b"\n" in data


def check_idempotency_key(data: bytes) -> None:
    """Printable, and written and read as the same where the quotes leave room."""
    key = parse_idempotency_key(_lines(data))
    if not isinstance(key, DropReason):
        assert key
        assert key.isascii()
        assert key.isprintable()
        written = format_idempotency_key(key)
        assert parse_idempotency_key([written]) == (key if len(written) <= 127 else DropReason.TOO_LONG)


def check_deprecation(data: bytes) -> None:
    """Written and read as the same."""
    at_s = parse_deprecation(_lines(data))
    if not isinstance(at_s, DropReason):
        assert at_s == parse_deprecation([format_deprecation(at_s)])


def check_ratelimit(data: bytes) -> None:
    """Both fields are written and read as the same, where the limit leaves room."""
    lines = _lines(data)
    policies = parse_ratelimit_policy(lines)
    if not isinstance(policies, DropReason):
        wire = [format_ratelimit_policy(policies)]
        assert len(wire[0]) > 256 or policies == parse_ratelimit_policy(wire)
    left = parse_ratelimit(lines)
    if not isinstance(left, DropReason):
        wire = [format_ratelimit(left)]
        assert len(wire[0]) > 256 or left == parse_ratelimit(wire)


def check_ulid(data: bytes) -> None:
    """What it says makes the same text, in upper case."""
    parsed = parse_ulid(data)
    if parsed is not None:
        assert data.upper().decode() == new_ulid(parsed.made_ms * MS_NS, parsed.entropy)


def check_cloudevent(data: bytes) -> None:
    """An event goes out as it came in; only a binary record has one."""
    headers = _pairs(data)
    read = parse_event(headers, b"{}")
    assert read.event is None or read.mode is EventMode.BINARY
    if read.event is not None:
        written = event_headers(read.event)
        assert read.event == parse_event(written, b"{}").event
        assert read.event.starting_trace is None or _TRACEPARENT.fullmatch(
            format_traceparent(read.event.starting_trace.trace_id, read.event.starting_trace.parent_id, 0)
        )


def check_decisions(data: bytes) -> None:
    """What is read is written within the budget and read as the same; broken groups cost themselves."""
    value = data.decode("utf-8", "replace")[:1_024]  # what may stand in baggage
    read = carry.decode(value)
    assert len(read.entries) + len(read.dropped) <= len(value) + 1
    ledger = Ledger()
    ledger.arrived, ledger.was_cut = read.arrived, read.was_cut
    encoded = carry.encode(ledger, is_replay=read.is_replay)
    assert encoded.value.isascii()
    assert len(encoded.value) <= carry.BUDGET_BYTES
    again = carry.decode(encoded.value)
    assert not again.dropped
    assert read.is_replay == again.is_replay
    assert read.was_cut or encoded.cut_count or not again.was_cut
    assert set(again.entries) <= set(read.entries)
    assert encoded.cut_count == len(read.entries) - len(again.entries)


def check_token(data: bytes) -> None:
    """Only what the key has signed is believed; the same claims never under two texts."""
    text = data.decode("latin-1")
    key_id = key_id_in(text, _TOKENS["type"]) if len(text) <= TOKEN_LIMIT_BYTES else ""
    if isinstance(key_id, SigningFault) or key_id not in _TOKENS["keys"]:
        return
    claims = claims_in(text, _TOKENS["keys"][key_id])
    if not isinstance(claims, SigningFault):
        assert text in _BELIEVED


def check_identity(data: bytes) -> None:
    """Opaque ids or nothing; written and read it is the same person."""
    said = {name: values[0].decode("latin-1") for name, values in _found(data).items()}
    read = identity_of(said).identity
    fields = identity_fields(read)
    assert all(name in IDENTITY_NAMES and _ID.fullmatch(value) for name, value in fields)
    again = identity_of(dict(fields))
    assert (read, ()) == (again.identity, again.dropped)


def check_log_line(data: bytes) -> None:
    """One short line of printable ASCII, for every header."""
    for name, value in _pairs(data):
        text = _REDACTION.safe_value(name.decode("latin-1"), value or b"")
        assert _LOG_LINE.fullmatch(text)
        assert len(text) <= 300
    leak_in(data.decode("latin-1"))


def check_extract(data: bytes) -> None:
    """A hop of any headers: ids are safe, a stranger is nobody, what leaves is well formed and is read as the same."""
    headers = _pairs(data)
    for is_trusted in (True, False):
        arrived = extract(CONTRACT, headers, is_trusted=is_trusted, entropy=ENTROPY, takes_override=not is_trusted)
        assert _ID.fullmatch(arrived.request_id)
        assert all(len(value) <= 64 for _, value in arrived.fields)
        if not is_trusted:
            assert (None, 2, "", ()) == (
                arrived.trace.parent_span_id, arrived.trace.flags, arrived.trace.state, arrived.ours,
            )  # fmt: skip
            assert {member.key for member in arrived.baggage} <= {"tenant.tier", "region"}
            assert {name for name, _ in arrived.fields} <= {"x-zone", "x-once"}
        for downstream in (*CONTRACT.downstreams, None):
            _check_leaving(arrived, downstream)
    _check_continued(headers)


def _check_leaving(arrived: Extracted, downstream: Downstream | None) -> None:
    sent = _sent(arrived, downstream)
    names = [name for name, _ in sent]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and _SAFE_VALUE.fullmatch(value or b"") for name, value in sent)
    assert downstream is not None or not sent
    assert downstream is None or not downstream.external or b"baggage" not in names


def _check_continued(headers: Headers) -> None:
    """The next verified hop reads what this one held."""
    first = extract(CONTRACT, headers, is_trusted=True, entropy=ENTROPY)
    second = extract(CONTRACT, _sent(first, CONTRACT.downstreams[0]), is_trusted=True, entropy=ENTROPY)
    held = ("request_id", "correlation_id", "baggage", "ours")
    assert [getattr(first, each) for each in held] == [getattr(second, each) for each in held]
    assert (first.trace.trace_id, first.trace.state) == (second.trace.trace_id, second.trace.state)


def _sent(arrived: Extracted, downstream: Downstream | None) -> Headers:
    held: dict[str, Any] = {
        each: getattr(arrived, each)
        for each in ("trace", "request_id", "correlation_id", "baggage", "ours", "fields")
    }  # fmt: skip
    return inject(CONTRACT, downstream, **held).set


# ---- seeds


def _vectors(file: str, *parts: str) -> Iterator[Mapping[str, Any]]:
    document = json.loads((VECTORS / file).read_text(encoding="utf-8"))
    for part in parts:
        yield from (case for case in document[part] if isinstance(case, dict))


def _values(file: str, *parts: str, key: str = "value") -> tuple[bytes, ...]:
    """One input for each vector. key: where its text stands; lines are joined."""
    found = []
    for case in _vectors(file, *parts):
        text = case.get(key, case.get("values"))
        if text is not None:
            lines = [text] if isinstance(text, str) else text
            found.append(LINE.join(line.encode("utf-8", "surrogatepass") for line in lines))
    return tuple(found)


def _messages(file: str, part: str) -> tuple[bytes, ...]:
    """One input for each vector of headers."""
    return tuple(
        LINE.join(
            name.encode("latin-1") + (b"" if value is None else VALUE + value.encode("latin-1", "replace"))
            for name, value in case["headers"]
        )
        for case in _vectors(file, part)
    )


def _wire(**headers: str) -> bytes:
    return LINE.join(name.replace("_", "-").encode() + VALUE + value.encode() for name, value in headers.items())


_TOKENS: Final = json.loads((VECTORS / "signing" / "tokens.json").read_text(encoding="utf-8"))
_BELIEVED: Final = frozenset(each["token"] for each in _TOKENS["believed"])
_REQUEST: Final = _wire(
    host="orders.internal",
    traceparent="00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01",
    tracestate="rojo=00f067aa0ba902b7, congo=t61rcWkgMzE",
    baggage="tenant.tier=regulated;p=1,region=eu%2Dwest-1,pennon=AQIDBAU1wqGhssMByKDgAPGmAQApSeslow,promo=%C3%A9",
    x_request_id="req_01KAH6ZK3T8V9QWX2M5N7P4R6S",
    x_correlation_id="corr_01KAH6ZK4B1C2D3E4F5G6H7J8K",
    x_pool="blue",
    x_zone="eu-1",
    x_once='"idem 1"',
    x_local="here",
    pennon_override="eyJ.e30.AAAA",
    pennon_decided="x",
)
_IDENTITY: Final = _wire(x_tenant_id="tenant-42", x_actor_id="7", x_actor_type="SUPPORT", x_on_behalf_of="user-8")


# About four times what the dearest input of some minutes took; what needs fewer is not named. Where a limit is high,
# the check is what is dear: it reads to the end what a door stops reading, or crosses a dozen doors.
_STEP_LIMITS: Final = {
    "tracestate": 3_000,
    "baggage": 6_000,
    "deadline": 2_000,
    "forwarded": 80_000,
    "x_forwarded": 5_000,
    "ratelimit": 2_000,
    "cloudevent": 20_000,
    "decisions": 40_000,
    "identity": 500,
    "log_line": 120_000,
    "extract": 250_000,
}


def _codec(check: Callable[[bytes], object], seeds: tuple[bytes, ...]) -> Codec:
    name = check.__name__.removeprefix("check_")
    assert seeds
    return Codec(name, seeds, check, _STEP_LIMITS.get(name, 200))


CODECS: Final = (
    _codec(check_traceparent, _values("headers/traceparent.json", "parse", "format")),
    _codec(check_tracestate, _values("headers/tracestate.json", "parse")),
    _codec(check_baggage, _values("headers/baggage.json", "parse", "format")),
    _codec(
        check_deadline,
        (
            *_messages("headers/deadline.json", "read"),
            *(_wire(**{case["form"]: case["value"]}) for case in _vectors("headers/deadline.json", "parse")),
        ),
    ),
    _codec(check_grpc_timeout, _values("headers/deadline.json", "parse")),
    _codec(check_milliseconds, _values("headers/deadline.json", "parse")),
    _codec(check_rfc3339, _values("headers/deadline.json", "parse")),
    _codec(check_forwarded, _values("headers/forwarded.json", "elements")),
    _codec(check_x_forwarded, _messages("headers/forwarded.json", "client")),
    _codec(check_node, _values("headers/forwarded.json", "node", "x_node", key="text")),
    _codec(check_id, _values("headers/ids.json", "parse")),
    _codec(check_idempotency_key, _values("headers/structured.json", "idempotency_key")),
    _codec(check_deprecation, _values("headers/structured.json", "deprecation")),
    _codec(check_ratelimit, _values("headers/structured.json", "ratelimit_policy", "ratelimit")),
    _codec(check_ulid, _values("headers/ulid.json", "parse")),
    _codec(check_cloudevent, _messages("headers/cloudevents.json", "parse")),
    _codec(check_decisions, _values("carry/wire.json", "read")),
    _codec(check_token, _values("signing/tokens.json", "believed", key="token")),
    _codec(check_identity, (_IDENTITY,)),
    _codec(
        check_log_line, (_REQUEST, *(b"accept" + VALUE + each for each in _values("headers/redaction.json", "clear")))
    ),
    _codec(check_extract, (_REQUEST, *_messages("headers/w3c_trace_context.json", "cases"))),
)
