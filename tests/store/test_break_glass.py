"""The contract of `Store`: break-glass kills, taken over into the numbering exactly once."""

from typing import Any

import msgspec
import pytest

from pennon.control import Author
from pennon.control.break_glass import RECONCILED_GRACE_S
from pennon.errors import NotFound
from pennon.flags import ReconciledRecord
from pennon.flags.keys import key_id_of
from pennon.sync import BreakGlass

BY = Author("break-glass 11223344", "token bg-1")


class Glass:
    """Books with a flag that is on, and kills of it."""

    def __init__(self, books: Any) -> None:
        self.books = books
        self.flag_id: int = books.create().document.id
        books.patch({"fallthrough": {"variant": "on"}})

    def kill(self, id_: str = "bg-1", *, ttl_s: int = 3_600, **members: Any) -> BreakGlass:
        """A kill as a server holds it."""
        until_s = self.books.clock.at_ns // 10**9 + ttl_s
        given = {"environment": self.books.id, "flag": self.flag_id, "id": id_, "until_s": until_s} | members
        return BreakGlass(**given)

    def reconcile(self, kill: BreakGlass) -> Any:
        """The change that was made; None if there was none."""
        changes = self.books.store.reconcile(kill, by=BY)
        assert len(changes) < 2
        return changes[0] if changes else None

    def killed(self) -> bool:
        """Whether the flag is killed."""
        killed: bool = self.books.store.settings("shop", "production", "checkout").killed
        return killed


@pytest.fixture
def glass(books: Any) -> Glass:
    """Over books of their own."""
    return Glass(books)


def test_reconciling_kills_the_flag_and_names_the_kill_in_one_revision(glass: Glass) -> None:
    """Between the two nothing could be read; the log says who, and the chain holds."""
    kill, books = glass.kill(), glass.books
    record = ReconciledRecord("bg-1", kill.until_s)

    change = glass.reconcile(kill)

    assert ("flag", "checkout", "kill", "break-glass 11223344") == (change.kind, change.key, change.action, change.who)
    assert {"bg-1": record} == change.publication.put_reconciled == books.store.snapshot(books.id).reconciled
    assert change.publication.put_flags["checkout"].killed
    assert change.publication.put_flags["checkout"].void_before == change.revision == books.at().revision
    assert change == books.store.history("shop", "production", "checkout").items[0]
    assert () == books.store.faults_of_log(books.id)
    assert not books.store.settings("shop", "staging", "checkout").killed


def test_reconciling_happens_once(glass: Glass) -> None:
    """Neither another server nor a token that is sent again kills what has been unkilled."""
    glass.reconcile(glass.kill())
    glass.books.unkill()
    revision = glass.books.at().revision

    assert (None, False, revision) == (glass.reconcile(glass.kill()), glass.killed(), glass.books.at().revision)


def test_kill_of_what_is_killed_already_is_only_named(glass: Glass) -> None:
    """No second floor; replicas still learn that nobody waits for it."""
    glass.books.kill()
    before = glass.books.store.settings("shop", "production", "checkout")

    change = glass.reconcile(glass.kill())

    assert ("reconciled", "bg-1", "create", None) == (change.kind, change.key, change.action, change.flag_id)
    assert before == glass.books.store.settings("shop", "production", "checkout")
    assert {"bg-1"} == set(glass.books.store.snapshot(glass.books.id).reconciled)


@pytest.mark.parametrize("has_flag", [True, False])
def test_kill_of_a_flag_that_is_gone_is_only_named(has_flag: bool, glass: Glass) -> None:
    """Archived meanwhile, or lost with a restore: there is nothing to kill."""
    if has_flag:
        glass.books.patch_flag({"archived": True})
    kill = glass.kill(flag=glass.flag_id if has_flag else glass.flag_id ^ 1)

    change = glass.reconcile(kill)

    assert ("reconciled", "bg-1") == (change.kind, change.key)


def test_kill_whose_time_is_over_changes_nothing(glass: Glass) -> None:
    """At its last second, that is; before it, it still counts."""
    kill = glass.kill(ttl_s=60)
    glass.books.clock.at_ns += 60 * 10**9
    assert (None, False) == (glass.reconcile(kill), glass.killed())
    assert glass.reconcile(msgspec.structs.replace(kill, until_s=kill.until_s + 1)) is not None


def test_kill_of_an_environment_that_is_not_there_is_not_found(glass: Glass) -> None:
    """Of another control plane, say."""
    with pytest.raises(NotFound):
        glass.books.store.reconcile(glass.kill(environment=1), by=BY)


def test_names_are_kept_until_no_clock_believes_their_token(glass: Glass) -> None:
    """The next reconciliation drops them."""
    glass.reconcile(glass.kill("short", ttl_s=60))
    glass.reconcile(glass.kill("long", ttl_s=80_000))
    glass.books.clock.at_ns += (60 + RECONCILED_GRACE_S - 1) * 10**9
    assert () == glass.reconcile(glass.kill("third")).publication.delete_reconciled
    glass.books.clock.at_ns += 10**9

    change = glass.reconcile(glass.kill("fourth"))

    assert ("short",) == change.publication.delete_reconciled
    assert {"long", "third", "fourth"} == set(glass.books.store.snapshot(glass.books.id).reconciled)


def test_a_server_remembers_what_it_needs(glass: Glass) -> None:
    """Signers of either use, flags that are not archived, and what is reconciled, at one position."""
    books, key = glass.books, "A" * 43
    books.create("gone")
    books.patch_flag({"archived": True}, "gone")
    document = {"name": "ops", "use": "kill", "key": key}
    books.store.put_signer("shop", "production", key_id_of(key), document, if_match=None, by=BY)
    glass.reconcile(glass.kill())

    known = books.store.known(books.id)

    assert books.store.positions()[books.id] == known.position == (books.at().epoch, books.at().revision)
    assert ("shop", "production") == (known.project, known.environment.key)
    assert {"checkout": glass.flag_id} == known.flags
    assert books.store.snapshot(books.id).signers == known.signers
    assert {"bg-1"} == known.reconciled
    assert {books.id, books.staging.environment.id} == set(books.store.positions())
