"""What the control plane asks of its store: one Protocol, and the frozen values it speaks in.

A store is a place that decides nothing: each method opens one transaction, reads, asks this room's pure functions what
the edit is, writes the document, the compiled record and the change row, and commits. It is synchronous and may be
called from any thread.

Errors, of every method: `NotFound` for a project, environment, flag or segment that is not there; of the edits also
`DocumentInvalid` with every fault (nothing was stored), `PreconditionMissing` and `PreconditionFailed`.

`if_match` is the version of what is edited: of a flag its `version`, of settings and segments their `revision`.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from pennon.context import Environment
from pennon.control.documents import FlagDocument, SegmentDocument, SettingsDocument
from pennon.errors import Fault
from pennon.flags import FlagRecord, ReconciledRecord, RevocationRecord, RulesetRecord, SegmentRecord, SignerRecord

T = TypeVar("T")

PAGE_LIMIT_COUNT: Final = 500


class Role(StrEnum):
    """What a token may do: author everything in its project, or read one environment's ruleset and report."""

    ADMIN = "admin"
    SDK = "sdk"


class Action(StrEnum):
    """What a change did to the flag or segment that it names."""

    CREATE = "create"
    UPDATE = "update"
    KILL = "kill"
    UNKILL = "unkill"
    ARCHIVE = "archive"
    RESTORE = "restore"
    REMOVE = "remove"
    FORGET = "forget"
    NEW_EPOCH = "new_epoch"


class Author(msgspec.Struct, frozen=True):
    """Who edits, and why; both end in the change log. who: a token's name. why: "" if no reason was given."""

    who: str
    why: str = ""


class Project(msgspec.Struct, frozen=True):
    """A tenant: flags and environments belong to exactly one."""

    key: str
    created_ns: int


class EnvironmentRow(msgspec.Struct, frozen=True):
    """An environment and where its numbering stands.

    epoch: minutes since 2020-01-01 when the numbering began. revision: of the last change; 0 before the first.
    """

    project: str
    environment: Environment
    epoch: int
    revision: int


class Difference(msgspec.Struct, frozen=True):
    """One member that an edit changed. path: JSON pointer into the document. before, after: None where it is absent."""

    path: str
    before: Any
    after: Any


class Publication(msgspec.Struct, frozen=True):
    """What one revision put into, and took out of, an environment's ruleset."""

    put_flags: Mapping[str, FlagRecord] = msgspec.field(default_factory=dict)
    put_segments: Mapping[str, SegmentRecord] = msgspec.field(default_factory=dict)
    put_signers: Mapping[str, SignerRecord] = msgspec.field(default_factory=dict)
    put_revocations: Mapping[str, RevocationRecord] = msgspec.field(default_factory=dict)
    put_reconciled: Mapping[str, ReconciledRecord] = msgspec.field(default_factory=dict)
    delete_flags: tuple[str, ...] = ()
    delete_segments: tuple[str, ...] = ()
    delete_signers: tuple[str, ...] = ()
    delete_revocations: tuple[str, ...] = ()
    delete_reconciled: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """What one edit did to one environment: exactly one per revision.

    kind: "flag", "segment", "signer", "revocation", "reconciled" or "environment" (a new epoch). key: its key or id.
    flag_id: None unless it is a flag.
    diff: of the settings in this environment, then of the flag itself where a project edit made the change (paths
        below "/flag").
    notes: what the edit brings with it, in words for its author, e.g. that a new phase begins.
    """

    environment_id: int
    epoch: int
    revision: int
    at_ns: int
    kind: str
    key: str
    flag_id: int | None
    action: Action
    who: str
    why: str
    diff: tuple[Difference, ...]
    notes: tuple[str, ...]
    publication: Publication


class ChangeRow(Change, frozen=True):
    """A change as a link of its environment's chain, never edited, never removed.

    hash: SHA-256, lower-case hex, over previous_hash and the change (`control.chain`). previous_hash: of the row
    before; 64 zeros in the first.
    """

    previous_hash: str
    hash: str


class Edited(msgspec.Struct, Generic[T], frozen=True):
    """A document after an edit, and the changes it made: none if the edit changed nothing, else one per environment."""

    document: T
    changes: tuple[ChangeRow, ...]


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Part of a list. cursor: give it back for the next part; None at the end. It is opaque."""

    items: tuple[T, ...]
    cursor: str | None


class TokenRow(msgspec.Struct, frozen=True):
    """What the store knows of a token; the secret itself is nowhere.

    project: None means every project (admin tokens only). environment: None unless role is sdk.
    """

    id: str
    name: str
    role: Role
    project: str | None
    environment: str | None
    environment_id: int | None
    created_ns: int
    revoked_ns: int | None


class NewToken(msgspec.Struct, frozen=True):
    """A token just made. secret: shown once; `pn_adm_…` or `pn_sdk_…`."""

    row: TokenRow
    secret: str


class Exposure(msgspec.Struct, frozen=True):
    """One reported exposure, as it is stored. id: 32 to 64 lower-case hex digits. at_ms: since 1970, the client's."""

    id: str
    flag: str
    variant: str
    unit_kind: str
    phase: int
    at_ms: int


class ExposureReceipt(msgspec.Struct, frozen=True):
    """How many of a batch were new, and how many were known already (and not counted again)."""

    new_count: int
    known_count: int


class ExposureCount(msgspec.Struct, frozen=True):
    """How often a variant was exposed in one environment, each exposure id once."""

    flag: str
    phase: int
    variant: str
    count: int


class FlagStore(Protocol):
    """Projects, flags and segments, the change log, tokens and exposures."""

    # Projects and environments

    def projects(self) -> tuple[Project, ...]:
        """All of them, by key."""
        ...

    def create_project(self, key: str, *, environments: Sequence[str]) -> tuple[EnvironmentRow, ...]:
        """Its environments, in the given order. Raises: AlreadyExists, DocumentInvalid."""
        ...

    def environments(self, project: str) -> tuple[EnvironmentRow, ...]:
        """A project's environments, in the order made."""
        ...

    def environment(self, project: str, environment: str) -> EnvironmentRow:
        """One environment by key."""
        ...

    def environment_by_id(self, environment_id: int) -> EnvironmentRow:
        """One environment by its 40 bits."""
        ...

    def begin_epoch(self, project: str | None, *, by: Author, seen: int = 0) -> tuple[ChangeRow, ...]:
        """One change for each environment of the project (None: of all), whose numbering begins anew in a later epoch.

        Decisions carried from before apply no more, and every replica takes a snapshot. The epoch is at least the
        previous + 1, the present minute (since 2020-01-01), and seen + 1. seen: the latest epoch that was ever in use,
        where the database itself has forgotten it.
        """
        ...

    # Flags: project documents and settings

    def create_flag(self, project: str, document: object, *, by: Author) -> Edited[FlagDocument]:
        """A new flag, published in every environment. document: decoded JSON. Raises: AlreadyExists."""
        ...

    def flag(self, project: str, flag: str) -> FlagDocument:
        """One flag, archived ones too."""
        ...

    def flags(
        self, project: str, *, cursor: str | None = None, limit: int = 100, archived: bool = False
    ) -> Page[FlagDocument]:
        """Flags by key; archived ones only on request. limit: 1…PAGE_LIMIT_COUNT. A bad cursor: DocumentInvalid."""
        ...

    def update_flag(
        self, project: str, flag: str, patch: object, *, if_match: int | None, by: Author
    ) -> Edited[FlagDocument]:
        """The flag after an RFC 7396 merge patch, published in every environment; `archived` may be patched too."""
        ...

    def archive_flag(self, project: str, flag: str, *, if_match: int | None, by: Author) -> Edited[FlagDocument]:
        """The same as the merge patch {"archived": true}."""
        ...

    def settings(self, project: str, environment: str, flag: str) -> SettingsDocument:
        """A flag's settings in one environment, archived ones too."""
        ...

    def update_settings(
        self, project: str, environment: str, flag: str, patch: object, *, if_match: int | None, by: Author
    ) -> Edited[SettingsDocument]:
        """The settings after an RFC 7396 merge patch, published in this environment."""
        ...

    def kill(self, project: str, flag: str, *, environment: str | None, by: Author) -> tuple[ChangeRow, ...]:
        """The changes made: one per environment in which the flag was not killed. environment: None means all."""
        ...

    def unkill(self, project: str, flag: str, *, environment: str | None, by: Author) -> tuple[ChangeRow, ...]:
        """The changes made: one per environment in which the flag was killed. environment: None means all."""
        ...

    def forget_carried(
        self, project: str, environment: str, flag: str, *, if_match: int | None, by: Author
    ) -> Edited[SettingsDocument]:
        """The settings with a raised void floor: what was decided before is void in this environment."""
        ...

    def history(
        self, project: str, environment: str, flag: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[ChangeRow]:
        """A flag's changes in one environment, newest first. limit: 1…PAGE_LIMIT_COUNT."""
        ...

    # Segments: one document per environment

    def segment(self, project: str, environment: str, segment: str) -> SegmentDocument:
        """One segment."""
        ...

    def segments(
        self, project: str, environment: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[SegmentDocument]:
        """Segments by key. limit: 1…PAGE_LIMIT_COUNT."""
        ...

    def put_segment(
        self, project: str, environment: str, segment: str, document: object, *, if_match: int | None, by: Author
    ) -> Edited[SegmentDocument]:
        """The segment made or replaced. if_match: None makes a new one; on an existing one PreconditionMissing."""
        ...

    # Streams: they read the change log, nothing else

    def snapshot(self, environment_id: int) -> RulesetRecord:
        """An environment's whole ruleset, with its epoch and revision."""
        ...

    def changes_since(
        self, environment_id: int, *, epoch: int, revision: int, limit: int = 100
    ) -> tuple[ChangeRow, ...] | None:
        """The changes after `revision`, oldest first, without gaps; None if they do not follow from there.

        None means that the reader needs a snapshot: another epoch, or a revision of the future.
        """
        ...

    def faults_of_log(self, environment_id: int) -> tuple[Fault, ...]:
        """What is wrong with an environment's change log: rows edited, lost or added. Reads all of it."""
        ...

    # Tokens

    def create_token(self, *, name: str, role: Role, project: str | None, environment: str | None) -> NewToken:
        """A new token. Raises: DocumentInvalid if the role does not fit project and environment."""
        ...

    def token(self, secret: str) -> TokenRow:
        """Whose secret it is. Raises: TokenRefused if malformed, unknown or revoked."""
        ...

    def tokens(self) -> tuple[TokenRow, ...]:
        """All tokens, in the order made, revoked ones too."""
        ...

    def revoke_token(self, token_id: str) -> TokenRow:
        """The token, which is refused from now on."""
        ...

    # Exposures

    def add_exposures(self, environment_id: int, exposures: Sequence[Exposure]) -> ExposureReceipt:
        """What was new: each exposure id is stored and counted once per environment, in one transaction."""
        ...

    def exposure_counts(self, environment_id: int, flag: str | None = None) -> tuple[ExposureCount, ...]:
        """Counts by flag, phase and variant; all flags if none is named."""
        ...

    # The whole

    def ping(self) -> None:
        """Nothing, if the database answers; whatever it raises, if not."""
        ...

    def close(self) -> None:
        """Give back every connection."""
        ...
