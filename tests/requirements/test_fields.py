"""What the built-in fields say, held against the list."""

import pytest

from pennon.headers import Category, Propagate, std
from pennon.headers.standard import HeaderScope

BY_NAME = {each.name: each for each in std.ALL}
END_TO_END = ("traceparent", "tracestate", "baggage", "x-correlation-id", "x-request-id")


@pytest.mark.req(19)
@pytest.mark.parametrize("name", END_TO_END)
def test_field_of_a_request_s_way_goes_end_to_end(name: str) -> None:
    """Trace, baggage and the ids that join a way are sent on by every hop."""
    assert (HeaderScope.END_TO_END, Propagate.ALWAYS) == (BY_NAME[name].scope, BY_NAME[name].propagate)


@pytest.mark.req(19)
@pytest.mark.parametrize("name", ["x-tenant-id", "x-actor-id", "x-actor-type", "x-on-behalf-of", "x-caller-service"])
def test_field_of_identity_goes_to_whom_it_is_declared(name: str) -> None:
    """Within trust, downstream by downstream."""
    assert (HeaderScope.END_TO_END, Propagate.PER_DOWNSTREAM) == (BY_NAME[name].scope, BY_NAME[name].propagate)


@pytest.mark.req(19, 58)
def test_idempotency_key_is_of_its_own_path_alone() -> None:
    """What repeats for one receiver need not repeat for the next."""
    assert Propagate.NEVER is BY_NAME["idempotency-key"].propagate


@pytest.mark.req(74)
@pytest.mark.parametrize("name", ["x-caller-service", "x-actor-type", "x-actor-id", "x-on-behalf-of"])
def test_field_of_the_actor_is_built_in(name: str) -> None:
    """In the category of security, and no stranger's to set."""
    assert Category.SECURITY is BY_NAME[name].category
    assert not BY_NAME[name].caller_may_set


@pytest.mark.req(1, 19)
def test_every_category_has_a_built_in_field() -> None:
    """Seven of them, none empty."""
    assert set(Category) == {each.category for each in std.ALL}
    assert 7 == len(Category)
