"""The contract of `Store`: flags, settings, kills; versions and what a refused edit leaves behind."""

from typing import Any

import pytest

from pennon.control import Action, Author
from pennon.errors import AlreadyExists, DocumentInvalid, NotFound, PreconditionFailed, PreconditionMissing

SPLIT = {"weights": [{"variant": "on", "weight": 100_000}], "coverage": 10_000}


def test_create_flag_publishes_in_every_environment(books: Any) -> None:
    """One transaction, one revision each."""
    made = books.create()

    assert [1, 1] == [change.revision for change in made.changes]
    for row in (books.production, books.staging):
        ruleset = books.store.snapshot(row.environment.id)
        assert (1, made.document.id) == (ruleset.revision, ruleset.flags["checkout"].id)


def test_create_flag_refuses_a_key_that_is_taken(books: Any, by: Author) -> None:
    """Also by an archived flag: its history and its id stay its own."""
    books.create()
    books.patch_flag({"archived": True})

    with pytest.raises(AlreadyExists, match="checkout"):
        books.create()


def test_flag_ids_differ_within_a_project(books: Any) -> None:
    """Drawn at random, and never the one that is there."""
    ids = {books.create(f"flag-{i}").document.id for i in range(50)}

    assert 50 == len(ids)


def test_settings_patch_publishes_in_one_environment(books: Any) -> None:
    """The other one keeps its revision."""
    books.create()
    changed = books.patch({"fallthrough": {"variant": None, "split": SPLIT}})

    assert (2, [2]) == (changed.document.revision, [change.revision for change in changed.changes])
    assert 1 == books.store.environment("shop", "staging").revision
    assert books.store.snapshot(books.id).flags["checkout"].carry


def test_a_patch_that_changes_nothing_takes_no_revision(books: Any) -> None:
    """No row, no event."""
    books.create()

    assert () == books.patch({"on": True}).changes
    assert () == books.patch_flag({"description": ""}).changes
    assert 1 == books.at().revision


@pytest.mark.parametrize(("version", "error"), [(None, PreconditionMissing), (0, PreconditionFailed)])
def test_an_edit_needs_the_current_version(version: int | None, error: type[Exception], books: Any, by: Author) -> None:
    """428 without, 412 with another."""
    books.create()

    with pytest.raises(error):
        books.store.update_flag("shop", "checkout", {"description": "x"}, if_match=version, by=by)
    with pytest.raises(error):
        books.store.archive_flag("shop", "checkout", if_match=version, by=by)
    with pytest.raises(error):
        books.store.update_settings("shop", "production", "checkout", {"on": False}, if_match=version, by=by)


def test_a_stale_author_is_told_so_before_faults(books: Any, by: Author) -> None:
    """What is wrong with a patch depends on what it is laid over."""
    books.create()
    books.patch({"on": False})

    with pytest.raises(PreconditionFailed):
        books.store.update_settings("shop", "production", "checkout", {"off": "nowhere"}, if_match=1, by=by)


def test_a_flag_edit_makes_settings_stale(books: Any, by: Author) -> None:
    """Whoever read the settings before has read another record."""
    books.create()
    books.patch_flag({"exposes": True})

    with pytest.raises(PreconditionFailed):
        books.store.update_settings("shop", "production", "checkout", {"on": False}, if_match=1, by=by)


def test_a_refused_edit_leaves_nothing_behind(books: Any) -> None:
    """A flag edit that one environment cannot take is published in none."""
    books.create()
    books.patch({"fallthrough": {"variant": "on"}}, environment="staging")
    before = [books.store.snapshot(row.environment.id) for row in (books.production, books.staging)]

    with pytest.raises(DocumentInvalid, match="in environment 'staging': /fallthrough/variant"):
        books.patch_flag({"variants": [{"key": "off", "value": False}]})

    assert before == [books.store.snapshot(row.environment.id) for row in (books.production, books.staging)]
    assert 1 == books.store.flag("shop", "checkout").version
    assert 1 == len(books.log())


def test_kill_in_one_environment_and_in_all(books: Any) -> None:
    """In all: only where it was not killed already."""
    books.create()

    assert [books.id] == [change.environment_id for change in books.kill()]
    assert [books.staging.environment.id] == [change.environment_id for change in books.kill(environment=None)]
    assert () == books.kill(environment=None)
    assert 2 == len(books.unkill(environment=None))


def test_kill_says_what_the_stream_needs(books: Any) -> None:
    """Environment, epoch, flag id and revision; and the record with its new floor."""
    flag = books.create().document
    [change] = books.kill()

    assert (Action.KILL, books.id, books.production.epoch, flag.id, 2) == (
        change.action,
        change.environment_id,
        change.epoch,
        change.flag_id,
        change.revision,
    )
    assert 2 == change.publication.put_flags["checkout"].void_before


def test_archive_deletes_and_restore_puts(books: Any, by: Author) -> None:
    """In the log, in the snapshot, and in the list of flags."""
    books.create()
    archived = books.store.archive_flag("shop", "checkout", if_match=1, by=by)

    assert archived.document.archived
    assert ("checkout",) == archived.changes[0].publication.delete_flags
    assert {} == books.store.snapshot(books.id).flags
    assert () == books.store.flags("shop").items
    assert 1 == len(books.store.flags("shop", archived=True).items)

    books.patch_flag({"archived": False})
    assert 3 == books.store.snapshot(books.id).flags["checkout"].void_before


def test_documents_come_back_as_they_were_answered(books: Any) -> None:
    """What an edit answers is what a reader gets."""
    flag = books.create(tags=["a"], description="ö \u2028").document
    settings = books.patch({"fallthrough": {"variant": None, "split": SPLIT}}).document

    assert flag == books.store.flag("shop", "checkout")
    assert settings == books.store.settings("shop", "production", "checkout")


def test_values_keep_their_types(books: Any) -> None:
    """1, 1.0 and true are three values, in the document and in the record."""
    values = [1, 1.0, True, None, 9007199254740991, {"a": [1.5, "\u00e9"]}]
    variants = [{"key": f"v{i}", "value": value} for i, value in enumerate(values)]
    books.store.create_flag("shop", {"key": "any", "type": "json", "variants": variants}, by=Author("anna"))

    read = [variant.value for variant in books.store.flag("shop", "any").variants]
    served = [variant.value for variant in books.store.snapshot(books.id).flags["any"].variants]
    assert repr(values) == repr(read) == repr(served)


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.flag("nowhere", "checkout"),
        lambda store: store.flag("shop", "nothing"),
        lambda store: store.flags("nowhere"),
        lambda store: store.environments("nowhere"),
        lambda store: store.environment("shop", "nowhere"),
        lambda store: store.environment_by_id(1),
        lambda store: store.settings("shop", "nowhere", "checkout"),
        lambda store: store.settings("shop", "production", "nothing"),
        lambda store: store.history("shop", "production", "nothing"),
        lambda store: store.history("shop", "nowhere", "checkout"),
        lambda store: store.kill("shop", "nothing", environment=None, by=Author("anna")),
        lambda store: store.kill("shop", "checkout", environment="nowhere", by=Author("anna")),
        lambda store: store.update_flag("shop", "nothing", {}, if_match=1, by=Author("anna")),
        lambda store: store.update_settings("shop", "production", "nothing", {}, if_match=1, by=Author("anna")),
        lambda store: store.segment("shop", "production", "nothing"),
        lambda store: store.segments("shop", "nowhere"),
        lambda store: store.snapshot(1),
        lambda store: store.changes_since(1, epoch=0, revision=0),
        lambda store: store.faults_of_log(1),
        lambda store: store.add_exposures(1, ()),
        lambda store: store.exposure_counts(1),
        lambda store: store.revoke_token("nothing"),
    ],
)
def test_what_is_not_there_is_not_found(ask: Any, books: Any) -> None:
    """Every method says it the same way."""
    books.create()

    with pytest.raises(NotFound):
        ask(books.store)


def test_projects_do_not_share_flags(books: Any, by: Author) -> None:
    """A tenant sees its own; the same key may mean something else elsewhere."""
    books.create()
    books.store.create_project("bank", environments=["production"])

    with pytest.raises(NotFound):
        books.store.flag("bank", "checkout")
    assert () == books.store.flags("bank").items
    variants = [{"key": "a", "value": "x"}]
    made = books.store.create_flag("bank", {"key": "checkout", "type": "string", "variants": variants}, by=by)
    assert 1 == len(made.changes)
    assert "boolean" == books.store.flag("shop", "checkout").type


def test_create_project_refuses_what_is_taken_or_wrong(books: Any) -> None:
    """A taken key, and every fault of the names."""
    with pytest.raises(AlreadyExists):
        books.store.create_project("shop", environments=["production"])
    with pytest.raises(DocumentInvalid) as raised:
        books.store.create_project("Shop", environments=["a", "a", "B"])
    assert ["/key", "/environments/1", "/environments/2"] == [fault.path for fault in raised.value.faults]
    with pytest.raises(DocumentInvalid, match="/environments: none found"):
        books.store.create_project("bank", environments=[])
    assert ["shop"] == [project.key for project in books.store.projects()]


def test_an_epoch_counts_minutes_since_2020(books: Any) -> None:
    """So that it grows over restores, and fits 24 bits."""
    # 2026-11-21T13:00Z is 2,516 days and 13 hours after 2020-01-01T00:00Z.
    assert (2_516 * 24 + 13) * 60 == books.production.epoch
    assert books.production.environment.id != books.staging.environment.id
    assert books.id < 1 << 40
