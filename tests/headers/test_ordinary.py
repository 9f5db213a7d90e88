"""The short way to read an ordinary message and the long one, which reads every message, say the same."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as replaced

from pennon.headers import (
    BaggagePolicy,
    Budgets,
    Contract,
    DeadlinePolicy,
    Extracted,
    Field,
    Headers,
    UnknownHeaders,
    extract,
    ingress,
    shapes,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.shown import Shown

ENTROPY = bytes(range(1, 41))
# 2026-11-21T10:15:00Z
NOW_NS = 1_795_256_100_000_000_000

GOOD: dict[bytes, tuple[bytes, ...]] = {
    b"host": (b"orders.internal",),
    b"content-type": (b"application/json", b"text/plain; charset=utf-8"),
    b"accept": (b"application/json", b"*/*, text/html;q=0.5"),
    b"user-agent": (b"curl/8",),
    b"connection": (b"keep-alive",),
    b"traceparent": (b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01",),
    b"tracestate": (b"rojo=00f067aa0ba902b7",),
    b"baggage": (
        b"tenant.tier=regulated,region=eu-west-1,pennon=AAAA.BBBB", b"region=eu", b"promo=1",
        b",".join([b"k%d=1" % number for number in range(70)]) + b",pennon=AAAA.BBBB",
    ),
    b"x-request-id": (b"req_01KAH6ZK3T8V9QWX2M5N7P4R6S",),
    b"x-correlation-id": (b"corr_01KAH6ZK4B1C2D3E4F5G6H7J8K",),
    b"idempotency-key": (b'"idem_01KAH6ZK5M6N7P8Q9R0S1T2V3W"',),
    b"x-request-deadline": (b"2026-11-21T10:15:30.250Z", b"2026-11-21T10:15:30Z", b"2026-11-21t12:15:31+02:00"),
    b"grpc-timeout": (b"12S",),
    b"x-caller-service": (b"checkout",),
    b"x-tenant-id": (b"tenant-42",),
    b"x-actor-type": (b"HUMAN",),
    b"x-actor-id": (b"user-991",),
    b"x-plan": (b"free", b"pro, yearly"),
    b"x-region": (b"eu", b"FREE"),
    b"x-forwarded-for": (b"192.0.2.7", b"192.0.2.7, 10.0.0.3", b"192.0.2.7" + b", 10.0.0.3" * 6, b"10.0.0.3," * 9),
    b"pennon-context": (b"abc",),
}  # fmt: skip
ODD = (
    b"", b" ", b"\t", b" padded ", b"a\nb", b"a\n\nb", b"\n", b"a\r\nb", b"\x00", b"\x7f", b"caf\xc3\xa9", b"a" * 65,
    b"pro\nfree", b"x" * 21, b"close, x-plan", b" pro", b"pro ", b"pro\t", b"a" * 300,
    b"00-" + b"0" * 32 + b"-00f7d188f8fa79d4-01", b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-09",
    b"01-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01-x", b"a=1,b=2", b"a=1,a=2", b"region=mars", b"SUPPORT",
    b"MARTIAN", b"x-tenant-id", b"close, x-plan", b"2020-01-01T00:00:00Z", b"2026-11-31T10:15:30Z", b"soon", b"unknown",
    b"k=" + b"v" * 9_000,
)  # fmt: skip


@cache
def _contracts(make_field: Callable[..., Field]) -> list[Contract]:
    fields = [
        std.CONTENT_TYPE,
        std.ACCEPT,
        std.IDEMPOTENCY_KEY,
        std.CALLER_SERVICE,
        std.TENANT_ID,
        std.ACTOR_ID,
        std.ACTOR_TYPE,
        std.ON_BEHALF_OF,
        # It takes a line break, so that one could reach into the value behind.
        make_field("x-plan", syntax="[^;]{1,40}", max_length=20),
    ]
    plain = Contract("orders", version="1", owner="t", fields=fields, baggage=BaggagePolicy(allow=["region"]))
    deadline = DeadlinePolicy(accept=["x-request-deadline", "grpc-timeout"], cap_s=60)
    return [
        plain,
        replace(plain, deadline=deadline),
        replace(plain, deadline=replace(deadline, from_strangers=True), unknown=UnknownHeaders.REJECT),
        replace(plain, proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED])),
        replace(plain, unknown=UnknownHeaders.DROP, budgets=Budgets(custom_bytes=60, trace_bytes=10, total_count=8)),
        replace(plain, fields=[*fields[:4], replace(std.TENANT_ID, required=True), *fields[5:]]),
        # Flags within an expression, and groups: such a field goes the long way.
        replace(plain, fields=[make_field("x-plan", syntax="(?i)FREE"), make_field("x-region", syntax="(e|u)u")]),
    ]


@st.composite
def messages(draw: st.DrawFn) -> list[tuple[bytes, bytes | None]]:
    """Mostly good headers, each once, and what may happen to one or two of them."""
    names = draw(st.lists(st.sampled_from(list(GOOD)), max_size=len(GOOD), unique=True))
    message: list[tuple[bytes, bytes | None]] = [(name, draw(st.sampled_from(GOOD[name]))) for name in names]
    for at in draw(st.lists(st.integers(0, len(message) - 1), max_size=2)) if message else ():
        name, value = message[at]
        kind = draw(st.sampled_from(["odd", "odd", "odd", "bytes", "case", "none", "space", "unknown", "twice"]))
        changed: dict[str, tuple[bytes, bytes | None]] = {
            "odd": (name, draw(st.sampled_from(ODD))),
            "bytes": (name, draw(st.binary(max_size=40))),
            "case": (name.title(), value),
            "none": (name, None),
            "space": (name, b" " + (value or b"") + b"\t"),
            "unknown": (b"x-" + draw(st.binary(max_size=3)), value),
            "twice": message[draw(st.integers(0, len(message) - 1))],
        }
        message[at] = changed[kind]
    return message


def _read(contract: Contract, message: Headers, **how: Any) -> Extracted:
    """What is said of it; which headers are shown, the long way leaves to be found by their names."""
    came = extract(
        contract, message, entropy=ENTROPY, now_ns=NOW_NS, monotonic_ns=1_000_000_000, peer="10.0.0.1", **how
    )
    if came.shown is not None:
        return came
    way = contract.reading.way(is_trusted=how["is_trusted"], takes_identity=how.get("takes_identity", True))
    shown = Shown(contract, way).without(came.spoiled)
    return replaced(came, shown=tuple(shown[name] for name, _ in message))


def _long(contract: Contract, message: Headers, **how: Any) -> Extracted:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ingress, "read_ordinary", lambda *_, **__: None)
        return _read(contract, message, **how)


@settings(max_examples=600)
@given(
    messages(),
    st.sampled_from([0, 1, 1, 2, 3, 4, 5, 6]),
    st.sampled_from([(True, True), (True, False), (False, True), (False, False)]),
    st.booleans(),
)
def test_both_ways_say_the_same(
    make_field: Callable[..., Field],
    message: list[tuple[bytes, bytes | None]],
    which: int,
    believed: tuple[bool, bool],
    stops: bool,
) -> None:
    """Whatever is kept, dropped, refused and said of it, and in which order."""
    contract = _contracts(make_field)[which]
    how = {"is_trusted": believed[0], "takes_identity": believed[1], "stops": stops, "takes_override": True}
    short = [_read(contract, message, **how) for _ in range(2)]
    long = _long(contract, message, **how)

    assert [long, long] == short


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", GOOD)
def test_one_odd_value_is_judged_alike(make_field: Callable[..., Field], name: bytes, odd: bytes) -> None:
    """Each header in turn says each odd thing, among others that are as they should be."""
    message = [(each, odd if each == name else GOOD[each][0]) for each in GOOD]
    for contract in _contracts(make_field)[:2]:
        assert _long(contract, message, is_trusted=True) == _read(contract, message, is_trusted=True)


@pytest.mark.parametrize("name", GOOD)
def test_one_header_that_is_missing_or_there_twice_is_judged_alike(
    make_field: Callable[..., Field], name: bytes
) -> None:
    """Each in turn, under each contract."""
    message = [(each, GOOD[each][0]) for each in GOOD]
    less = [header for header in message if header[0] != name]
    for contract in _contracts(make_field):
        for changed in (less, [*message, (name, GOOD[name][0])]):
            assert _long(contract, changed, is_trusted=True) == _read(contract, changed, is_trusted=True)


@pytest.mark.parametrize("is_trusted", [True, False])
@pytest.mark.parametrize("proxies", range(11))
@pytest.mark.parametrize("state", [b"", b"a=1"])
def test_long_baggage_behind_proxies_is_judged_alike(
    make_field: Callable[..., Field], proxies: int, state: bytes, is_trusted: bool
) -> None:
    """Both ways look at as many members, however many proxies there were."""
    chain = b", ".join([b"192.0.2.7", *[b"10.0.0.3"] * proxies])
    said = {b"baggage": GOOD[b"baggage"][-1], b"x-forwarded-for": chain} | ({b"tracestate": state} if state else {})
    message = [(b"traceparent", GOOD[b"traceparent"][0]), *said.items()]
    contract = _contracts(make_field)[3]

    assert _long(contract, message, is_trusted=is_trusted) == _read(contract, message, is_trusted=is_trusted)


@pytest.mark.parametrize(
    "syntax",
    [
        "(?!(?:root|admin)$)[a-z]+",
        r"(?!.*t\Z)[a-z]+",
        "(?=[^_]+_)?[a-z]+(?![^_]*_)",
        "[^]r]+",
        r"\[^a|root|[^r]+",
        r"\D+",
    ],
)
def test_syntax_that_looks_around_sees_its_own_value_alone(make_field: Callable[..., Field], syntax: str) -> None:
    """The value behind it is another header's."""
    fields = [make_field("x-a", syntax=syntax), make_field("x-b", syntax="[a-z_]+")]
    contract = Contract("c", version="1", owner="t", fields=fields)
    message = [(b"x-a", b"root"), (b"x-b", b"b_")]

    assert _long(contract, message, is_trusted=True) == _read(contract, message, is_trusted=True)


def test_syntax_sees_no_more_than_its_longest_value(
    make_field: Callable[..., Field],
) -> None:
    """What is longer is not matched at all, in either way: its cost may grow faster than its length."""
    field = make_field("x-a", syntax="[a-z]{1,1000}", max_length=8)
    contract = Contract("c", version="1", owner="t", fields=[field])
    _read(contract, [(b"x-a", b"a")], is_trusted=True)
    way, seen = contract.reading.verified, []

    def fullmatch(text: str) -> None:
        seen.append(text)

    [(names, shape)] = way.remembered.shapes.items()
    assert shape is not None
    way.remembered.shapes[names] = replaced(shape, check=replaced(shape.check, fullmatch=fullmatch))
    way.rules["x-a"] = replaced(way.rules["x-a"], fullmatch=fullmatch)
    _read(contract, [(b"x-a", b"a" * 9)], is_trusted=True)
    assert [] == seen

    _read(contract, [(b"x-a", b"a" * 8)], is_trusted=True)
    assert seen


def test_one_value_that_is_bad_sets_no_other_to_be_read_again(make_field: Callable[..., Field]) -> None:
    """A syntax that can read a value in 2 to the 60 ways has read it once when the next value turns out to be bad."""
    fields = [make_field("x-a", syntax="(?:a|[a-b])+", max_length=64), make_field("x-b", syntax="[0-9]+")]
    contract = Contract("c", version="1", owner="t", fields=fields)
    message = [(b"x-a", b"a" * 60), (b"x-b", b"bad")]

    assert {"x-a": "a" * 60} == dict(_read(contract, message, is_trusted=True).fields)


@pytest.mark.parametrize("is_trusted", [True, False])
def test_ordinary_message_is_read_the_short_way(
    make_field: Callable[..., Field], monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    """Else the property above would compare the long way with itself."""
    contract = _contracts(make_field)[1]
    names = [name for name in GOOD if name != b"pennon-context"]
    message = [(name, GOOD[name][0]) for name in names]
    monkeypatch.setattr(ingress, "_Crossing", None)

    assert _read(contract, message, is_trusted=is_trusted).refusal is None


def test_what_is_remembered_is_bounded(make_field: Callable[..., Field]) -> None:
    """A stranger who never sends the same names twice makes nothing grow."""
    contract = _contracts(make_field)[1]
    for number in range(3 * shapes.SHAPES_LIMIT_COUNT):
        known = [name for place, name in enumerate(GOOD) if number >> (place % 8) & 1]
        message = [(name, GOOD[name][0]) for name in known]
        _read(contract, [*message, (b"x-%d" % number, b"1")], is_trusted=True)
    remembered = contract.reading.verified.remembered

    assert len(remembered.shapes) <= shapes.SHAPES_LIMIT_COUNT
    assert len(remembered.checks) <= shapes.CHECKS_LIMIT_COUNT
