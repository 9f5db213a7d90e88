"""One attempt of a guarded call: what the library that tries again is told of it, and whether anybody answered.

An attempt that ends without a connection is not always one that nothing came of: where a response sent it on to another
place, or it was the second request of its function, somebody has been asked already. The doors at which requests go out
say so here.
"""

from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final

from pennon.http.failing import outcome_of_error


class Failed(Exception):
    """What stamina is told of an error: it logs that, and a client's own error names a URL with all its tokens.

    was_answered: a response came in this attempt, before it failed.
    """

    def __init__(self, error: Exception, *, was_answered: bool) -> None:
        super().__init__(type(error).__name__, outcome_of_error(error).value)
        self.error = error
        self.was_answered = was_answered


class Attempt:
    """One of the library's attempts, which gets to see no more of an error than may be logged."""

    __slots__ = ("_around", "_attempt", "was_answered")

    def __init__(self, attempt: AbstractContextManager[Any]) -> None:
        self._attempt = attempt
        self._around: Attempt | None = None
        self.was_answered = False

    def __enter__(self) -> None:
        self._around = _HERE.get()
        _HERE.set(self)
        self._attempt.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        # Not by a token, which raises in another context: a coroutine that was dropped half-way may be closed there.
        if _HERE.get() is self:
            _HERE.set(self._around)
        if self.was_answered and self._around is not None:
            # To whoever guards a call that this one is a part of.
            self._around.was_answered = True
        if isinstance(error, Exception):
            return self._attempt.__exit__(Failed, Failed(error, was_answered=self.was_answered), None)
        return self._attempt.__exit__(kind, error, traceback)


def note_response() -> None:
    """A response came, whatever it says, or a try that a client repeats by itself may have arrived."""
    attempt = _HERE.get()
    if attempt is not None:
        attempt.was_answered = True


_HERE: Final[ContextVar[Attempt | None]] = ContextVar("pennon.attempt", default=None)
