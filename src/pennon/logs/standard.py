"""A filter for handlers of the standard library's logging."""

import logging
from typing import Any, Final

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.headers import Contract
from pennon.headers.redaction import Redaction
from pennon.logs.facts import Facts, log_salt
from pennon.logs.safety import Safety

# What every record has; what else stands in one came by `extra`.
_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class ContextFilter(logging.Filter):
    """Tells each record which request it is about, and takes out of it what is secret. Lets every record pass.

    It belongs on handlers: a logger's filters do not see what loggers below it pass up. A record is changed in place,
    and only where something has to go: handlers that come later get it so.
    """

    def __init__(self, contract: Contract, *, salt: bytes | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        """Salt: the key of hashed values; None: PENNON_LOG_SALT, else random in each process.

        Raises: ValueError for an empty one.
        """
        super().__init__()
        redaction = Redaction(contract, salt=log_salt(salt))
        self._facts = Facts(redaction, clock)
        self._safety = Safety(redaction)

    def filter(self, record: logging.LogRecord) -> bool:
        """True; the record has become one that may be written."""
        self._clean_extra(record.__dict__)
        self._clean_message(record)
        self._clean_failure(record)
        for name, fact in self._facts.here().items():
            record.__dict__.setdefault(name, fact)
        return True

    def _clean_extra(self, members: dict[str, Any]) -> None:
        if extra := {name: members.pop(name) for name in members.keys() - _OWN}:
            members.update(self._safety.members(extra))

    def _clean_message(self, record: logging.LogRecord) -> None:
        if not isinstance(record.msg, str):
            # An object, or the event of structlog, which its formatter takes from here.
            record.msg = self._safety.value(record.msg)
        if record.args:
            record.args = self._args(record.args)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit; logging would print them as they are
            message, record.args = str(record.msg), ()
        safe = self._safety.text(message)
        if safe != message:
            record.msg, record.args = safe, ()

    def _args(self, args: Any) -> Any:
        if isinstance(args, tuple):
            return tuple(self._safety.value(each) for each in args)
        return self._safety.value(args)

    def _clean_failure(self, record: logging.LogRecord) -> None:
        """Formatters take `exc_text` where there is one; the exception stays as well if it says nothing secret."""
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        safe = None if error is None else self._safety.failure(error)
        if safe is not None:
            record.exc_info, record.exc_text = None, safe
        elif record.exc_text:
            record.exc_text = self._safety.text(record.exc_text)
        if record.stack_info:
            record.stack_info = self._safety.text(record.stack_info)
