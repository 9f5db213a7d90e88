"""A generator makes its calls while it is read: nobody takes it for guarded."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest

import pennon.http
from pennon.headers import Breaker, Contract, Downstream

CONTRACT = Contract(
    "shop", version="1", owner="team-shop", downstreams=[Downstream("pay", host="pay.internal", breaker=Breaker())]
)


def pages() -> Iterator[int]:
    yield 1


async def pages_async() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [pages, pages_async])
def test_generator_function_is_not_decorated(function: Callable[[], object]) -> None:
    """Called, it has done nothing yet: neither circuit nor retry would ever see it fail."""
    payments = pennon.http.Guard(CONTRACT, "pay")
    with pytest.raises(TypeError, match=r"pages.*: a generator"):
        payments(function)
    with pytest.raises(TypeError, match=r"pages.*: a generator"):
        payments.idempotent(function)
