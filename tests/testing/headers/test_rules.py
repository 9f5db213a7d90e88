"""The habits by which headers go wrong: a service that has one breaks the rule that names it."""

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import pennon.http
from pennon.headers import Contract, Identity, mesh, networks, public
from pennon.testing.headers import DownstreamSpy, Probe, cases_of


def rule(contract: Contract, name: str, boundary: Any) -> Any:
    """The case of this id."""
    [case] = [each for each in cases_of(contract, boundary) if each.id == name]
    return case


def behind(change: Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]], app: Any) -> Any:
    """The application behind somebody who changes the request's headers."""

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "headers": change(list(scope["headers"]))}, receive, send)

    return around


def in_front(change: Callable[[list[tuple[bytes, bytes]]], list[tuple[bytes, bytes]]], app: Any) -> Any:
    """The application, its response's headers changed on their way out."""

    async def around(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": change(list(message["headers"]))}
            await send(message)

        await app(scope, receive, sending)

    return around


def probed(contract: Contract, boundary: Any, **options: Any) -> tuple[Any, Probe]:
    """A door around a probe, both of this contract."""
    probe = Probe(contract, **options)
    return pennon.http.asgi(probe.asgi, contract, boundary=boundary), probe


@pytest.mark.req(21, 100)
def test_service_that_forwards_what_it_got_breaks_no_forward_all(contract: Contract, boundaries: Any) -> None:
    """Its own client, given all inbound headers, takes credentials and unknown headers along."""
    spy = DownstreamSpy(contract)
    seen: list[Any] = []

    def call() -> None:
        with httpx.Client(transport=spy.transport) as client:
            client.get("http://kit.pay.internal/", headers=seen[-1])

    probe = Probe(contract, spy=spy, calls={"pay": call})

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        await probe.asgi(scope, receive, send)

    door = pennon.http.asgi(app, contract, boundary=boundaries["mesh"])
    case = rule(contract, "rule/no-forward-all", boundaries["mesh"])
    with pytest.raises(AssertionError, match=r"none of them reaches 'pay'\n.*authorization.*x-kit-unknown"):
        case.run(door, probe=probe)
    kept, own = probed(contract, boundaries["mesh"])
    case.run(kept, probe=own)


@pytest.mark.req(101)
def test_service_that_is_steered_by_an_undeclared_header_breaks_no_hidden_parameters(contract: Contract) -> None:
    """What only its author knows of decides who asks."""
    steered = mesh(
        verify=networks("10.0.0.0/8"), identity=lambda inbound: Identity(attributes={"d": inbound.header("x-debug")})
    )
    app, probe = probed(contract, steered)

    with pytest.raises(AssertionError, match="it differs in: identity"):
        rule(contract, "rule/no-hidden-parameters", steered).run(app, probe=probe)


@pytest.mark.req(5, 102)
def test_field_that_takes_a_document_breaks_no_json_blobs(contract: Contract, door: Any, boundaries: Any) -> None:
    """By its syntax: nobody has to send one for the rule to be broken."""
    fields = [dataclasses.replace(e, syntax="[ -~]+") if e.name == "x-note" else e for e in contract.fields]
    loose = dataclasses.replace(contract, fields=fields)

    with pytest.raises(AssertionError, match="x-note does not take it"):
        rule(contract, "rule/no-json-blobs", boundaries["mesh"]).run(door("asgi", loose))


@pytest.mark.req(23, 103)
def test_service_whose_request_is_named_like_the_conversation_breaks_no_one_id_for_all(
    contract: Contract, boundaries: Any
) -> None:
    """Somebody before the door copies the one id into the other's place."""
    app, probe = probed(contract, boundaries["mesh"])

    def copied(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        given = [value for name, value in headers if name == b"x-correlation-id"]
        return [header for header in headers if header[0] != b"x-request-id"] + [(b"x-request-id", v) for v in given]

    with pytest.raises(AssertionError, match="two are the same"):
        rule(contract, "rule/no-one-id-for-all", boundaries["mesh"]).run(behind(copied, app), probe=probe)


@pytest.mark.req(10, 104)
def test_boundary_that_believes_a_stranger_s_tenant_breaks_no_public_tenant(contract: Contract, door: Any) -> None:
    """Its callable reads the raw header."""
    believing = public(identity=lambda inbound: Identity(tenant=inbound.header("x-tenant-id")))

    with pytest.raises(AssertionError, match="the same identity as without it"):
        rule(contract, "rule/no-public-tenant", believing).run(door("asgi", contract, believing))


@pytest.mark.req(96, 105)
@pytest.mark.parametrize("form", ["message", "extra"])
def test_service_that_logs_its_headers_breaks_no_log_of_all(form: str, contract: Contract, boundaries: Any) -> None:
    """In the text of a record or beside it, at whatever level."""
    app, probe = probed(contract, boundaries["public"])

    def logged(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        if form == "message":
            logging.getLogger("kit.access").debug("headers: %s", headers)
        else:
            logging.getLogger("kit.access").debug("asked", extra={"headers": headers})
        return headers

    with pytest.raises(AssertionError, match=r"kit\.access does"):
        rule(contract, "rule/no-log-of-all", boundaries["public"]).run(behind(logged, app), probe=probe)


@pytest.mark.req(32, 106)
def test_service_that_keeps_much_baggage_breaks_no_cache_in_baggage(
    contract: Contract, door: Any, boundaries: Any
) -> None:
    """More than its contract says it keeps."""
    roomy = dataclasses.replace(contract, baggage=dataclasses.replace(contract.baggage, max_bytes=8_192))

    with pytest.raises(AssertionError, match="at most 1024 bytes are kept"):
        rule(contract, "rule/no-cache-in-baggage", boundaries["mesh"]).run(door("asgi", roomy))


@pytest.mark.req(107)
def test_service_without_deadlines_breaks_deadline_everywhere(contract: Contract, door: Any, boundaries: Any) -> None:
    """Whether the contract says nothing of them, or the door speaks another that does not."""
    endless = dataclasses.replace(
        contract, deadline=None, downstreams=[dataclasses.replace(e, deadline=None) for e in contract.downstreams]
    )
    for asked, spoken in ((endless, endless), (contract, endless)):
        with pytest.raises(AssertionError, match="deadline"):
            rule(asked, "rule/deadline-everywhere", boundaries["mesh"]).run(door("asgi", spoken))


@pytest.mark.req(36, 38, 91, 108)
@pytest.mark.parametrize(
    "broken", [lambda headers: [], lambda headers: headers + headers, lambda _: [(b"x-request-id", b"always-1")]]
)
def test_service_that_does_not_name_its_request_turns_red(broken: Any, contract: Contract, boundaries: Any) -> None:
    """Not at all, twice, or each alike."""
    app, probe = probed(contract, boundaries["public"])

    with pytest.raises(AssertionError, match="x-request-id/generated"):
        rule(contract, "x-request-id/generated", boundaries["public"]).run(in_front(broken, app), probe=probe)


@pytest.mark.req(42, 91, 109)
def test_service_that_loses_the_conversation_turns_red(contract: Contract, boundaries: Any) -> None:
    """Somebody before the door takes the id off."""
    app, probe = probed(contract, boundaries["public"])

    def lost(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        return [header for header in headers if header[0] != b"x-correlation-id"]

    with pytest.raises(AssertionError, match="x-correlation-id/kept"):
        rule(contract, "x-correlation-id/kept", boundaries["public"]).run(behind(lost, app), probe=probe)


def test_service_that_fails_is_told_from_one_that_refuses(contract: Contract, boundaries: Any) -> None:
    """An exception is a 500: no rule passes because of it; its type is told, its text is not."""

    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        raise RuntimeError("a secret")

    with pytest.raises(AssertionError) as raised:
        rule(contract, "x-request-id/malformed", boundaries["public"]).run(app)

    assert "status 500, the application raised RuntimeError" in str(raised.value)
    assert "a secret" not in str(raised.value)


def test_case_runs_within_a_running_loop(contract: Contract, door: Any, boundaries: Any) -> None:
    """A test that is a coroutine asks like any other."""

    async def asking() -> None:
        rule(contract, "x-case-kind/syntax/taken", boundaries["mesh"]).run(door("asgi"))

    asyncio.run(asking())
