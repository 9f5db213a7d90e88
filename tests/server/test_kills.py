"""The kill lane."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from pennon.server import create_app


def path(flag: str, environment: str | None = "production") -> str:
    """Where a flag is killed."""
    place = "" if environment is None else f"/environments/{environment}"
    return f"/v1/projects/default{place}/flags/{flag}/kill"


def test_kill_needs_no_if_match_and_no_body(plane: Any) -> None:
    """A person in trouble sends one PUT."""
    flag = plane.flag()
    response = plane.admin.put(path(flag))
    assert (200, True) == (response.status_code, response.json()["killed"])
    assert plane.admin.get(plane.settings(flag)).json()["killed"] is True
    assert plane.admin.get(plane.settings(flag, "staging")).json()["killed"] is False


def test_kill_twice_changes_nothing_the_second_time(plane: Any) -> None:
    """Idempotent: same revision, no new floor, no change listed."""
    flag = plane.flag()
    first = plane.admin.put(path(flag)).json()
    settings = plane.admin.get(plane.settings(flag)).json()
    second = plane.admin.put(path(flag)).json()
    assert (1, []) == (len(first["changes"]), second["changes"])
    assert settings == plane.admin.get(plane.settings(flag)).json()


def test_kill_everywhere_reaches_every_environment(plane: Any) -> None:
    """One request, one answer per environment; unkill likewise."""
    flag = plane.flag()
    killed = plane.admin.put(path(flag, None), json={"reason": "it burns"}).json()
    assert ["production", "staging"] == sorted(change["environment"] for change in killed["changes"])
    back = plane.admin.request("DELETE", path(flag, None), json={"reason": "out"}).json()
    assert (False, 2) == (back["killed"], len(back["changes"]))


def test_kill_is_audited_with_who_and_why(plane: Any) -> None:
    """The change log names the token and the reason."""
    flag = plane.flag()
    plane.admin.put(path(flag), json={"reason": "it burns"})
    change = plane.admin.get(plane.settings(flag) + "/history").json()["items"][0]
    assert ("kill", "admin-test", "it burns") == (change["action"], change["actor"], change["reason"])


@pytest.mark.parametrize(
    ("body", "status"), [(b"[1]", 422), (b'{"why": 1}', 422), (b'{"reason": 1}', 422), (b"{", 400)]
)
def test_kill_with_nonsense_in_its_body_is_refused(plane: Any, body: bytes, status: int) -> None:
    """A reason that cannot be kept is not dropped silently."""
    flag = plane.flag()
    assert status == plane.admin.put(path(flag), content=body).status_code
    assert plane.admin.get(plane.settings(flag)).json()["killed"] is False


def test_kill_of_an_unknown_flag_is_404(plane: Any) -> None:
    """Nothing is made up."""
    assert [404, 404] == [plane.admin.put(path("none", place)).status_code for place in ("production", None)]


def test_kill_passes_while_authors_are_shed(
    new_store: Any, serving: Callable[[Any], Any], plane_over: Callable[[str, Any], Any]
) -> None:
    """With the authoring lane full, an edit gets 429 with Retry-After and the kill gets through."""
    entered, gate = threading.Semaphore(0), threading.Event()

    class Slow:
        """The store, but listing flags takes until the gate opens."""

        def __getattr__(self, name: str) -> Any:
            return getattr(new_store, name)

        def flags(self, *arguments: Any, **named: Any) -> Any:
            """Wait, then list."""
            entered.release()
            gate.wait(60)
            return new_store.flags(*arguments, **named)

    with serving(create_app(Slow(), authoring_waiting_limit_count=0)) as url:
        plane = plane_over(url, new_store)
        flag = plane.flag()
        crowd = [threading.Thread(target=_list, args=(plane,)) for _ in range(4)]
        for thread in crowd:
            thread.start()
        for _ in crowd:
            assert entered.acquire(timeout=60)
        shed = plane.admin.get("/v1/projects/default/flags")
        killed = plane.admin.put(path(flag))
        gate.set()
        for thread in crowd:
            thread.join(60)
    assert (429, "too_many_requests", "1") == (shed.status_code, shed.json()["code"], shed.headers["retry-after"])
    assert 200 == killed.status_code


def _list(plane: Any) -> None:
    with plane.client(plane.admin_token) as client:
        client.get("/v1/projects/default/flags")
