"""`Store` over SQLAlchemy: each method is one transaction around functions of this room."""

from collections.abc import Sequence
from random import SystemRandom

from sqlalchemy import select

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.control import (
    Author,
    ChangeRow,
    Edited,
    EnvironmentRow,
    Exposure,
    ExposureCount,
    ExposureReceipt,
    FlagDocument,
    NewToken,
    Page,
    Project,
    Role,
    SegmentDocument,
    SettingsDocument,
    Store,
    TokenRow,
)
from pennon.control.states import Draw
from pennon.errors import Fault
from pennon.flags import RulesetRecord
from pennon.store import environments as _environments
from pennon.store import epochs, log
from pennon.store import exposures as _exposures
from pennon.store import flags as _flags
from pennon.store import segments as _segments
from pennon.store import tokens as _tokens
from pennon.store.database import Database
from pennon.store.parts import BreakGlassPart, ReportPart, SignerPart
from pennon.store.schema import bring_up_to_date


def open_store(url: str, *, clock: Clock = SYSTEM_CLOCK, draw: Draw | None = None) -> Store:
    """The store at this URL, made if it is not there, its schema brought up to date.

    url: SQLAlchemy's, e.g. sqlite:///pennon.db. draw: gives so many random bits; None means the system's.
    Raises: SettingInvalid if the URL is not one we can use, or a newer version made the database.
    """
    database = Database(url)
    try:
        with database.writing() as connection:
            bring_up_to_date(connection)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock=clock, draw=draw or SystemRandom().getrandbits)


class SqlStore(SignerPart, BreakGlassPart, ReportPart):
    """See `pennon.control.Store`."""

    def __init__(self, database: Database, *, clock: Clock, draw: Draw) -> None:
        self._database = database
        self._clock = clock
        self._draw = draw

    def projects(self) -> tuple[Project, ...]:
        """All of them, by key."""
        with self._database.reading() as connection:
            return _environments.projects(connection)

    def create_project(self, key: str, *, environments: Sequence[str]) -> tuple[EnvironmentRow, ...]:
        """Its environments, in the given order."""
        with self._database.writing() as connection:
            return _environments.create_project(
                connection, key, environments, now_ns=self._clock.now_ns(), draw=self._draw
            )

    def environments(self, project: str) -> tuple[EnvironmentRow, ...]:
        """A project's environments, in the order made."""
        with self._database.reading() as connection:
            return tuple(place.row for place in _environments.of_project(connection, project))

    def environment(self, project: str, environment: str) -> EnvironmentRow:
        """One environment by key."""
        with self._database.reading() as connection:
            return _environments.by_key(connection, project, environment).row

    def environment_by_id(self, environment_id: int) -> EnvironmentRow:
        """One environment by its 40 bits."""
        with self._database.reading() as connection:
            return _environments.by_id(connection, environment_id).row

    def begin_epoch(self, project: str | None, *, by: Author, seen: int = 0) -> tuple[ChangeRow, ...]:
        """One change for each environment, whose numbering begins anew."""
        with self._database.writing() as connection:
            return epochs.begin(connection, project, by=by, seen=seen, at_ns=self._clock.now_ns())

    def create_flag(self, project: str, document: object, *, by: Author) -> Edited[FlagDocument]:
        """A new flag, published in every environment."""
        with self._database.writing() as connection:
            return _flags.create(connection, project, document, by=by, at_ns=self._clock.now_ns(), draw=self._draw)

    def flag(self, project: str, flag: str) -> FlagDocument:
        """One flag, archived ones too."""
        with self._database.reading() as connection:
            return _flags.read(connection, project, flag).document

    def flags(
        self, project: str, *, cursor: str | None = None, limit: int = 100, archived: bool = False
    ) -> Page[FlagDocument]:
        """Flags by key; archived ones only on request."""
        with self._database.reading() as connection:
            return _flags.listed(connection, project, cursor=cursor, limit=limit, archived=archived)

    def update_flag(
        self, project: str, flag: str, patch: object, *, if_match: int | None, by: Author
    ) -> Edited[FlagDocument]:
        """The flag after a merge patch, published in every environment."""
        with self._database.writing() as connection:
            return _flags.edit(
                connection,
                project,
                flag,
                patch,
                if_match=if_match,
                by=by,
                at_ns=self._clock.now_ns(),
                draw=self._draw,
            )

    def archive_flag(self, project: str, flag: str, *, if_match: int | None, by: Author) -> Edited[FlagDocument]:
        """The flag, gone from every environment."""
        return self.update_flag(project, flag, {"archived": True}, if_match=if_match, by=by)

    def settings(self, project: str, environment: str, flag: str) -> SettingsDocument:
        """A flag's settings in one environment."""
        with self._database.reading() as connection:
            return _flags.settings(connection, project, environment, flag)

    def update_settings(
        self, project: str, environment: str, flag: str, patch: object, *, if_match: int | None, by: Author
    ) -> Edited[SettingsDocument]:
        """The settings after a merge patch, published in this environment."""
        with self._database.writing() as connection:
            return _flags.edit_settings(
                connection,
                project,
                environment,
                flag,
                patch,
                if_match=if_match,
                by=by,
                at_ns=self._clock.now_ns(),
                draw=self._draw,
            )

    def kill(self, project: str, flag: str, *, environment: str | None, by: Author) -> tuple[ChangeRow, ...]:
        """The changes made, where the flag was not killed."""
        return self._set_kill(project, flag, environment=environment, by=by, killed=True)

    def unkill(self, project: str, flag: str, *, environment: str | None, by: Author) -> tuple[ChangeRow, ...]:
        """The changes made, where the flag was killed."""
        return self._set_kill(project, flag, environment=environment, by=by, killed=False)

    def forget_carried(
        self, project: str, environment: str, flag: str, *, if_match: int | None, by: Author
    ) -> Edited[SettingsDocument]:
        """The settings with a raised void floor."""
        with self._database.writing() as connection:
            return _flags.forget_carried(
                connection, project, environment, flag, if_match=if_match, by=by, at_ns=self._clock.now_ns()
            )

    def history(
        self, project: str, environment: str, flag: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[ChangeRow]:
        """A flag's changes in one environment, newest first."""
        with self._database.reading() as connection:
            place = _environments.by_key(connection, project, environment)
            _flags.read(connection, project, flag)
            return log.history(connection, place.id, log.FLAG, flag, cursor=cursor, limit=limit)

    def segment(self, project: str, environment: str, segment: str) -> SegmentDocument:
        """One segment."""
        with self._database.reading() as connection:
            return _segments.read(connection, project, environment, segment)

    def segments(
        self, project: str, environment: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[SegmentDocument]:
        """Segments by key."""
        with self._database.reading() as connection:
            return _segments.listed(connection, project, environment, cursor=cursor, limit=limit)

    def put_segment(
        self, project: str, environment: str, segment: str, document: object, *, if_match: int | None, by: Author
    ) -> Edited[SegmentDocument]:
        """The segment made or replaced."""
        with self._database.writing() as connection:
            return _segments.put(
                connection,
                project,
                environment,
                segment,
                document,
                if_match=if_match,
                by=by,
                at_ns=self._clock.now_ns(),
                draw=self._draw,
            )

    def snapshot(self, environment_id: int) -> RulesetRecord:
        """An environment's whole ruleset."""
        with self._database.reading() as connection:
            return log.snapshot(connection, environment_id)

    def changes_since(
        self, environment_id: int, *, epoch: int, revision: int, limit: int = 100
    ) -> tuple[ChangeRow, ...] | None:
        """The changes after a revision; None if they do not follow from there."""
        with self._database.reading() as connection:
            return log.since(connection, environment_id, epoch=epoch, revision=revision, limit=limit)

    def faults_of_log(self, environment_id: int) -> tuple[Fault, ...]:
        """What is wrong with an environment's change log."""
        with self._database.reading() as connection:
            return log.faults(connection, environment_id)

    def create_token(self, *, name: str, role: Role, project: str | None, environment: str | None) -> NewToken:
        """A new token."""
        with self._database.writing() as connection:
            return _tokens.create(
                connection,
                name=name,
                role=role,
                project=project,
                environment=environment,
                at_ns=self._clock.now_ns(),
                draw=self._draw,
            )

    def token(self, secret: str) -> TokenRow:
        """Whose secret it is."""
        with self._database.reading() as connection:
            return _tokens.by_secret(connection, secret)

    def tokens(self) -> tuple[TokenRow, ...]:
        """All tokens, in the order made."""
        with self._database.reading() as connection:
            return _tokens.listed(connection)

    def revoke_token(self, token_id: str) -> TokenRow:
        """The token, which is refused from now on."""
        with self._database.writing() as connection:
            return _tokens.revoke(connection, token_id, at_ns=self._clock.now_ns())

    def add_exposures(self, environment_id: int, exposures: Sequence[Exposure]) -> ExposureReceipt:
        """What was new."""
        with self._database.writing() as connection:
            return _exposures.add(connection, environment_id, exposures)

    def exposure_counts(self, environment_id: int, flag: str | None = None) -> tuple[ExposureCount, ...]:
        """Counts by flag, phase and variant."""
        with self._database.reading() as connection:
            return _exposures.counts(connection, environment_id, flag)

    def ping(self) -> None:
        """Nothing, if the database answers."""
        with self._database.reading() as connection:
            connection.execute(select(1))

    def close(self) -> None:
        """Give back every connection."""
        self._database.close()

    def _set_kill(
        self, project: str, flag: str, *, environment: str | None, by: Author, killed: bool
    ) -> tuple[ChangeRow, ...]:
        with self._database.writing() as connection:
            return _flags.set_kill(
                connection, project, environment, flag, killed=killed, by=by, at_ns=self._clock.now_ns()
            )
