"""The context of a request ends with it, also where its block ends somewhere else, or its process is copied."""

import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from contextvars import Context
from types import SimpleNamespace

import pytest

import pennon
import pennon.kafka
from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import Contract, mesh
from pennon.system import system_context

CONTRACT = Contract("orders", version="1", owner="team")
RECORD = SimpleNamespace(topic="orders", partition=0, offset=0, timestamp=0, value=b"", headers=[])

FORKING = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
import pennon

with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool, pennon.system_context("sweeper"):
    print(pool.submit(pennon.current).result())
"""

Begin = Callable[[], AbstractContextManager[RequestContext]]


def processing() -> AbstractContextManager[RequestContext]:
    return pennon.kafka.process(RECORD, CONTRACT, boundary=mesh())


def working() -> AbstractContextManager[RequestContext]:
    return system_context("sweeper")


@pytest.mark.req(92, 93)
@pytest.mark.parametrize("begin", [processing, working])
def test_a_block_that_ends_in_another_context_is_over_all_the_same(begin: Begin) -> None:
    """A generator that is dropped half-way may be closed anywhere; whose work it was is nobody's from then on."""

    def blocks() -> Generator[RequestContext, None, None]:
        with begin() as context:
            yield context

    def left_open() -> RequestContext | None:
        records = blocks()
        next(records)
        with pytest.raises(ValueError, match="different Context"):
            Context().run(records.close)
        return ambient.current()

    assert Context().run(left_open) is None


@pytest.mark.req(92, 93)
def test_a_forked_worker_serves_no_request() -> None:
    """A pool's process lives on, and works for others than the request in which it was begun."""
    # In a process of its own: this one may have threads, which a fork would leave half-way.
    ran = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=60, check=False)
    assert "None\n" == ran.stdout, ran.stderr
