"""Signers: who may sign in an environment.

A signer is a public key, which is published: replicas believe what it signed. The private half never comes here.
"""

from typing import Annotated, Final, Literal, Protocol

import msgspec
from pydantic import AfterValidator, Field, Strict

from pennon.control.checking import checked, demand_shallow, fixed_faults, without_server_members
from pennon.control.documents import Document, members_of
from pennon.control.merging import differences
from pennon.control.ports import Action, Author, Difference, Edited
from pennon.control.reading import found
from pennon.control.values import Key, Must, Natural, Piece
from pennon.errors import Fault
from pennon.flags import SignerRecord, SignerUse
from pennon.flags.keys import is_public_key, key_id_of

SIGNER_SERVER_MEMBERS: Final = ("created_s", "revision")


def _public_key(text: str) -> str:
    if not is_public_key(text):
        raise ValueError
    return text


_PublicKey = Annotated[
    str,
    Strict(),
    AfterValidator(_public_key),
    Must("an Ed25519 public key: 32 bytes as 43 characters of base64url, unpadded"),
]
_Use = Annotated[Literal["override", "kill"], Must("'override' or 'kill'")]
_Until = Annotated[int | None, Field(strict=True, ge=0, le=2**53 - 1), Must("seconds since 1970, or null")]


class SignerDraft(Document):
    """A public key as an operator may register it.

    id: follows from the key (`flags.keys`). name: for people. use: what it signs. until_s: believed before this second
    since 1970; None: until it is removed.
    """

    id: Key
    name: Piece
    use: _Use
    key: _PublicKey
    until_s: _Until = None


class SignerDocument(SignerDraft):
    """A signer as it is stored. created_s: since 1970. revision: of the last publication; the ETag."""

    created_s: Natural
    revision: Natural


class SignerEdit(msgspec.Struct, frozen=True):
    """What an edit of a signer does."""

    document: SignerDocument
    record: SignerRecord
    action: Action
    diff: tuple[Difference, ...]


def put_signer(
    signer_id: str, document: object, current: SignerDocument | None, *, revision: int, now_s: int
) -> SignerEdit | None:
    """The signer made (`current` is None) or changed, which only `until_s` can be; None if nothing changes."""
    demand_shallow(document)
    before = {} if current is None else current.model_dump(mode="json")
    document, faults = without_server_members(document, before, SIGNER_SERVER_MEMBERS)
    if isinstance(document, dict):
        document = {"id": signer_id, **document}
        faults += _key_faults(signer_id, document) if current is None else []
        names = ("id",) if current is None else ("id", "name", "use", "key")
        faults += fixed_faults(document, before or {"id": signer_id}, names)
    draft = checked(SignerDraft, document, faults)
    created_s = now_s if current is None else current.created_s
    after = SignerDocument(**members_of(draft), created_s=created_s, revision=revision)
    return _signer_edit(before, after)


def _signer_edit(before: dict[str, object], after: SignerDocument) -> SignerEdit | None:
    told = {name: value for name, value in after.model_dump(mode="json").items() if name not in SIGNER_SERVER_MEMBERS}
    diff = differences({name: before[name] for name in told if name in before}, told)
    if not diff:
        return None
    record = SignerRecord(after.id, after.key, SignerUse(after.use), after.until_s)
    return SignerEdit(after, record, Action.UPDATE if before else Action.CREATE, diff)


def _key_faults(signer_id: str, document: dict[str, object]) -> list[Fault]:
    key = document.get("key")
    if not isinstance(key, str) or not is_public_key(key) or key_id_of(key) == signer_id:
        return []
    return [Fault("/id", f"{found(signer_id)} found, must be '{key_id_of(key)}', which follows from the key")]


class SignerStore(Protocol):
    """The store's part for the signers of one environment; errors as in `ports`."""

    def signers(self, project: str, environment: str) -> tuple[SignerDocument, ...]:
        """All of them, oldest first, retired ones too."""
        ...

    def signer(self, project: str, environment: str, signer: str) -> SignerDocument:
        """One signer."""
        ...

    def put_signer(
        self, project: str, environment: str, signer: str, document: object, *, if_match: int | None, by: Author
    ) -> Edited[SignerDocument]:
        """The signer made or changed. What changes nothing needs no if_match: the same PUT may be sent again."""
        ...

    def remove_signer(
        self, project: str, environment: str, signer: str, *, if_match: int | None, by: Author
    ) -> Edited[SignerDocument]:
        """What the signer was; from now on nobody believes it."""
        ...
