"""Attempts of guarded calls that are left in unusual ways."""

from collections.abc import Generator
from contextvars import copy_context

import pytest

import pennon.http
from pennon.headers import Contract, Downstream, Retries
from pennon.http.attempts import note_response

CONTRACT = Contract(
    "shop",
    version="1",
    owner="team-shop",
    downstreams=[Downstream("pay", host="pay.internal", retries=Retries(attempts=3, initial_s=0.001, max_s=0.001))],
)


class Waiting:
    """Who awaits it is asked to come back later, for ever."""

    def __await__(self) -> Generator[None, None, None]:
        while True:
            yield


async def wait() -> None:
    """Wait for an answer that never comes."""
    await Waiting()


def test_guarded_call_that_is_dropped_half_way_is_closed_anywhere() -> None:
    """What is left of a loop that was stopped is closed by whoever collects it, in no context of the call's."""
    call = pennon.http.Guard(CONTRACT, "pay").acall(wait)
    copy_context().run(call.send, None)

    call.close()


def test_guarded_call_that_is_closed_elsewhere_leaves_the_call_there_alone() -> None:
    """A response there is still noted by the attempt that it belongs to: what was answered is not asked again."""
    guard = pennon.http.Guard(CONTRACT, "pay")
    dropped = guard.acall(wait)
    copy_context().run(dropped.send, None)
    asked: list[int] = []

    def ask() -> None:
        asked.append(1)
        dropped.close()
        note_response()
        raise ConnectionRefusedError

    with pytest.raises(ConnectionRefusedError):
        guard.call(ask)
    assert 1 == len(asked)
