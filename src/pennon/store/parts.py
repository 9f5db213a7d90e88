"""Parts of `Store` over SQLAlchemy: signers, overrides, break-glass kills, and what SDKs report.

Each method is one transaction.
"""

from collections.abc import Mapping

from pennon.clock import Clock
from pennon.control import (
    Author,
    ChangeRow,
    DivergenceTotal,
    Edited,
    OverrideDocument,
    OverrideUses,
    Page,
    Registered,
    Report,
    SignerDocument,
)
from pennon.control.break_glass import Known
from pennon.store import break_glass as _break_glass
from pennon.store import overrides as _overrides
from pennon.store import reports as _reports
from pennon.store import signers as _signers
from pennon.store.database import Database
from pennon.sync import BreakGlass


class SignerPart:
    """See `pennon.control.signers.SignerStore` and `pennon.control.overrides.OverrideStore`."""

    _database: Database
    _clock: Clock

    def signers(self, project: str, environment: str) -> tuple[SignerDocument, ...]:
        """All of them, oldest first."""
        with self._database.reading() as connection:
            return _signers.listed(connection, project, environment)

    def signer(self, project: str, environment: str, signer: str) -> SignerDocument:
        """One signer."""
        with self._database.reading() as connection:
            return _signers.read(connection, project, environment, signer)

    def put_signer(
        self, project: str, environment: str, signer: str, document: object, *, if_match: int | None, by: Author
    ) -> Edited[SignerDocument]:
        """The signer made or changed."""
        with self._database.writing() as connection:
            return _signers.put(
                connection,
                project,
                environment,
                signer,
                document,
                if_match=if_match,
                by=by,
                at_ns=self._clock.now_ns(),
            )

    def remove_signer(
        self, project: str, environment: str, signer: str, *, if_match: int | None, by: Author
    ) -> Edited[SignerDocument]:
        """What the signer was."""
        with self._database.writing() as connection:
            return _signers.remove(
                connection, project, environment, signer, if_match=if_match, by=by, at_ns=self._clock.now_ns()
            )

    def put_override(
        self, project: str, environment: str, override: str, document: object, *, by: Author
    ) -> Registered:
        """The override, registered."""
        with self._database.writing() as connection:
            return _overrides.put(
                connection, project, environment, override, document, by=by, at_ns=self._clock.now_ns()
            )

    def override(self, project: str, environment: str, override: str) -> OverrideDocument:
        """One override."""
        with self._database.reading() as connection:
            return _overrides.read(connection, project, environment, override)

    def overrides(
        self, project: str, environment: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[OverrideDocument]:
        """Overrides, the last registered first."""
        with self._database.reading() as connection:
            return _overrides.listed(connection, project, environment, cursor=cursor, limit=limit)

    def revoke_override(self, project: str, environment: str, override: str, *, by: Author) -> Edited[OverrideDocument]:
        """The override, revoked."""
        with self._database.writing() as connection:
            return _overrides.revoke(connection, project, environment, override, by=by, at_ns=self._clock.now_ns())


class BreakGlassPart:
    """See `pennon.control.break_glass.BreakGlassStore`."""

    _database: Database
    _clock: Clock

    def positions(self) -> Mapping[int, tuple[int, int]]:
        """Where the numbering of every environment stands."""
        with self._database.reading() as connection:
            return _break_glass.positions(connection)

    def known(self, environment_id: int) -> Known:
        """What a server remembers of an environment."""
        with self._database.reading() as connection:
            return _break_glass.known(connection, environment_id)

    def reconcile(self, kill: BreakGlass, *, by: Author) -> tuple[ChangeRow, ...]:
        """The one change that takes the kill over, or none."""
        with self._database.writing() as connection:
            return _break_glass.reconcile(connection, kill, by=by, at_ns=self._clock.now_ns())


class ReportPart:
    """See `pennon.control.reports.ReportStore`."""

    _database: Database
    _clock: Clock

    def add_report(self, environment_id: int, report: Report) -> bool:
        """Whether it was new."""
        with self._database.writing() as connection:
            return _reports.add(connection, environment_id, report, at_ns=self._clock.now_ns())

    def override_uses(
        self,
        project: str,
        environment: str,
        *,
        override: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
    ) -> Page[OverrideUses]:
        """Uses by token, flag, variant and service."""
        with self._database.reading() as connection:
            return _reports.uses(connection, project, environment, override=override, cursor=cursor, limit=limit)

    def divergence(self, project: str, environment: str, *, since_ms: int) -> tuple[DivergenceTotal, ...]:
        """Totals by service, flag and cause."""
        with self._database.reading() as connection:
            return _reports.divergence(connection, project, environment, since_ms=since_ms)
