"""Executors whose work goes on in the request that handed it over."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ContextExecutor(ThreadPoolExecutor):
    """A pool of threads in which each call sees the context variables of whoever submitted it: request, span, yours.

    Python's own starts every call without them. Each call gets a copy: what it sets does not come back, and what an
    `initializer` set in the thread is not seen. Once the request's door has closed, its calls serve no request.
    """

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As ThreadPoolExecutor's; `map` and an event loop's `run_in_executor` come through here as well."""
        return super().submit(copy_context().run, partial(fn, *args, **kwargs))
