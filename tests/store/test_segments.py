"""The contract of `Store`: segments."""

from typing import Any

import pytest

from pennon.control import Author
from pennon.errors import DocumentInvalid, PreconditionFailed, PreconditionMissing
from pennon.flags import member_hash

RULE = {"id": "r", "clauses": [{"op": "segment", "segment": "beta"}], "serve": {"variant": "on"}}


def _put(books: Any, document: object, if_match: int | None = None) -> Any:
    return books.store.put_segment("shop", "production", "beta", document, if_match=if_match, by=Author("anna"))


def test_put_segment_makes_and_replaces(books: Any) -> None:
    """A new one without a version, an old one with it; the salt stays."""
    made = _put(books, {"members": ["7"]}).document
    changed = _put(books, {"members": ["8"]}, made.revision).document

    assert (1, 2, made.salt) == (made.revision, changed.revision, changed.salt)
    segment = books.store.snapshot(books.id).segments["beta"]
    assert ((member_hash(made.salt, "8"),), 2) == (segment.members, segment.revision)


def test_put_segment_asks_for_the_version_it_replaces(books: Any) -> None:
    """Missing, stale, and of a segment that is not there."""
    with pytest.raises(PreconditionFailed):
        _put(books, {}, 1)
    _put(books, {})
    with pytest.raises(PreconditionMissing):
        _put(books, {"members": ["7"]})
    with pytest.raises(PreconditionFailed):
        _put(books, {"members": ["7"]}, 9)


def test_put_segment_of_the_same_changes_nothing(books: Any) -> None:
    """Sent back as it was read."""
    made = _put(books, {"members": ["7"]}).document

    assert () == _put(books, made.model_dump(mode="json"), made.revision).changes


def test_a_rule_finds_the_segment_of_its_environment_only(books: Any) -> None:
    """Segments belong to an environment; one of another name or place is a fault."""
    books.create()
    with pytest.raises(DocumentInvalid, match="must be a segment of this environment"):
        books.patch({"rules": [RULE]})
    _put(books, {"members": ["7"]})

    assert books.patch({"rules": [RULE]}).changes
    with pytest.raises(DocumentInvalid, match="must be a segment of this environment"):
        books.patch({"rules": [RULE]}, environment="staging")
