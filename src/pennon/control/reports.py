"""What SDKs report beside exposures: uses of overrides, and how carried decisions compare with local ones."""

from typing import Protocol

import msgspec

from pennon.carry import DivergenceCount, OverrideUse
from pennon.control.ports import Page


class Report(msgspec.Struct, frozen=True):
    """One process's counts since its last report. id: drawn once per report; sent again, it counts once."""

    id: str
    service: str
    overrides: tuple[OverrideUse, ...] = ()
    divergence: tuple[DivergenceCount, ...] = ()


class OverrideUses(OverrideUse, frozen=True, kw_only=True):
    """All uses of a token for one variant in one service."""

    service: str


class DivergenceTotal(DivergenceCount, frozen=True, kw_only=True):
    """All that one service has reported of one flag and cause."""

    service: str


class ReportStore(Protocol):
    """The store's part for reports; errors as in `ports`."""

    def add_report(self, environment_id: int, report: Report) -> bool:
        """Whether it was new; then all of it has been added, in one transaction. One known already changes nothing."""
        ...

    def override_uses(
        self,
        project: str,
        environment: str,
        *,
        override: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[OverrideUses]:
        """Uses by token, flag, variant and service; of one token, if it is named. limit: 1…PAGE_LIMIT_COUNT."""
        ...

    def divergence(self, project: str, environment: str, *, since_ms: int) -> tuple[DivergenceTotal, ...]:
        """Totals by service, flag and cause of what was reported since then, to the hour. since_ms: since 1970."""
        ...
