"""What a service writes while it is asked: log records, and what is printed."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Final

_STREAMS: Final = ("standard output", "standard error")


class Written:
    """All of it: by the names of loggers, "standard output" and "standard error"."""

    def __init__(self) -> None:
        self.records: list[logging.LogRecord] = []
        self.streams = {name: StringIO() for name in _STREAMS}

    def holding(self, text: str) -> list[str]:
        """Who has written this text, sorted; [] if nobody has."""
        found = {record.name for record in self.records if text in _all_of(record)}
        return sorted(found | {name for name, stream in self.streams.items() if text in stream.getvalue()})


@contextmanager
def listening() -> Iterator[Written]:
    """Everything that is logged in the block, at any level, and printed; what was printed is printed after it."""
    written = Written()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.records.append(record)

    root, listener = logging.getLogger(), Listener(logging.NOTSET)
    level = root.level
    root.addHandler(listener)
    root.setLevel(logging.NOTSET + 1)
    out, err = (written.streams[name] for name in _STREAMS)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            yield written
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
        sys.stdout.write(out.getvalue())
        sys.stderr.write(err.getvalue())


def _all_of(record: logging.LogRecord) -> str:
    """The message, and whatever else the record holds for structured logs."""
    return f"{record.getMessage()} {vars(record)}"
