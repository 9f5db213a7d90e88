"""Headers that somebody sends who means harm: doors stand them, and who does not is found."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import pennon.http
from pennon.headers import Contract
from pennon.testing.headers import HostileHeaders, Probe
from pennon.testing.headers.hostile import HOSTILE, MARK


@pytest.mark.req(41, 120)
@pytest.mark.parametrize("kind", ["asgi", "wsgi"])
@pytest.mark.parametrize("place", ["mesh", "public"])
def test_door_stands_them_all(
    kind: str,
    place: str,
    door: Callable[..., Any],
    contract: Contract,
    boundaries: Any,
    hostile_headers: HostileHeaders,
) -> None:
    """Refused, or served as if they were not there, whoever sends them."""
    count = hostile_headers.run(door(kind, contract, boundaries[place]), contract, boundary=boundaries[place])

    assert count == len(HOSTILE) * (2 if place == "mesh" else 1)
    assert len(HOSTILE) == len({each.name for each in hostile_headers})


def test_kinds_of_tricks_are_all_there() -> None:
    """Duplicates, folding, NUL, line breaks, twins, size, number, percent signs, surrogates, and more."""
    wanted = """two-request-ids folded-id nul-in-id crlf-in-id newline-at-the-end underscore-twins one-megabyte
    five-thousand-headers nothing-but-percents utf-8-surrogate look-alike-names huge-id escape-in-id redos-a
    nested-quotes""".split()

    assert set(wanted) <= {each.name for each in HOSTILE}


async def _repeats(scope: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [h for h in scope["headers"] if h[0]]})
    await send({"type": "http.response.body", "body": b""})


async def _repeats_in_body(scope: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"".join(value for _, value in scope["headers"])})


async def _decodes(scope: Any, send: Any) -> None:
    for name, value in scope["headers"]:
        (name + value).decode()
    await _repeats_in_body({"headers": []}, send)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (_repeats, "no header of the response repeats it"),
        (_repeats_in_body, "nor its body"),
        (_decodes, "no failure of the service"),
    ],
)
def test_application_that_does_harm_is_found(
    broken: Any, told: str, contract: Contract, boundaries: Any, hostile_headers: HostileHeaders
) -> None:
    """It repeats what came, or falls over it."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        await asyncio.sleep(0)
        await broken(scope, send)

    with pytest.raises(AssertionError, match=told):
        hostile_headers.run(app, contract, boundary=boundaries["public"])


def test_context_that_a_trick_changes_is_found(contract: Contract, boundaries: Any) -> None:
    """A service that takes the first of two ids knows another request than without them."""
    probe = Probe(contract)
    inner = pennon.http.asgi(probe.asgi, contract, boundary=boundaries["mesh"])

    async def first_of_two(scope: Any, receive: Any, send: Any) -> None:
        headers = dict(reversed(scope["headers"]))
        await inner({**scope, "headers": list(headers.items())}, receive, send)

    [case] = [
        each
        for each in HostileHeaders().cases(contract, boundaries["mesh"])
        if each.id == "hostile/two-correlation-ids/verified"
    ]
    with pytest.raises(AssertionError, match="no header of the response repeats it"):
        case.run(first_of_two, probe=probe)
    case.run(inner, probe=probe)
    assert MARK
