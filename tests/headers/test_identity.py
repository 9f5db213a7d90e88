"""Tenant and actor as headers: what is read, what is written, and that both agree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import ActorType, Identity
from pennon.headers import Drop, DropReason
from pennon.headers.identity import IDENTITY_NAMES, identity_fields, identity_of

IDS = st.text("abcXYZ019._:-@ \n", max_size=6)
NAMED = st.dictionaries(st.sampled_from(IDENTITY_NAMES), IDS | st.sampled_from([*ActorType]), max_size=4)


@pytest.mark.req(68, 73, 74)
def test_identity_of_delegation_says_who_acts_and_for_whom() -> None:
    """The actor is who acts; whom they act for stands beside them."""
    said = {
        "x-tenant-id": "tenant-42",
        "x-actor-id": "helper-1",
        "x-actor-type": "SUPPORT",
        "x-on-behalf-of": "user-991",
    }
    expected = Identity(tenant="tenant-42", actor="helper-1", actor_type=ActorType.SUPPORT, on_behalf_of="user-991")
    assert expected == identity_of(said).identity
    assert tuple(said.items()) == identity_fields(expected)


@pytest.mark.req(71, 74)
@pytest.mark.parametrize(
    ("said", "identity", "dropped"),
    [
        ({"x-actor-id": "a@b.example"}, Identity(), [Drop("x-actor-id", DropReason.MALFORMED)]),
        ({"x-tenant-id": "Ada Lovelace"}, Identity(), [Drop("x-tenant-id", DropReason.MALFORMED)]),
        ({"x-actor-id": "u", "x-actor-type": "GOD"}, Identity(actor="u"), [Drop("x-actor-type", DropReason.MALFORMED)]),
        ({"x-on-behalf-of": "u"}, Identity(), [Drop("x-on-behalf-of", DropReason.MISPLACED)]),
        (
            {"x-actor-id": "s", "x-actor-type": "SUPPORT"},
            Identity(),
            [Drop("x-actor-id", DropReason.MISPLACED), Drop("x-actor-type", DropReason.MISPLACED)],
        ),
        ({"x-actor-id": "system:scheduler", "authorization": "x"}, Identity(actor="system:scheduler"), []),
    ],
)  # fmt: skip
def test_identity_of_drops_what_says_nobody(said: dict[str, str], identity: Identity, dropped: list[Drop]) -> None:
    """Names and addresses, unknown types, somebody acted for by nobody, and a supporter of nobody are not kept."""
    read = identity_of(said)
    assert (identity, dropped) == (read.identity, list(read.dropped))


@given(NAMED)
def test_identity_of_is_what_identity_fields_writes(said: dict[str, str]) -> None:
    """Whatever was said: what is read, written and read again is the same, without drops."""
    read = identity_of(said)
    again = identity_of(dict(identity_fields(read.identity)))
    assert (read.identity, ()) == (again.identity, again.dropped)


@given(st.builds(Identity, tenant=IDS | st.none(), actor=IDS | st.none(), on_behalf_of=IDS | st.none()))
def test_identity_fields_writes_nothing_that_a_header_cannot_hold(identity: Identity) -> None:
    """Whatever a callable answered, no value has a space, an "@" or a line break."""
    assert not any(set("@ \n") & set(value) for _, value in identity_fields(identity))
