"""What each codec of a header's value promises for any bytes."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from tests.fuzz.inputs import ID, MONOTONIC_NS, NOW_NS, SAFE_VALUE, found_in, lines_of, pairs_of

from pennon.headers import (
    DeadlineForm,
    DeadlinePolicy,
    DropReason,
    fit_tracestate,
    format_baggage,
    format_traceparent,
    format_tracestate,
    parse_baggage,
    parse_id,
    parse_traceparent,
    parse_tracestate,
)
from pennon.headers.cloudevents import EventMode, event_headers, parse_event
from pennon.headers.deadline import format_deadline, read_deadline
from pennon.headers.forwarded import parse_forwarded, parse_node, parse_x_forwarded_node
from pennon.headers.identity import IDENTITY_NAMES, identity_fields, identity_of
from pennon.headers.proxies import ForwardedSource, TrustedProxies, client_behind
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
from pennon.headers.times import (
    MS_NS,
    S_NS,
    format_grpc_timeout,
    format_rfc3339,
    parse_grpc_timeout_ns,
    parse_ms_ns,
    parse_rfc3339_ns,
)
from pennon.headers.ulid import new_ulid, parse_ulid

_CAP_S: Final = 30.0
_TRACEPARENT: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[0-3]")
_DEADLINES: Final = DeadlinePolicy(accept=list(DeadlineForm), cap_s=_CAP_S)
_PROXIES: Final = TrustedProxies(["10.0.0.0/8", "fd00::/8"], reads=list(ForwardedSource))
_PROXY_PEERS: Final = ("10.0.0.1", "fd00::1")
_PEERS: Final = (*_PROXY_PEERS, "192.0.2.9", None)


def check_traceparent(data: bytes) -> None:
    """What is read is valid, and is written and read as the same."""
    parsed = parse_traceparent(data)
    if parsed is not None:
        written = format_traceparent(parsed.trace_id, parsed.parent_id, parsed.flags)
        assert _TRACEPARENT.fullmatch(written)
        assert parsed == parse_traceparent(written)


def check_tracestate(data: bytes) -> None:
    """At most 32 members, each key once; what fits is written and read as the same."""
    parsed = parse_tracestate(lines_of(data))
    keys = [key for key, _ in parsed.members]
    assert len(keys) <= 32
    assert len(set(keys)) == len(keys)
    fitted = fit_tracestate(parsed.members).members
    written = format_tracestate(fitted)
    assert len(written) <= 512
    assert fitted == parse_tracestate([written.encode()]).members
    # The short way for a single member says what the long way says.
    assert parsed.members == parse_tracestate([*lines_of(data), b""]).members


def check_baggage(data: bytes) -> None:
    """At most 64 members; what is read is written and read as the same."""
    parsed = parse_baggage(lines_of(data))
    assert len(parsed.members) + len(parsed.dropped) <= 65
    written = format_baggage(parsed.members)
    assert SAFE_VALUE.fullmatch(written)
    again = parse_baggage([written])
    assert (parsed.members, ()) == (again.members, again.dropped)


def check_deadline(data: bytes) -> None:
    """One is always there, and never beyond the cap; written and read it is never later."""
    found = found_in(data)
    for is_trusted in (True, False):
        read = read_deadline(found, _DEADLINES, is_trusted=is_trusted, now_ns=NOW_NS, monotonic_ns=MONOTONIC_NS)
        left_ns = read.deadline.remaining_ns(MONOTONIC_NS)
        assert -2 * S_NS <= left_ns <= _CAP_S * S_NS
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
    at_ns = parse_rfc3339_ns(data)
    if at_ns is None:
        return
    try:
        written = format_rfc3339(at_ns)
    except OverflowError:
        # An offset, or a leap second, leads out of the years 1 to 9999.
        assert data[:4] in {b"0001", b"9999"}
        return
    assert written.endswith(b"Z")
    assert at_ns // MS_NS * MS_NS == parse_rfc3339_ns(written)


def check_forwarded(data: bytes) -> None:
    """A stranger is not believed; who is behind a proxy is somebody, or nobody for a reason."""
    lines = lines_of(data)
    elements = list(parse_forwarded(lines))
    assert None not in elements[:-1]
    _check_client({"forwarded": lines})


def check_x_forwarded(data: bytes) -> None:
    """Likewise, and beside the standard header too."""
    _check_client(found_in(data))


def _check_client(found: Mapping[str, Sequence[bytes]]) -> None:
    for peer in _PEERS:
        behind = client_behind(peer, found, _PROXIES)
        assert len(behind.hops) <= 9
        assert behind.client is None or peer in _PROXY_PEERS
        if behind.client is not None:
            assert behind.client.address is None or behind.client.address.isascii()
            assert behind.client.port is None or 0 < behind.client.port < 65_536
            assert behind.client.proto is None or behind.client.proto == behind.client.proto.lower()


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
        assert ID.fullmatch(parsed)
        assert parsed == parse_id(parsed.encode()) == data.strip(b" \t").decode()
    else:
        assert not ID.fullmatch(data.decode("latin-1")) or b"\n" in data


def check_idempotency_key(data: bytes) -> None:
    """Printable, and written and read as the same where the quotes leave room."""
    key = parse_idempotency_key(lines_of(data))
    if not isinstance(key, DropReason):
        assert key
        assert key.isascii()
        assert key.isprintable()
        written = format_idempotency_key(key)
        assert parse_idempotency_key([written]) == (key if len(written) <= 127 else DropReason.TOO_LONG)


def check_deprecation(data: bytes) -> None:
    """Written and read as the same."""
    at_s = parse_deprecation(lines_of(data))
    if not isinstance(at_s, DropReason):
        assert at_s == parse_deprecation([format_deprecation(at_s)])


def check_ratelimit(data: bytes) -> None:
    """Both fields are written and read as the same, where the limit leaves room."""
    lines = lines_of(data)
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
    headers = pairs_of(data)
    read = parse_event(headers, b"{}")
    assert read.event is None or read.mode is EventMode.BINARY
    if read.event is not None:
        written = event_headers(read.event)
        assert read.event == parse_event(written, b"{}").event
        assert read.event.starting_trace is None or _TRACEPARENT.fullmatch(
            format_traceparent(read.event.starting_trace.trace_id, read.event.starting_trace.parent_id, 0)
        )


def check_identity(data: bytes) -> None:
    """Opaque ids or nothing; written and read it is the same person."""
    said = {name: values[0].decode("latin-1") for name, values in found_in(data).items()}
    read = identity_of(said).identity
    fields = identity_fields(read)
    assert all(name in IDENTITY_NAMES and ID.fullmatch(value) for name, value in fields)
    again = identity_of(dict(fields))
    assert (read, ()) == (again.identity, again.dropped)
