"""The contract of `Store`: signers and overrides, and what of them is published."""

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pennon.control import Author
from pennon.control.overrides import REVOCATION_GRACE_S
from pennon.errors import AlreadyExists, DocumentInvalid, NotFound, PreconditionFailed, PreconditionMissing
from pennon.flags import SignerRecord, SignerUse
from pennon.flags.keys import key_id_of

BY = Author("anna", "because")
HERE = ("shop", "production")


def _key(number: int) -> str:
    return random.Random(number).choice("ABCDEFG") * 42 + "AEIMQUYc"[number % 8]


def _put(books: Any, number: int = 1, *, if_match: int | None = None, **members: Any) -> Any:
    key = _key(number)
    document = {"name": f"ops {number}", "use": "override", "key": key, **members}
    return books.store.put_signer(*HERE, key_id_of(key), document, if_match=if_match, by=BY)


def _override(books: Any, override: str, *, ttl_s: int = 3_600, signer: int = 1, **members: Any) -> Any:
    now_s = books.clock.at_ns // 10**9
    document = {
        "signer": key_id_of(_key(signer)),
        "flag": "checkout",
        "variant": "on",
        "unit_kind": "user",
        "unit_key": "secret-unit",
        "issued_s": now_s,
        "until_s": now_s + ttl_s,
        **members,
    }
    return books.store.put_override(*HERE, override, document, by=BY)


@pytest.fixture
def tested(books: Any) -> Any:
    """Books with a flag that may be overridden and a signer."""
    books.create(overridable=True)
    _put(books)
    return books


def test_signer_is_in_the_ruleset_and_in_the_log(books: Any) -> None:
    """Published as flags are: a revision, a row of the chain, the snapshot."""
    made = _put(books, until_s=None)
    record = SignerRecord(made.document.id, _key(1), SignerUse.OVERRIDE)

    (change,) = books.log()
    assert {record.id: record} == books.store.snapshot(books.id).signers == change.publication.put_signers
    assert ("signer", record.id, None, "create", "anna") == (
        change.kind,
        change.key,
        change.flag_id,
        change.action,
        change.who,
    )
    assert 1 == made.document.revision == books.at().revision
    assert () == books.store.faults_of_log(books.id)
    assert {} == books.store.snapshot(books.staging.environment.id).signers


def test_signer_put_again_needs_no_precondition_and_changes_nothing(books: Any) -> None:
    """The same PUT may be sent again; it takes no revision."""
    first = _put(books)
    assert (first.document, ()) == (_put(books).document, _put(books).changes)
    assert 1 == books.at().revision


def test_signer_is_changed_by_who_has_read_it(books: Any) -> None:
    """As every resource."""
    signer = _put(books).document
    with pytest.raises(PreconditionMissing):
        _put(books, until_s=99)
    with pytest.raises(PreconditionFailed):
        _put(books, until_s=99, if_match=7)
    with pytest.raises(PreconditionFailed):
        _put(books, if_match=7)
    with pytest.raises(PreconditionFailed, match="make it without If-Match"):
        _put(books, number=2, if_match=1)

    retired = _put(books, until_s=99, if_match=signer.revision).document

    assert (99, 2) == (retired.until_s, retired.revision)
    assert 99 == books.store.snapshot(books.id).signers[signer.id].until_s


def test_signer_removed_is_gone_from_the_ruleset(books: Any) -> None:
    """At once; it may come back, as a new one."""
    signer = _put(books).document
    with pytest.raises(PreconditionMissing):
        books.store.remove_signer(*HERE, signer.id, if_match=None, by=BY)

    removed = books.store.remove_signer(*HERE, signer.id, if_match=1, by=BY)

    (change,) = removed.changes
    assert ("remove", (signer.id,)) == (change.action, change.publication.delete_signers)
    assert {} == books.store.snapshot(books.id).signers
    assert () == books.store.signers(*HERE)
    with pytest.raises(NotFound, match=f"no signer '{signer.id}' in environment 'production'"):
        books.store.signer(*HERE, signer.id)
    assert 3 == _put(books).document.revision


def test_signers_are_listed_oldest_first(books: Any) -> None:
    """Whatever their ids."""
    for number in (3, 1, 2):
        books.clock.at_ns += 10**9
        _put(books, number)
    assert ["ops 3", "ops 1", "ops 2"] == [signer.name for signer in books.store.signers(*HERE)]


def test_override_is_registered_and_not_published(tested: Any) -> None:
    """Its unit never gets into the log, which cannot forget."""
    revision = tested.at().revision
    made = _override(tested, "first")

    assert (True, "first", "anna") == (made.is_new, made.document.id, made.document.who)
    assert made.document == tested.store.override(*HERE, "first")
    assert revision == tested.at().revision
    tested.store.revoke_override(*HERE, "first", by=BY)
    assert "secret-unit" not in repr(tested.log())


def test_override_registered_twice_is_one(tested: Any) -> None:
    """With the same claims; also when it could not be made anew any more. Other claims are refused."""
    first = _override(tested, "first")
    tested.patch_flag({"overridable": False})
    again = _override(tested, "first")

    assert (False, first.document) == (again.is_new, again.document)
    with pytest.raises(AlreadyExists):
        _override(tested, "first", variant="off")


@pytest.mark.parametrize(
    ("prepare", "fault"),
    [
        (lambda books: books.patch_flag({"overridable": False}), "/flag"),
        (lambda books: books.patch_flag({"archived": True}), "/flag"),
        (lambda books: books.store.remove_signer(*HERE, key_id_of(_key(1)), if_match=3, by=BY), "/signer"),
    ],
)
def test_override_of_what_is_published_otherwise_is_refused(
    prepare: Callable[[Any], Any], fault: str, books: Any
) -> None:
    """The same that replicas judge by."""
    books.create("other")
    books.create(overridable=True)
    _put(books)
    prepare(books)
    with pytest.raises(DocumentInvalid, match=f"^{fault}: "):
        _override(books, "first")


@pytest.mark.parametrize("document", [None, [], "x", {}, {"flag": ["x"], "signer": {}}, {"flag": None}])
def test_override_that_is_no_document_is_a_fault(document: object, tested: Any) -> None:
    """Whatever was sent."""
    with pytest.raises(DocumentInvalid):
        tested.store.put_override(*HERE, "first", document, by=BY)


def test_override_revoked_is_published_until_it_has_expired(tested: Any) -> None:
    """Then the next revocation drops it."""
    _override(tested, "short", ttl_s=60)
    _override(tested, "long", ttl_s=200_000)
    _override(tested, "third", ttl_s=200_000)
    tested.store.revoke_override(*HERE, "short", by=BY)
    tested.store.revoke_override(*HERE, "long", by=BY)
    assert {"short", "long"} == set(tested.store.snapshot(tested.id).revocations)

    tested.clock.at_ns += (60 + REVOCATION_GRACE_S) * 10**9
    (change,) = tested.store.revoke_override(*HERE, "third", by=BY).changes

    assert ("revocation", "third", ("short",)) == (change.kind, change.key, change.publication.delete_revocations)
    assert {"third", "long"} == set(tested.store.snapshot(tested.id).revocations)
    assert tested.store.override(*HERE, "short").revoked_s is not None


def test_override_revoked_twice_stays_as_it_is(tested: Any) -> None:
    """Same time, same revision."""
    _override(tested, "first")
    first = tested.store.revoke_override(*HERE, "first", by=BY)
    tested.clock.at_ns += 10**9
    again = tested.store.revoke_override(*HERE, "first", by=BY)

    assert (first.document, ()) == (again.document, again.changes)
    assert (tested.clock.at_ns // 10**9 - 1, 2) == (again.document.revoked_s, again.document.version)


def test_override_that_nobody_registered_is_not_found(tested: Any) -> None:
    """Neither read nor revoked."""
    for ask in (tested.store.override, lambda *place: tested.store.revoke_override(*place, by=BY)):
        with pytest.raises(NotFound, match="no override 'none' is registered in environment 'production'"):
            ask(*HERE, "none")


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_overrides_are_listed_the_last_first(limit: int, tested: Any) -> None:
    """Whatever the size of a page."""
    for number in range(5):
        _override(tested, f"number-{number}")
    found, cursor = [], None
    while True:
        page = tested.store.overrides(*HERE, cursor=cursor, limit=limit)
        found += [override.id for override in page.items]
        if (cursor := page.cursor) is None:
            break
    assert [f"number-{number}" for number in (4, 3, 2, 1, 0)] == found


def test_environments_have_signers_and_overrides_of_their_own(tested: Any) -> None:
    """A token of staging is nothing in production."""
    _override(tested, "first")
    with pytest.raises(NotFound):
        tested.store.override("shop", "staging", "first")
    assert ((), ()) == (tested.store.signers("shop", "staging"), tested.store.overrides("shop", "staging").items)


EDITS = st.lists(
    st.tuples(st.sampled_from(("put", "retire", "remove", "revoke", "wait")), st.integers(1, 3)), max_size=12
)


@pytest.mark.slow
@given(edits=EDITS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_log_folds_to_the_snapshot(edits: list[tuple[str, int]], new_books: Callable[[], Any]) -> None:
    """Whatever is registered, retired, removed and revoked: every put and delete of it, and a chain that verifies."""
    books = new_books()
    books.create(overridable=True)
    for step, edit in enumerate(edits):
        _do(books, *edit, step=step)

    held: dict[str, dict[str, Any]] = {"signers": {}, "revocations": {}}
    for change in books.log():
        for kind, records in held.items():
            records.update(getattr(change.publication, f"put_{kind}"))
            for key in getattr(change.publication, f"delete_{kind}"):
                records.pop(key)
    snapshot = books.store.snapshot(books.id)
    assert held == {"signers": snapshot.signers, "revocations": snapshot.revocations}
    assert () == books.store.faults_of_log(books.id)


def _do(books: Any, what: str, number: int, *, step: int) -> None:
    held = {signer.id: signer for signer in books.store.signers(*HERE)}
    signer = held.get(key_id_of(_key(number)))
    match what:
        case "put":
            _put(books, number, **({"until_s": signer.until_s} if signer else {}))
        case "retire" if signer:
            _put(books, number, until_s=books.clock.at_ns // 10**9 + step, if_match=signer.revision)
        case "remove" if signer:
            books.store.remove_signer(*HERE, signer.id, if_match=signer.revision, by=BY)
        case "revoke" if signer and signer.until_s is None:
            _override(books, f"override-{step}", signer=number, ttl_s=number * 1_000)
            books.store.revoke_override(*HERE, f"override-{step}", by=BY)
        case "wait":
            books.clock.at_ns += number * 1_500 * 10**9


def test_nothing_secret_is_kept(tested: Any, path: Path) -> None:
    """Of a signer the public key, of an override its claims: neither private keys nor tokens have a place."""
    _override(tested, "first")
    with sqlite3.connect(path) as connection:
        said = "\n".join(connection.iterdump())
    connection.close()
    assert "PRIVATE KEY" not in said
    assert "eyJ" not in said
