"""The one tree of exceptions. Each leaf has a stable `code`; a message says what was found and what is allowed.

    PennonError
    ├── Invalid                 something somebody wrote is wrong; carries every fault, not the first
    │   ├── DocumentInvalid     document_invalid      an authoring document
    │   ├── ContractInvalid     contract_invalid      a header contract
    │   ├── RulesetInvalid      ruleset_invalid       a snapshot, delta or kill that a replica was sent
    │   └── SettingInvalid      setting_invalid       an argument or environment variable
    ├── DeadlineExceeded        deadline_exceeded     too little time is left; not a TimeoutError
    ├── CircuitOpen             circuit_open          calls to a downstream are suspended for a while
    ├── BrokerUnavailable       broker_unavailable    the local Kafka for tests cannot be fetched or started
    └── Refused                 the control plane will not do it
        ├── NotFound            not_found
        ├── AlreadyExists       already_exists
        ├── PreconditionFailed  precondition_failed   If-Match names an older version
        ├── PreconditionMissing precondition_required the change needs an If-Match
        ├── TokenRefused        token_refused         no token, or one that is unknown, revoked or malformed
        ├── Forbidden           forbidden             a good token without the right
        └── Unreachable         unreachable           the server, or the database behind it, did not answer

The client never raises any of these into a user's request: it answers the default with reason ERROR and counts.
"""

from collections.abc import Iterable
from typing import ClassVar

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong.

    path: where, as a JSON pointer (RFC 6901) into the document; "" is the whole of it.
    message: what was found and what is allowed, without the path.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class PennonError(Exception):
    """Base of everything that pennon raises on purpose."""

    code: ClassVar[str] = "error"


class Invalid(PennonError):
    """Something written is wrong. `faults` holds every fault found, in document order, never empty."""

    code: ClassVar[str] = "invalid"

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(map(str, self.faults)))


class DocumentInvalid(Invalid):
    """An authoring document has faults; nothing of it was stored."""

    code: ClassVar[str] = "document_invalid"


class ContractInvalid(Invalid):
    """A header contract does not build."""

    code: ClassVar[str] = "contract_invalid"


class RulesetInvalid(Invalid):
    """A message for a replica is not what the format says; the replica keeps what it has."""

    code: ClassVar[str] = "ruleset_invalid"


class SettingInvalid(Invalid):
    """An argument or an environment variable is not usable."""

    code: ClassVar[str] = "setting_invalid"


class DeadlineExceeded(PennonError):
    """Less time is left than the work takes: it was not begun, or was given up.

    Not a TimeoutError: a timeout says that somebody was slow, this says that nobody waits any more. Never retried.
    was_sent: it was a call, which was sent and not answered in the time that the deadline left for it.
    """

    code: ClassVar[str] = "deadline_exceeded"

    def __init__(self, *args: object, was_sent: bool = False) -> None:
        super().__init__(*args)
        self.was_sent = was_sent


class CircuitOpen(PennonError):
    """A downstream has failed too often; it is not called until it has had a rest."""

    code: ClassVar[str] = "circuit_open"


class BrokerUnavailable(PennonError):
    """The local Kafka for tests cannot be fetched or started; the message says what is missing."""

    code: ClassVar[str] = "broker_unavailable"


class Refused(PennonError):
    """The control plane will not do what was asked."""

    code: ClassVar[str] = "refused"


class NotFound(Refused):
    """What was named does not exist, or the token may not know that it does."""

    code: ClassVar[str] = "not_found"


class AlreadyExists(Refused):
    """The key is taken, also by an archived flag."""

    code: ClassVar[str] = "already_exists"


class PreconditionFailed(Refused):
    """The resource has changed since the version in If-Match was read (RFC 9110 §13.1.1)."""

    code: ClassVar[str] = "precondition_failed"


class PreconditionMissing(Refused):
    """The change needs an If-Match (RFC 6585 §3)."""

    code: ClassVar[str] = "precondition_required"


class TokenRefused(Refused):
    """No token, or one that is unknown, revoked or malformed."""

    code: ClassVar[str] = "token_refused"


class Forbidden(Refused):
    """The token is good but has no right to this."""

    code: ClassVar[str] = "forbidden"


class Unreachable(Refused):
    """The server, or the database behind it, did not answer, or not in our protocol."""

    code: ClassVar[str] = "unreachable"
