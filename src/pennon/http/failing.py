"""What a call's outcome says about the downstream, whichever client made it.

A client's errors are known by their names, so that no client has to be there. An error of the caller's own function
says nothing about anybody.
"""

from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any, Final

from pennon.clock import SYSTEM_CLOCK

# What a proxy or server answers in place of an answer: trying again can help. 500 is an answer.
_TRY_AGAIN: Final = frozenset({429, 502, 503, 504})
_TOO_MANY: Final = 429
_SERVER_ERRORS: Final = range(500, 600)
_WAITING: Final = frozenset({429, 503})

Name = tuple[str, str]
# Package and class. The connection was not there: nothing can have been done.
_UNSENT: Final[frozenset[Name]] = frozenset(
    {
        ("httpx", "ConnectError"),
        ("httpx", "ConnectTimeout"),
        ("httpx", "PoolTimeout"),
        ("requests", "ConnectTimeout"),
        ("urllib3", "NewConnectionError"),
        ("urllib3", "ConnectTimeoutError"),
        ("urllib3", "EmptyPoolError"),
        ("aiohttp", "ClientConnectorError"),
        ("aiohttp", "ConnectionTimeoutError"),
        ("builtins", "ConnectionRefusedError"),
    }
)
# It was sent, or begun, and no answer came.
_UNANSWERED: Final[frozenset[Name]] = frozenset(
    {
        ("httpx", "TimeoutException"),
        ("httpx", "NetworkError"),
        ("httpx", "RemoteProtocolError"),
        ("httpx", "ProxyError"),
        ("requests", "ConnectionError"),
        ("requests", "Timeout"),
        ("requests", "ChunkedEncodingError"),
        ("urllib3", "TimeoutError"),
        ("urllib3", "ProtocolError"),
        ("urllib3", "ProxyError"),
        ("urllib3", "SSLError"),
        ("aiohttp", "ClientConnectionError"),
        ("aiohttp", "ClientPayloadError"),
        ("builtins", "ConnectionError"),
        ("builtins", "TimeoutError"),
    }
)


class Outcome(StrEnum):
    """How a call ended; of those that are failures, the `cause` of `pennon.calls.retried` and `.fallen_back`."""

    ANSWERED = "answered"
    """With an answer, whatever it says."""
    UNSENT = "unsent"
    """There was no connection: nothing was sent."""
    UNANSWERED = "unanswered"
    """No answer came, or one broke off; it may have been done."""
    OVERLOADED = "overloaded"
    """429: it is there, and wants fewer calls."""
    FAILED = "failed"
    """A status of 500 or more."""
    UNKNOWN = "unknown"
    """An error that tells nothing of the downstream, e.g. of the caller's own."""


def outcome_of_error(error: BaseException) -> Outcome:
    """How a call that raised this ended."""
    status = status_of(getattr(error, "response", None)) or status_of(error)
    if status is not None:
        return outcome_of_status(status)
    names = _names(error) | _names(_reason(error))
    if names & _UNSENT:
        return Outcome.UNSENT
    return Outcome.UNANSWERED if names & _UNANSWERED else Outcome.UNKNOWN


def outcome_of_status(status: int) -> Outcome:
    """How a call that was answered with this ended."""
    if status == _TOO_MANY:
        return Outcome.OVERLOADED
    return Outcome.FAILED if status in _SERVER_ERRORS else Outcome.ANSWERED


def status_of(answer: object) -> int | None:
    """The status of a client's response, or of an error that has one; None of anything else."""
    if not hasattr(answer, "headers"):
        return None
    for name in ("status_code", "status"):
        status = getattr(answer, name, None)
        if isinstance(status, int):
            return status
    return None


def can_help(outcome: Outcome, status: int | None) -> bool:
    """Whether the same call may end otherwise if it is made again."""
    if status is not None:
        return status in _TRY_AGAIN
    return outcome in {Outcome.UNSENT, Outcome.UNANSWERED}


def retry_after_s(answer: Any) -> float | None:
    """How long a response asks to wait (RFC 9110 §10.2.3), 0 or more; None if it says nothing that can be read."""
    if status_of(answer) not in _WAITING:
        return None
    said = getattr(answer, "headers", {}).get("retry-after")
    if not isinstance(said, str):
        return None
    said = said.strip()
    if said.isascii() and said.isdigit():
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except (ValueError, OverflowError):  # the latter for a year of ten digits
        return None
    # The form without a zone is UTC, as every HTTP-date is.
    at_s = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
    return max(0.0, at_s - SYSTEM_CLOCK.now_ns() / 1e9)


def _names(error: object) -> set[Name]:
    return {(each.__module__.partition(".")[0], each.__name__) for each in type(error).__mro__}


def _reason(error: BaseException) -> object:
    """Why urllib3 has given up trying, by its own error or by requests', which has that inside."""
    for each in (error, *error.args[:1]):
        if ("urllib3", "MaxRetryError") in _names(each):
            return getattr(each, "reason", None)
    return None
