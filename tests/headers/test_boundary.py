"""Boundaries: what their callables are given, and the first verifier."""

from collections.abc import Callable
from typing import cast

import pytest

from pennon.context import Identity
from pennon.errors import SettingInvalid
from pennon.headers import Headers, Inbound, mesh, networks, public


def _inbound(address: str | None = None, headers: Headers = ()) -> Inbound:
    return Inbound(address=address, method="GET", path="/", topic=None, headers=headers, source={})


@pytest.mark.parametrize(
    ("address", "is_within"),
    [
        ("10.1.2.3", True),
        ("11.0.0.1", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:11.0.0.1", False),
        ("fd00::1", True),
        ("fe80::1%eth0", False),
        ("testclient", False),
        ("", False),
        (None, False),
        ("10.1.2.3\n", False),
        ("10.1.2.3, 1.1.1.1", False),
    ],
)
def test_networks_verify_by_address(address: str | None, is_within: bool) -> None:
    """An address in one of the networks is ours; anything else, also what is no address, is not."""
    assert is_within is networks("10.0.0.0/8", "fd00::/8")(_inbound(address))


def test_networks_tell_every_fault_at_once() -> None:
    """A typo in a list of networks must not make it shorter."""
    with pytest.raises(SettingInvalid) as refusal:
        networks("10.0.0.0/8", "10.0.0.1/8", "localhost")

    assert ["/1", "/2"] == [fault.path for fault in refusal.value.faults]


def test_networks_want_at_least_one() -> None:
    """An empty list is a forgotten one."""
    with pytest.raises(SettingInvalid, match="no network was named"):
        networks()


def test_boundary_says_who_stands_outside() -> None:
    """Public knows strangers only; a mesh without a verifier has none."""
    verify = networks("::1")

    assert (True, None) == (public().is_public, public().verify)
    assert (False, None) == (mesh().is_public, mesh().verify)
    assert verify is mesh(verify=verify).verify


@pytest.mark.req(14)
@pytest.mark.parametrize("answer", [None, 1, "no", object()])
def test_verifier_that_says_neither_yes_nor_no_believes_nobody(answer: object) -> None:
    """What is merely true, as the coroutine of an async function is, makes nobody one of ours."""
    verify = cast("Callable[[Inbound], bool]", lambda _: answer)

    with pytest.raises(TypeError, match=r"verify: gave a .*; must be a plain function that gives True or False"):
        mesh(verify=verify).believes(_inbound(), unasked=True)


@pytest.mark.req(68)
@pytest.mark.parametrize("answer", ["alice", False, object()])
def test_identity_that_is_none_does_not_pass_for_nobody(answer: object) -> None:
    """What an async function gives is no Identity, and must not become a request's."""
    identity = cast("Callable[[Inbound], Identity]", lambda _: answer)

    with pytest.raises(TypeError, match=r"identity: gave a .*; must be a plain function that gives an Identity"):
        public(identity=identity).identity_of(_inbound(), is_trusted=False)


@pytest.mark.req(68)
def test_identity_of_nobody_is_not_as_if_nobody_was_asked() -> None:
    """A callable that knows nothing of the caller has the last word: no header says it in its place."""
    identity = cast("Callable[[Inbound], Identity]", lambda _: None)

    assert Identity() == mesh(identity=identity).identity_of(_inbound(), is_trusted=True)


def test_inbound_header_is_found_without_case_and_joined() -> None:
    """Two Authorization lines do not read as the first of them."""
    inbound = _inbound(headers=[(b"authorization", b" Bearer a "), (b"Authorization", b"Bearer b"), (b"x", None)])

    assert "Bearer a , Bearer b" == inbound.header("AUTHORIZATION")
    assert inbound.header("x") is None
    assert inbound.header("y") is None


def test_inbound_header_takes_any_bytes() -> None:
    """What is not UTF-8 is marked, not raised."""
    assert "a\ufffd" == _inbound(headers=[(b"x", b"a\xff")]).header("x")
