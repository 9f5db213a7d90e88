"""The reference page says what the doors do."""

import re
from pathlib import Path
from typing import Any

import pytest

import pennon.http
from pennon.carry import ReturnDrop
from pennon.context import LEDGER_LIMIT_COUNT, RequestContext
from pennon.headers.ingress import OVERRIDE_MAX_BYTES
from pennon.http.environ import KNOWN_SERVERS
from pennon.http.httpx_door import AsyncDoor
from pennon.http.returning import Unread
from pennon.testing.headers import run_suite

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")


def test_page_shows_code_that_runs() -> None:
    """Each by itself: a service that keeps its contract, a client behind a door, a callee that is listened to."""
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    service, client, callee = [_run(block) for block in blocks]

    assert run_suite(service["app"], service["contract"], leave_out=("rule/deadline-everywhere",)) > 0
    assert isinstance(client["client"]._transport, AsyncDoor)
    assert callee["posts"].decides


def _run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block, names)
    return names


@pytest.mark.parametrize("cause", [*Unread, *ReturnDrop])
def test_page_names_every_cause_for_which_returned_decisions_are_dropped(cause: Unread | ReturnDrop) -> None:
    """Who finds a cause in a metric finds it here."""
    assert f"| `{cause.value}` |" in PAGE


def test_page_states_the_limits_that_hold() -> None:
    """A token's size, and how much callees may return."""
    assert f"at most {OVERRIDE_MAX_BYTES:,} bytes of visible ASCII" in re.sub(r"\s+", " ", PAGE)
    assert f"more than {LEDGER_LIMIT_COUNT:,} in this request" in PAGE


def test_page_says_what_a_request_context_holds() -> None:
    """Every field of it stands in the table of `pennon.current()`."""
    [table] = re.findall(r"### What a request says.*?(?=\n###)", PAGE, re.DOTALL)
    assert set() == {name for name in RequestContext.__struct_fields__ if f"`{name}`" not in table}


def test_page_names_every_door() -> None:
    """Each is found by its full name."""
    assert all(f"`pennon.http.{name}" in PAGE for name in pennon.http.__all__)


def test_page_names_every_server_that_is_known_to_keep_names_apart() -> None:
    """With the first version that does."""
    for name, least in KNOWN_SERVERS.items():
        assert (f"{name} ({least}" if least else name) in PAGE
