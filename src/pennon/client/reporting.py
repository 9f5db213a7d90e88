"""Reports on their way to the server: uses of overrides, and how carried decisions compare.

One report at a time: while one waits for the server, what happens meanwhile goes on adding up by its few keys, and
leaves with the next. A report has an id of its own, which it keeps however often it is sent: the server counts it once.
"""

from typing import Final
from uuid import uuid4

import msgspec

from pennon.carry import DivergenceCount, OverrideUse
from pennon.client.posting import Pauses, Posted, Poster
from pennon.client.reports import Report, Reports
from pennon.client.timing import Timing
from pennon.counters import Count, count

_PATH: Final = "/v1/sdk/reports"


class _Draft(msgspec.Struct, frozen=True):
    """A report as the server takes it."""

    report: str
    service: str
    overrides: list[OverrideUse]
    divergence: list[DivergenceCount]


class Reporter:
    """Sends what `reports` holds, in the courier's thread. service: who reports."""

    def __init__(self, reports: Reports, service: str, poster: Poster, pauses: Pauses, timing: Timing) -> None:
        self._reports = reports
        self._service = service
        self._poster = poster
        self._pauses = pauses
        self._timing = timing
        self._waiting: _Draft | None = None

    def is_due(self, now_ns: int) -> bool:
        """Whether a report may be sent. now_ns: monotonic."""
        return self._pauses.are_over(now_ns)

    def send(self) -> None:
        """Send the report that waits, or a new one if there is anything to say."""
        draft = self._waiting = self._waiting or self._drained()
        if draft is None:
            return
        posted = self._posted(draft)
        if posted.pause_s is not None:
            self._pauses.failed(posted.pause_s)
            return
        self._waiting = None
        self._pauses.succeeded()
        self._pauses.wait(self._timing.flush_s)
        if posted.is_taken:
            count(Count.REPORTS_SENT)
        else:
            _drop(draft)

    def finish(self) -> None:
        """Send what there is for the last time; what does not arrive is dropped and counted."""
        while self._has_something():
            self.send()
            if self._waiting is not None:
                _drop(self._waiting)
                self._waiting = None

    def _posted(self, draft: _Draft) -> Posted:
        try:
            body = msgspec.json.encode(draft)
        except UnicodeEncodeError:
            # A token may be called what no JSON can hold; to be told so by the server would take no request less.
            return Posted(is_taken=False)
        return self._poster.post(_PATH, body)

    def _has_something(self) -> bool:
        self._waiting = self._waiting or self._drained()
        return self._waiting is not None

    def _drained(self) -> _Draft | None:
        overrides, divergence = self._reports.drain_overrides(), self._reports.drain_divergences()
        return _Draft(uuid4().hex, self._service, overrides, divergence) if overrides or divergence else None


def _drop(draft: _Draft) -> None:
    """Count what a report that nobody takes would have said."""
    for kind, items in ((Report.OVERRIDE, draft.overrides), (Report.DIVERGENCE, draft.divergence)):
        if total := sum(item.count for item in items):
            count(Count.REPORTS_DROPPED, kind, by=total)
