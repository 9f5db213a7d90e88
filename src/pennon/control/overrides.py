"""Overrides: which tokens signers have signed, and which of them were taken back.

The claims of a token are registered for audit and not published; the token itself is not kept. Revoking one publishes
its id until it has expired everywhere.
"""

from collections.abc import Iterator
from typing import Final, Protocol

import msgspec

from pennon.carry import OVERRIDE_LIMIT_S
from pennon.control.checking import checked, demand_shallow, fixed_faults
from pennon.control.documents import Document, members_of
from pennon.control.ports import Author, Edited, Page
from pennon.control.reading import found
from pennon.control.values import Key, Natural, UnitKey
from pennon.errors import AlreadyExists, Fault
from pennon.flags import FlagRecord, RevocationRecord, SignerRecord, SignerUse

# How far a replica's clock may be behind ours: until then it could still believe a token that has expired here.
REVOCATION_GRACE_S: Final = 3_600

# How far the clock that issued a token may be ahead of ours.
_LEEWAY_S: Final = 60


class OverrideDraft(Document):
    """What a signed override claims. id: the token's `jti`. signer: the id of its key. Times since 1970."""

    id: Key
    signer: Key
    flag: Key
    variant: Key
    unit_kind: Key
    unit_key: UnitKey
    issued_s: Natural
    until_s: Natural


class OverrideDocument(OverrideDraft):
    """An override as it is registered. who, why: of the registration. revoked_s: None while it has not been revoked."""

    who: str
    why: str
    registered_s: Natural
    revoked_s: Natural | None = None

    @property
    def version(self) -> int:
        """For the ETag: it changes once."""
        return 1 if self.revoked_s is None else 2


class Registered(msgspec.Struct, frozen=True):
    """An override, and whether it was registered just now."""

    document: OverrideDocument
    is_new: bool


def registered(
    override_id: str,
    document: object,
    *,
    flag: FlagRecord | None,
    signer: SignerRecord | None,
    by: Author,
    now_s: int,
) -> OverrideDocument:
    """A new override. flag, signer: those it names, as they are published; None if they are not.

    Raises: DocumentInvalid.
    """
    faults = tuple(_override_faults(_with_id(override_id, document), flag, signer, now_s))
    draft = _override_draft(override_id, document, faults)
    return OverrideDocument(**members_of(draft), who=by.who, why=by.why, registered_s=now_s)


def demand_same(held: OverrideDocument, document: object) -> None:
    """Nothing, if the document says what was registered. Raises: AlreadyExists, DocumentInvalid."""
    draft = _override_draft(held.id, document)
    if members_of(draft) != {name: getattr(held, name) for name in OverrideDraft.model_fields}:
        msg = f"override '{held.id}' is registered with other claims"
        raise AlreadyExists(msg)


def revocation_of(override: OverrideDocument) -> RevocationRecord:
    """What replicas are told of a revoked override."""
    return RevocationRecord(override.id, override.until_s)


def is_over(revocation: RevocationRecord, now_s: int) -> bool:
    """Whether the revoked token has expired everywhere, so that nobody need know of it."""
    return revocation.until_s + REVOCATION_GRACE_S <= now_s


def _with_id(override_id: str, document: object) -> object:
    return {"id": override_id, **document} if isinstance(document, dict) else document


def _override_draft(override_id: str, document: object, faults: tuple[Fault, ...] = ()) -> OverrideDraft:
    demand_shallow(document)
    document = _with_id(override_id, document)
    return checked(OverrideDraft, document, (*faults, *fixed_faults(document, {"id": override_id}, ("id",))))


def _override_faults(
    document: object, flag: FlagRecord | None, signer: SignerRecord | None, now_s: int
) -> Iterator[Fault]:
    if not isinstance(document, dict):
        return
    yield from _signer_faults(document.get("signer"), signer, now_s)
    yield from _flag_faults(document, flag)
    yield from _time_faults(document.get("issued_s"), document.get("until_s"), now_s)


def _signer_faults(signer_id: object, signer: SignerRecord | None, now_s: int) -> Iterator[Fault]:
    if not isinstance(signer_id, str):
        return
    if signer is None:
        yield Fault("/signer", f"{found(signer_id)} found, must be a signer of this environment")
    elif signer.use is not SignerUse.OVERRIDE:
        yield Fault("/signer", f"{found(signer_id)} signs {signer.use}s, must be a signer whose use is 'override'")
    elif signer.until_s is not None and signer.until_s <= now_s:
        yield Fault("/signer", f"{found(signer_id)} was retired at {signer.until_s}, must be one that is believed")


def _flag_faults(document: dict[str, object], flag: FlagRecord | None) -> Iterator[Fault]:
    if not isinstance(document.get("flag"), str):
        return
    if flag is None:
        yield Fault("/flag", f"{found(document['flag'])} found, must be a flag of this environment, not archived")
        return
    if not flag.overridable:
        way_out = f'PATCH {{"overridable": true}} on it, or pennon flags edit {flag.key} --overridable'
        yield Fault("/flag", f"'{flag.key}' found, must be a flag that may be overridden; {way_out}")
    variants = [variant.key for variant in flag.variants]
    if isinstance(document.get("variant"), str) and document["variant"] not in variants:
        allowed = ", ".join(f"'{key}'" for key in variants)
        yield Fault("/variant", f"{found(document['variant'])} found, must be a variant of the flag: {allowed}")
    if isinstance(document.get("unit_kind"), str) and document["unit_kind"] != flag.unit:
        yield Fault("/unit_kind", f"{found(document['unit_kind'])} found, must be the flag's: '{flag.unit}'")


def _time_faults(issued_s: object, until_s: object, now_s: int) -> Iterator[Fault]:
    if not isinstance(issued_s, int) or not isinstance(until_s, int):
        return
    if issued_s > now_s + _LEEWAY_S:
        yield Fault("/issued_s", f"{issued_s} found, must be at most {_LEEWAY_S} s after now, which is {now_s}")
    if not 0 < until_s - issued_s <= OVERRIDE_LIMIT_S:
        yield Fault("/until_s", f"{until_s - issued_s} s after issued_s, must be from 1 to {OVERRIDE_LIMIT_S}: 7 days")
    elif until_s <= now_s:
        yield Fault("/until_s", f"{until_s} found, must be after now, which is {now_s}")


class OverrideStore(Protocol):
    """The store's part for the overrides of one environment; errors as in `ports`."""

    def put_override(
        self, project: str, environment: str, override: str, document: object, *, by: Author
    ) -> Registered:
        """The override, registered. Again with the same claims: as it is. Raises: AlreadyExists with others."""
        ...

    def override(self, project: str, environment: str, override: str) -> OverrideDocument:
        """One override, expired and revoked ones too."""
        ...

    def overrides(
        self, project: str, environment: str, *, cursor: str | None = None, limit: int = 100
    ) -> Page[OverrideDocument]:
        """Overrides, the last registered first. limit: 1…PAGE_LIMIT_COUNT."""
        ...

    def revoke_override(self, project: str, environment: str, override: str, *, by: Author) -> Edited[OverrideDocument]:
        """The override, which no replica believes from now on; revoked again it stays as it is."""
        ...
