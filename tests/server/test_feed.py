"""One feed over a real store, driven step by step: no task, no timing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from pennon.control import Author
from pennon.errors import Unreachable
from pennon.server.feed import Feed
from pennon.server.snapshots import Snapshots
from pennon.sync import FrameReader, Message, decode_message
from pennon.web import Lane

BY = Author("test")


class Bench:
    """A feed over a store with one environment and one flag, and readers that keep what they get."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.is_down = False
        self.environment = store.create_project("default", environments=["production"])[0].environment.id
        variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
        document = {"key": "f", "type": "boolean", "variants": variants}
        store.create_flag("default", document, by=BY)
        lane = Lane(threads=1)
        self.snapshots = Snapshots(self, lane)  # type: ignore[arg-type]
        self.feed = Feed(self.environment, store=self, lane=lane, snapshots=self.snapshots)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> Any:
        """The store's, for the feed, unless it is down."""
        if self.is_down:
            raise Unreachable("gone")
        return getattr(self.store, name)

    def edit(self, *, is_on: bool) -> None:
        """One more revision."""
        revision = self.store.settings("default", "production", "f").revision
        self.store.update_settings("default", "production", "f", {"on": is_on}, if_match=revision, by=BY)

    def kill(self) -> None:
        """The flag is killed."""
        self.store.kill("default", "f", environment="production", by=BY)

    def unkill(self) -> None:
        """And back."""
        self.store.unkill("default", "f", environment="production", by=BY)

    async def join(self, after: tuple[int, int] | None = None, token_id: str = "") -> "Joined":
        """A new reader."""
        joined = Joined()
        first, joined.detach = await self.feed.open(after, joined.write, joined.close, token_id=token_id)
        joined.first = names(first)
        return joined

    async def advance(self) -> None:
        """What a wake does."""
        await self.feed._advance()


class Joined:
    """A reader and what it got, urgent bytes in front as a backlog has them."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.urgent: list[bytes] = []
        self.queued: list[bytes] = []
        self.is_closed = False
        self.detach: Callable[[], None] = lambda: None

    def write(self, data: bytes, *, is_urgent: bool = False) -> bool:
        """Keep it."""
        (self.urgent if is_urgent else self.queued).append(data)
        return True

    def close(self) -> None:
        """The app's own end."""
        self.is_closed = True

    def then(self) -> list[str]:
        """What came after the opening."""
        return names(b"".join(self.urgent + self.queued))


def names(data: bytes) -> list[str]:
    """Events in short: snapshot@3, delta@4, kill@5."""
    return [f"{frame.name}@{_number(decode_message(frame.name, frame.data))}" for frame in FrameReader().feed(data)]


def _number(message: Message | None) -> Any:
    return getattr(message, "to_revision", getattr(message, "revision", ""))


@pytest.fixture
def run(new_store: Any) -> Callable[[Callable[[Bench], Awaitable[Any]]], Any]:
    """Run a scenario against a bench of its own."""

    def runner(scenario: Callable[[Bench], Awaitable[Any]]) -> Any:
        async def body() -> Any:
            return await scenario(Bench(new_store))

        return asyncio.run(body())

    return runner


Run = Callable[[Callable[[Bench], Awaitable[Any]]], Any]


def test_kill_leaves_before_every_change_of_its_batch(run: Run) -> None:
    """Three changes and a kill read together: the kill goes out first."""

    async def scenario(bench: Bench) -> list[str]:
        reader = await bench.join()
        bench.edit(is_on=False)
        bench.edit(is_on=True)
        bench.kill()
        await bench.advance()
        return reader.then()

    assert ["kill@4", "delta@2", "delta@3", "delta@4"] == run(scenario)


def test_kill_taken_back_in_the_same_batch_is_no_event(run: Run) -> None:
    """What is over is not shouted."""

    async def scenario(bench: Bench) -> list[str]:
        reader = await bench.join()
        bench.kill()
        bench.unkill()
        await bench.advance()
        return reader.then()

    assert ["delta@2", "delta@3"] == run(scenario)


def test_newcomer_gets_an_earlier_snapshot_open_kills_then_deltas(run: Run) -> None:
    """The held snapshot serves while little has changed; kills since stand right after it."""

    async def scenario(bench: Bench) -> list[str]:
        # A description makes the snapshot long against the deltas.
        await bench.join()
        bench.snapshots.held(bench.environment).body += b" " * 10_000  # type: ignore[union-attr]
        bench.edit(is_on=False)
        bench.kill()
        await bench.advance()
        return (await bench.join()).first

    assert ["snapshot@1", "kill@3", "delta@2", "delta@3"] == run(scenario)


def test_newcomer_after_many_changes_gets_a_new_snapshot(run: Run) -> None:
    """Deltas that together outweigh a snapshot are not worth sending."""

    async def scenario(bench: Bench) -> list[str]:
        await bench.join()
        for number in range(6):
            bench.edit(is_on=bool(number % 2))
        await bench.advance()
        return (await bench.join()).first

    assert ["snapshot@7"] == run(scenario)


def test_change_between_the_base_and_attaching_is_not_lost(run: Run) -> None:
    """A snapshot read before a change, attached after it went out: the change follows in the opening."""

    async def scenario(bench: Bench) -> list[str]:
        await bench.join()
        base = bench.feed._base

        async def slowly(after: tuple[int, int] | None) -> Any:
            read = await base(after)
            bench.edit(is_on=False)
            await bench.advance()
            return read

        bench.feed._base = slowly  # type: ignore[method-assign]
        return (await bench.join()).first

    assert ["snapshot@1", "delta@2"] == run(scenario)


def test_resume_within_memory_gets_each_delta(run: Run) -> None:
    """The log in memory reaches: no query, no merging."""

    async def scenario(bench: Bench) -> list[str]:
        reader = await bench.join()
        reader.detach()
        epoch = bench.store.environment_by_id(bench.environment).epoch
        bench.edit(is_on=False)
        bench.edit(is_on=True)
        await bench.advance()
        return (await bench.join((epoch, 1))).first

    assert ["delta@2", "delta@3"] == run(scenario)


def test_resume_beyond_memory_gets_one_merged_delta_from_the_store(run: Run) -> None:
    """A restarted server has no memory; the change log has."""

    async def scenario(bench: Bench) -> list[str]:
        epoch = bench.store.environment_by_id(bench.environment).epoch
        bench.edit(is_on=False)
        bench.kill()
        return (await bench.join((epoch, 1))).first

    assert ["kill@3", "delta@3"] == run(scenario)


def test_resume_with_nothing_missed_gets_a_sign_of_life(run: Run) -> None:
    """The reader need not wait for the next ping to know that it was taken back."""

    async def scenario(bench: Bench) -> list[str]:
        epoch = bench.store.environment_by_id(bench.environment).epoch
        return (await bench.join((epoch, 1))).first

    assert ["ping@"] == run(scenario)


def test_numbering_that_begins_anew_ends_every_stream(run: Run) -> None:
    """After a restore nobody may go on from a position of before."""

    async def scenario(bench: Bench) -> tuple[bool, list[str]]:
        reader = await bench.join()
        bench.feed._position = (bench.store.environment_by_id(bench.environment).epoch, 999)
        await bench.advance()
        return reader.is_closed, (await bench.join()).first

    assert (True, ["snapshot@1"]) == run(scenario)


def test_memory_of_what_went_out_is_bounded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is edited, the feed forgets the oldest; who needs it gets it from the store."""
    monkeypatch.setattr("pennon.server.feed._MEMORY_LIMIT_BYTES", 1_000)

    async def scenario(bench: Bench) -> tuple[bool, list[str]]:
        epoch = bench.store.environment_by_id(bench.environment).epoch
        await bench.join()
        for number in range(10):
            bench.edit(is_on=bool(number % 2))
        await bench.advance()
        return bench.feed._sent_bytes <= 1_000, (await bench.join((epoch, 1))).first

    assert (True, ["delta@11"]) == run(scenario)


def test_reader_is_let_in_without_a_store_where_memory_leads_on(run: Run) -> None:
    """Where it stands, with the snapshot that is held and what went out since; else it is told to come back."""

    async def scenario(bench: Bench) -> list[list[str]]:
        epoch = bench.store.environment_by_id(bench.environment).epoch
        bench.is_down = True
        with pytest.raises(HTTPException) as refused:
            await bench.join()
        assert 503 == refused.value.status_code
        first = (await bench.join((epoch, 1))).first
        bench.is_down = False
        await bench.join()
        bench.edit(is_on=False)
        await bench.advance()
        bench.is_down = True
        return [first, *[(await bench.join(after)).first for after in (None, (epoch, 0), (epoch, 1), (epoch, 7))]]

    whole = ["snapshot@1", "delta@2"]
    assert [["ping@"], whole, whole, ["delta@2"], ["ping@"]] == run(scenario)


def test_reader_of_another_numbering_that_was_let_in_is_sent_back_later(run: Run) -> None:
    """As soon as the store can say so."""

    async def scenario(bench: Bench) -> bool:
        bench.is_down = True
        reader = await bench.join((1, 1))
        assert not reader.is_closed
        bench.is_down = False
        await bench.advance()
        return reader.is_closed

    assert run(scenario)


def test_closing_ends_all_streams_or_those_of_some_tokens(run: Run) -> None:
    """A stream that has left is nobody's any more."""

    async def scenario(bench: Bench) -> tuple[list[bool], list[str]]:
        readers = [await bench.join(token_id=name) for name in ("a", "b", "a", "c")]
        readers[3].detach()
        bench.feed.close({"a", "c"})
        return [reader.is_closed for reader in readers], sorted(bench.feed.token_ids)

    assert ([True, False, True, False], ["a", "a", "b"]) == run(scenario)
