"""The end of a client: bounded, said, and never an exception afterwards."""

import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import pennon
from pennon.client import Client, Status

Connect = Callable[..., Client]


def threads() -> list[str]:
    """The clients' threads that are alive."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pennon-")]


def test_closed_client_answers_defaults(server: Any, connect: Connect, make: Any) -> None:
    """It no longer hears of kills, so it answers nothing it cannot vouch for."""
    client = connect()
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    assert client.is_on("checkout", unit="u")
    client.close()
    assert (Status.CLOSED, False) == (client.status, client.is_on("checkout", unit="u"))
    assert pennon.ErrorCode.PROVIDER_NOT_READY is client.decision("checkout", unit="u").error
    assert not client.wait_ready(60)


def test_close_ends_the_threads_in_the_midst_of_a_silent_stream(server: Any, connect: Connect, make: Any) -> None:
    """It does not wait for the watchdog."""
    client = connect(silence_s=3600.0)
    server.accept().send(make.ruleset(make.flag()))
    assert client.wait_ready(60)
    client.close()
    assert [] == threads()


def test_close_ends_the_threads_in_the_midst_of_a_pause(connect: Connect, until: Any) -> None:
    """Nor for the next attempt."""
    client = connect("http://127.0.0.1:9", base_s=3600.0, cap_s=3600.0)
    until(lambda: client.status_detail != "connecting")
    client.close()
    assert [] == threads()


def test_close_is_bounded_where_the_server_hangs(server: Any, connect: Connect, make: Any, until: Any) -> None:
    """A socket that takes connections and never answers holds nobody up."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = connect(f"http://127.0.0.1:{listener.getsockname()[1]}", silence_s=0.5, close_s=0.1)
        with listener.accept()[0]:
            client.close()
            assert Status.CLOSED is client.status
    until(lambda: not threads())


def test_close_again_does_nothing(connect: Connect) -> None:
    """Twice is as good as once."""
    client = connect()
    client.close()
    client.close()


def test_with_closes(server: Any) -> None:
    """A context manager."""
    with pennon.connect(server.url, token="t") as client:
        server.accept()
    assert Status.CLOSED is client.status


def test_client_that_is_dropped_says_so_and_ends(server: Any, until: Any) -> None:
    """A leak is a ResourceWarning, and its threads do not keep it alive."""
    held = [pennon.connect(server.url, token="t")]
    server.accept()
    gone = weakref.ref(held[0])
    with pytest.warns(ResourceWarning, match="a pennon client was not closed"):
        held.clear()
    assert gone() is None
    until(lambda: not threads())
