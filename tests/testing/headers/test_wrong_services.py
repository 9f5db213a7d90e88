"""Services that are wrong as people make them wrong: each turns the case red that names what it does."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest

import pennon.http
from pennon.headers import Boundary, Contract, Identity, mesh, networks, public
from pennon.testing.headers import DownstreamSpy, Probe, cases_of, run_suite

Lines = list[tuple[str, str]]
Raw = list[tuple[bytes, bytes]]

OURS = mesh(verify=networks("10.0.0.0/8"))
WHERE = {"pay": "http://kit.pay.internal/", "read": "http://read.internal:8001/", "stripe": "http://api.stripe.com/"}


class Within(httpx.BaseTransport):
    """What stands inside of the door's client and changes the lines that leave, as an instrumentation does."""

    def __init__(self, inner: Any, change: Callable[[Lines, str], Lines]) -> None:
        self._inner = inner
        self._change = change

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        lines = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in request.headers.raw]
        raw = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in self._change(lines, request.url.host)]
        response: httpx.Response = self._inner.handle_request(httpx.Request("GET", request.url, headers=raw))
        return response


def service(
    contract: Contract,
    boundary: Boundary = OURS,
    *,
    leaving: Callable[[Lines, str], Lines] = lambda lines, _: lines,
    entering: Callable[[Raw], Raw] = lambda headers: headers,
    answering: Callable[[Raw], Raw] = lambda headers: headers,
    repeating: bytes | None = None,
) -> tuple[Any, Probe]:
    """An application around a door, with clients of its own, and its probe.

    leaving: what its calls make of their lines. entering, answering: what a middleware outside of the door makes of a
    request's and a response's. repeating: the header that the middleware writes into the body.
    """
    spy = DownstreamSpy(contract)
    client = pennon.http.httpx(httpx.Client(transport=Within(spy.transport, leaving)), contract)

    def call(url: str) -> None:
        client.get(url, headers=list(probe.copied))

    probe: Probe = Probe(contract, spy=spy, calls={name: partial(call, url) for name, url in WHERE.items()})
    door = pennon.http.asgi(probe.asgi, contract, boundary=boundary)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": answering(list(message["headers"]))}
            else:
                said = [value for name, value in scope["headers"] if name == repeating]
                message = {**message, "body": b"".join([message.get("body", b""), *said])}
            await send(message)

        await door({**scope, "headers": entering(list(scope["headers"]))}, receive, sending)

    return app, probe


def broken_by(
    app: Any, probe: Probe, contract: Contract, names: list[str], boundary: Boundary = OURS
) -> dict[str, str]:
    """Of these cases those that are red, with what they say."""
    found = {}
    cases = {case.id: case for case in cases_of(contract, boundary)}
    for name in names:
        try:
            cases[name].run(app, probe=probe)
        except AssertionError as error:
            found[name] = str(error)
    return found


def again(name: str) -> Callable[[Lines, str], Lines]:
    """A line more of the header, as it is."""
    return lambda lines, _: lines + [line for line in lines if line[0] == name]


def other(name: str, change: Callable[[str], str]) -> Callable[[Lines, str], Lines]:
    """Another value for the header."""
    return lambda lines, _: [(key, change(value) if key == name else value) for key, value in lines]


def without(*names: str) -> Callable[[Lines, str], Lines]:
    """No such headers."""
    return lambda lines, _: [line for line in lines if line[0] not in names]


def conversation_for_request(lines: Lines, _: str) -> Lines:
    """One id for all."""
    named = dict(lines)
    return [(key, named.get("x-request-id", value) if key == "x-correlation-id" else value) for key, value in lines]


LEAVING: dict[str, tuple[Callable[[Lines, str], Lines], str, str]] = {
    "appends its trace": (again("traceparent"), "downstreams/pay/trace", "2 did"),
    "begins a trace for each call": (
        other("traceparent", lambda _: f"00-{'a' * 32}-{'b' * 16}-01"),
        "downstreams/pay/trace",
        "expected: the request's trace\n  came: another",
    ),
    "has the caller as parent": (
        other("traceparent", lambda value: f"{value[:36]}00f067aa0ba902b7{value[52:]}"),
        "downstreams/pay/trace",
        "our span is the parent",
    ),
    "does not pass on the sampling": (
        other("traceparent", lambda value: f"{value[:-2]}00"),
        "downstreams/pay/trace",
        "sampled if the request is",
    ),
    "loses the tracestate": (without("tracestate"), "downstreams/pay/trace", "the request's tracestate arrives"),
    "appends its request id": (again("x-request-id"), "downstreams/pay/request_id", "2 lines did"),
    "makes a request id for each call": (
        other("x-request-id", lambda _: f"req_{'7' * 32}"),
        "downstreams/pay/request_id",
        "the request's x-request-id arrives once",
    ),
    "has one id for all": (
        conversation_for_request,
        "downstreams/pay/correlation_id",
        "the request's x-correlation-id arrives once",
    ),
    "appends its baggage": (again("baggage"), "downstreams/pay/baggage", "one line of baggage arrives"),
    "encodes baggage as forms": (
        other("baggage", lambda value: value.replace("+", "%20")),
        "downstreams/pay/baggage",
        "members arrive as they are in the request context",
    ),
    "destroys what stands behind members": (
        other("baggage", lambda value: ",".join(member.partition(";")[0] for member in value.split(","))),
        "downstreams/pay/baggage",
        "members arrive as they are in the request context",
    ),
    "sends baggage to strangers": (
        lambda lines, _: [*lines, ("baggage", "region=eu")],
        "downstreams/stripe/baggage",
        "0 members arrive",
    ),
    "tells no deadline": (without("x-request-timeout-ms"), "deadline/downstreams/pay", "came: none"),
    "gives each call the whole time": (
        other("x-request-timeout-ms", lambda _: "29975"),
        "deadline/downstreams/pay",
        "at most 14.975 s",
    ),
    "names one tenant for all": (other("x-tenant-id", lambda _: "acme"), "x-tenant-id/propagate/pay", "as it came"),
    "tells strangers the tenant": (
        lambda lines, _: [*lines, ("x-tenant-id", "acme")],
        "x-tenant-id/classification/stripe",
        "it is taken off",
    ),
}


@pytest.mark.req(21, 22, 103, 111, 126)
@pytest.mark.parametrize("does", LEAVING)
def test_service_whose_calls_are_wrong_turns_red(does: str, contract: Contract) -> None:
    """What is wrong with a call is told by the case of that very part; behind a right client it is green."""
    leaving, case, told = LEAVING[does]

    assert not broken_by(*service(contract), contract, [case])
    assert told in broken_by(*service(contract, leaving=leaving), contract, [case])[case]


@pytest.mark.req(24, 126)
@pytest.mark.parametrize(
    "entering",
    [
        lambda headers: [(n, v.replace(b"+", b"%20") if n == b"baggage" else v) for n, v in headers],
        lambda headers: [(n, v.partition(b";")[0] if n == b"baggage" else v) for n, v in headers],
        lambda headers: list(dict(headers).items()),
    ],
    ids=["as forms", "without properties", "the last line alone"],
)
def test_service_that_reads_baggage_by_other_rules_turns_red(entering: Any, contract: Contract) -> None:
    """Whoever stands before the door and rewrites it."""
    case = "baggage/codec/verified"

    assert not broken_by(*service(contract), contract, [case])
    assert [case] == list(broken_by(*service(contract, entering=entering), contract, [case]))


@pytest.mark.req(96, 105, 126)
@pytest.mark.parametrize(
    ("written", "told"),
    [
        (print, "standard output does"),
        (lambda headers: logging.getLogger("kit.access").info("asked", extra={"by": headers}), "kit.access does"),
    ],
    ids=["prints", "logs"],
)
def test_service_that_writes_what_may_not_be_written_turns_red(written: Any, told: str, contract: Contract) -> None:
    """Credentials, and also a declared field that stands in a line as a hash alone."""

    def entering(headers: Raw) -> Raw:
        written(headers)
        return headers

    names = ["rule/no-log-of-all", "x-desk/log/written"]
    found = broken_by(*service(contract, entering=entering), contract, names)

    assert not broken_by(*service(contract), contract, names)
    assert names == list(found)
    assert all(told in each for each in found.values())


def test_service_that_repeats_a_value_that_did_not_count_turns_red(contract: Contract) -> None:
    """A field of one's own, named in the body of whatever answer."""
    case = "rule/no-log-of-all"

    assert "nor its body" in broken_by(*service(contract, repeating=b"x-case-kind"), contract, [case])[case]


@pytest.mark.req(10, 104, 126)
def test_boundary_that_believes_any_usual_name_turns_red(contract: Contract) -> None:
    """The header need not be one that the contract declares."""
    believing = public(identity=lambda inbound: Identity(actor=inbound.header("x-forwarded-user")))
    case = "rule/no-public-tenant"

    found = broken_by(*service(contract, believing), contract, [case], believing)
    assert "sent: x-forwarded-user" in found[case]


@pytest.mark.req(126)
def test_service_that_tells_strangers_of_ours_turns_red(contract: Contract) -> None:
    """Its decisions, at a boundary where everybody is a stranger."""
    case = "boundary/tells-nothing"
    telling = service(contract, public(), answering=lambda headers: [*headers, (b"pennon-decided", b"1")])

    assert not broken_by(*service(contract, public()), contract, [case], public())
    assert "it has pennon-decided" in broken_by(*telling, contract, [case], public())[case]


def test_application_that_listens_for_the_client_s_leaving_is_served(contract: Contract) -> None:
    """As long as it has not answered, the client is there; what it leaves running ends with it."""
    left: list[asyncio.Task[None]] = []

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        gone = asyncio.ensure_future(receive())
        left.append(asyncio.create_task(asyncio.Event().wait()))  # type: ignore[arg-type]
        done, _ = await asyncio.wait([gone], timeout=0)
        await send({"type": "http.response.start", "status": 500 if done else 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        assert (await gone)["type"] == "http.disconnect"

    door = pennon.http.asgi(listening, contract, boundary=OURS)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await door(scope, receive, send)

    assert run_suite(app, contract, boundary=OURS, outside_only=True) > 10
    assert all(task.cancelled() for task in left)
