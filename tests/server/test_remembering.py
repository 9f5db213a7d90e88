"""What a server knows without its database: environments, tokens; and what it lets through at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from pennon.control import Author, Role
from pennon.errors import Unreachable
from pennon.flags.keys import key_id_of
from pennon.server.bucket import Bucket
from pennon.server.memory import Memory
from pennon.server.tokens import Tokens

BY = Author("test")
KEY = "A" * 43


class Counting:
    """A store that counts whole reads of an environment, and can be down."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.read: list[int] = []
        self.is_down = False
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        if self.is_down:
            self.refusals += 1
            raise Unreachable("gone")
        return getattr(self.store, name)

    def known(self, environment_id: int) -> Any:
        """Counted."""
        self.read.append(environment_id)
        return self.store.known(environment_id)


def _signed(store: Any) -> None:
    document = {"name": "ops", "use": "kill", "key": KEY}
    store.put_signer("default", "staging", key_id_of(KEY), document, if_match=None, by=BY)


def test_memory_reads_again_what_has_changed_and_nothing_else(new_store: Any) -> None:
    """However often it looks."""
    production, staging = new_store.create_project("default", environments=["production", "staging"])
    store = Counting(new_store)

    async def scenario() -> Memory:
        memory = Memory(store)
        await memory.refresh()
        await memory.refresh()
        _signed(new_store)
        await memory.refresh()
        return memory

    memory = asyncio.run(scenario())
    assert ({production.environment.id, staging.environment.id}, 3) == (set(store.read[:2]), len(store.read))
    assert staging.environment.id == store.read[2]
    assert {key_id_of(KEY): KEY} == memory.keys


def test_memory_keeps_what_it_knows_while_the_store_is_down(new_store: Any) -> None:
    """And says that it is down, until it answers again."""
    new_store.create_project("default", environments=["production", "staging"])
    _signed(new_store)
    store = Counting(new_store)

    async def scenario() -> list[tuple[bool, int]]:
        memory = Memory(store)
        said = []
        for is_down in (False, True, True, False):
            store.is_down = is_down
            await memory.refresh()
            said.append((memory.is_store_down, len(memory.keys)))
        return said

    assert [(False, 1), (True, 1), (True, 1), (False, 1)] == asyncio.run(scenario())


def test_memory_forgets_environments_that_are_gone(new_store: Any) -> None:
    """As after a restore of an older backup."""
    new_store.create_project("default", environments=["production"])
    store = Counting(new_store)

    async def scenario() -> int:
        memory = Memory(store)
        await memory.refresh()
        store.positions = dict  # type: ignore[attr-defined]
        await memory.refresh()
        return len(memory.known)

    assert 0 == asyncio.run(scenario())


@pytest.fixture
def followed(new_store: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Follows tokens, quickly, while something happens; what it ended."""
    monkeypatch.setattr("pennon.server.tokens._LOOK_S", 0.001)

    def run(tokens: Tokens, used: set[str], happens: Callable[[asyncio.Event], Awaitable[None]]) -> set[str]:
        async def body() -> set[str]:
            ended: set[str] = set()
            has_ended = asyncio.Event()

            def end(ids: Any) -> None:
                ended.update(ids)
                used.difference_update(ids)
                has_ended.set()

            following = asyncio.create_task(tokens.follow(lambda: used, end))
            await happens(has_ended)
            following.cancel()
            return ended

        return asyncio.run(body())

    return run


def test_token_that_is_revoked_loses_its_stream_and_is_remembered_no_more(
    new_store: Any, followed: Callable[..., Any]
) -> None:
    """Whoever revoked it; the others stay."""
    new_store.create_project("default", environments=["production"])
    made = [
        new_store.create_token(name=name, role=Role.SDK, project="default", environment="production") for name in "ab"
    ]
    tokens = Tokens(new_store)
    for one in made:
        tokens.found(one.secret, one.row)

    async def happens(has_ended: asyncio.Event) -> None:
        new_store.revoke_token(made[0].row.id)
        await asyncio.wait_for(has_ended.wait(), 60)

    ended = followed(tokens, {one.row.id for one in made}, happens)
    assert {made[0].row.id} == ended
    assert [None, made[1].row] == [tokens.held(one.secret) for one in made]


def test_tokens_stay_while_nobody_can_say(new_store: Any, followed: Callable[..., Any]) -> None:
    """A database that is down revokes nobody."""
    new_store.create_project("default", environments=["production"])
    made = new_store.create_token(name="a", role=Role.SDK, project="default", environment="production")
    store = Counting(new_store)
    tokens = Tokens(store)
    tokens.found(made.secret, made.row)
    store.is_down = True

    async def happens(has_ended: asyncio.Event) -> None:
        while store.refusals < 3:
            await asyncio.sleep(0)
        assert not has_ended.is_set()

    assert set() == followed(tokens, {made.row.id}, happens)
    assert made.row == tokens.held(made.secret)
    tokens.refused(made.secret)
    assert tokens.held(made.secret) is None


def test_tokens_remembered_are_bounded(new_store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has not been used the longest goes first."""
    monkeypatch.setattr("pennon.server.tokens._LIMIT_COUNT", 2)
    new_store.create_project("default", environments=["production"])
    row = new_store.create_token(name="a", role=Role.SDK, project="default", environment="production").row
    tokens = Tokens(new_store)
    for secret in ("1", "2", "1", "3"):
        tokens.found(secret, row)
    assert [True, False, True] == [tokens.held(secret) is not None for secret in ("1", "2", "3")]


def test_bucket_gives_what_it_holds_and_then_as_it_refills() -> None:
    """Full at first; never fuller than full, however long nobody comes; the wait it tells is enough."""
    now_ns = 0
    bucket = Bucket(full_count=2, rate_per_s=4, monotonic_ns=lambda: now_ns)
    assert [0, 0, 0.25] == [bucket.wait_s() for _ in range(3)]
    now_ns = 10**9 // 8
    assert 0.125 == bucket.wait_s()
    now_ns = 10**9 // 4
    assert [0, 0.25] == [bucket.wait_s() for _ in range(2)]
    now_ns = 3_600 * 10**9
    assert [0, 0, 0.25] == [bucket.wait_s() for _ in range(3)]
