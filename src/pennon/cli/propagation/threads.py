"""Which ways of starting work keep the request's context here; the interpreter decides, and who patched it."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import pennon
from pennon.cli.propagation.entering import TRUSTED, by_asgi
from pennon.cli.propagation.findings import Finding, Level
from pennon.cli.propagation.probe import probe_for
from pennon.context import RequestContext
from pennon.headers import Contract

_USE: Final = "use pennon.ContextExecutor"

Start = Callable[[], Awaitable[RequestContext | None]]


def started(contract: Contract) -> Iterator[Finding]:
    """Whether each way keeps it. What Python itself loses is advice; what must keep it, and does not, is a break."""
    found: dict[str, bool] = {}

    async def within(context: RequestContext) -> None:
        for name, (start, _) in _WAYS.items():
            found[name] = await start() is context

    by_asgi(contract, TRUSTED, probe_for(contract).headers, within)
    for name, (_, must_keep) in _WAYS.items():
        if found.get(name):
            yield Finding(Level.FINE, name, "keeps it")
        elif must_keep:
            yield Finding(Level.BREAK, name, "loses it, although it copies the context everywhere else")
        else:
            yield Finding(Level.ADVICE, name, f"loses it: {_USE}")


async def _task() -> RequestContext | None:
    async def ask() -> RequestContext | None:
        return pennon.current()

    return await asyncio.create_task(ask())


async def _to_thread() -> RequestContext | None:
    return await asyncio.to_thread(pennon.current)


async def _run_in_executor() -> RequestContext | None:
    return await asyncio.get_running_loop().run_in_executor(None, pennon.current)


async def _thread_pool() -> RequestContext | None:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(pennon.current).result()


async def _thread() -> RequestContext | None:
    found: list[RequestContext | None] = []
    thread = threading.Thread(target=lambda: found.append(pennon.current()))
    thread.start()
    thread.join()
    return found[0]


async def _context_executor() -> RequestContext | None:
    with pennon.ContextExecutor(1) as pool:
        return pool.submit(pennon.current).result()


# What starts work, and whether it must keep the context.
_WAYS: Final[dict[str, tuple[Start, bool]]] = {
    "asyncio.create_task": (_task, True),
    "asyncio.to_thread": (_to_thread, True),
    "pennon.ContextExecutor": (_context_executor, True),
    "loop.run_in_executor": (_run_in_executor, False),
    "ThreadPoolExecutor.submit": (_thread_pool, False),
    "threading.Thread": (_thread, False),
}
