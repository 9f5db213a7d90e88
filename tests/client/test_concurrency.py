"""One client, many threads and tasks, while its ruleset changes under them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pennon
from pennon.ambient import entered
from pennon.client import Client, answering
from pennon.flags import FlagType, Ruleset
from pennon.sync import Delta, Put

Connect = Callable[..., Client]


def test_threads_get_one_rulesets_answers_while_it_changes(server: Any, connect: Connect, make: Any) -> None:
    """No mixture, no default, no exception: each answer is some revision's, and none goes back."""
    client = connect()
    stream = server.accept()
    last = 200

    def flag(revision: int) -> Any:
        return make.valued("count", FlagType.INTEGER, revision, revision=revision)

    stream.send(make.ruleset(flag(1)))
    assert client.wait_ready(60)

    def ask() -> list[int]:
        seen = [0]
        while seen[-1] != last:
            seen.append(client.integer("count", unit="u", default=-1))
        return seen

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        for revision in range(2, last + 1):
            stream.send(Delta(7, 1, revision - 1, revision, Put(flags={"count": flag(revision)})))
        for future in asked:
            seen = future.result(30)
            assert sorted(seen) == seen


def test_tasks_of_a_request_share_its_decision(make: Any) -> None:
    """Children of `gather`, and threads that tasks wait for, agree although the flag changes between them."""
    first, second = (
        Ruleset.of(make.ruleset(make.flag(serve=serve, revision=r), revision=r)) for serve, r in (("on", 1), ("off", 2))
    )

    async def ask(client: Client, turn: asyncio.Event | None, done: asyncio.Event) -> tuple[bool, bool]:
        if turn is not None:
            await turn.wait()
        here = client.is_on("checkout")
        there = await asyncio.to_thread(client.is_on, "checkout")
        done.set()
        return here, there

    async def request() -> list[tuple[bool, bool]]:
        with pennon.testing.flags({}), pennon.connect() as client, entered(make.request({"user": "u"})):
            first_done, second_done = asyncio.Event(), asyncio.Event()
            with answering(first):
                early = asyncio.create_task(ask(client, None, first_done))
                late = asyncio.create_task(ask(client, first_done, second_done))
                await first_done.wait()
                with answering(second):
                    return [await early, await late]

    assert [(True, True), (True, True)] == asyncio.run(request())
