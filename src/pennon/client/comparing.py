"""Divergence: of what requests decide first, a sampled share is compared with what this process alone would say."""

from collections.abc import Callable, Mapping

from pennon.carry import Divergence, divergence_of, unknown_flags, was_dropped
from pennon.client.reports import Reports
from pennon.context import Decision, Ledger, Reason
from pennon.flags import Flag, Ruleset


class Comparing:
    """share: in [0, 1]; 0 compares nothing. sample: uniform in [0, 1)."""

    __slots__ = ("_reports", "_sample", "_share")

    def __init__(self, reports: Reports, share: float, sample: Callable[[], float]) -> None:
        self._reports = reports
        self._share = share
        self._sample = sample

    def first_use(
        self,
        flag: Flag,
        ruleset: Ruleset,
        ledger: Ledger,
        decision: Decision,
        attributes: Mapping[str, object],
        units: Mapping[str, str],
    ) -> None:
        """Look at a decision that this request had not made before. For requests with which something arrived."""
        if self._sample() >= self._share:
            return
        if len(ledger.made) == 1 and (unknown_count := unknown_flags(ledger, ruleset)):
            self._reports.compared("", Divergence.UNKNOWN_FLAG, by=unknown_count)
        if decision.answer.reason is Reason.CARRIED:
            try:
                cause = divergence_of(flag, decision, attributes, units)
            except Exception:  # noqa: BLE001 - attributes that cannot be read; the answer is there, and must not suffer
                cause = Divergence.OTHER
            self._reports.compared(flag.key, cause)
        elif was_dropped(ledger, decision):
            self._reports.compared(flag.key, Divergence.DROPPED)
