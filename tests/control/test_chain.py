"""The chain of the change log: it verifies as written, and not otherwise."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.control import Action, Change, Publication
from pennon.control.chain import GENESIS, Link, broken_links, canonical, hash_of, linked

LENGTH = 5


def _chain() -> list[Link]:
    links: list[Link] = []
    for revision in range(1, LENGTH + 1):
        change = Change(
            environment_id=7,
            epoch=3,
            revision=revision,
            at_ns=revision,
            kind="flag",
            key="checkout",
            flag_id=9,
            action=Action.UPDATE,
            who="anna",
            why="because",
            diff=(),
            notes=(),
            publication=Publication(delete_flags=("checkout",)),
        )
        links.append(linked(links[-1].hash if links else GENESIS, change))
    return links


CHAIN = _chain()


def _faults(links: list[Link]) -> list[str]:
    return [str(fault) for fault in broken_links(links, revision=LENGTH, head_hash=CHAIN[-1].hash)]


def test_a_chain_verifies_as_written() -> None:
    """No fault in an untouched log, nor in an empty one."""
    assert [] == _faults(CHAIN)
    assert [] == list(broken_links([], revision=0, head_hash=GENESIS))


def test_hash_is_frozen() -> None:
    """A later version must verify what this one wrote: SHA-256 over previous hash and canonical JSON."""
    assert "5508d2b710e64bc470079e1b211d9c58e21011e59d0559e422345dc19d659a75" == hash_of(GENESIS, b"{}")
    assert (
        b'{"action":"update","at_ns":1,"diff":[],"environment_id":7,"epoch":3,"flag_id":9,"key":"checkout",'
        b'"kind":"flag","notes":[],"publication":{"delete_flags":["checkout"],"delete_reconciled":[],'
        b'"delete_revocations":[],"delete_segments":[],"delete_signers":[],"put_flags":{},"put_reconciled":{},'
        b'"put_revocations":{},"put_segments":{},"put_signers":{}},"revision":1,"who":"anna","why":"because"}'
    ) == CHAIN[0].body


@given(row=st.integers(0, LENGTH - 1), at=st.integers(0), new=st.integers(0, 255))
@settings(max_examples=200)
def test_an_edited_byte_shows(row: int, at: int, new: int) -> None:
    """Any byte of any row."""
    body = bytearray(CHAIN[row].body)
    body[at % len(body)] = new
    links = list(CHAIN)
    links[row] = msgspec.structs.replace(links[row], body=bytes(body))

    assert bool(_faults(links)) is (bytes(body) != CHAIN[row].body)


@pytest.mark.parametrize("row", range(LENGTH))
def test_an_edit_whose_hash_was_made_fit_shows(row: int) -> None:
    """The next row, or the head kept with the environment, still holds the old hash."""
    body = CHAIN[row].body.replace(b"anna", b"eve!")
    links = list(CHAIN)
    links[row] = Link(row + 1, body, links[row].previous_hash, hash_of(links[row].previous_hash, body))

    assert _faults(links)


@given(st.lists(st.integers(0, LENGTH - 1), max_size=LENGTH + 2))
def test_rows_lost_added_or_moved_show(order: list[int]) -> None:
    """Only all rows, once each, in order, are the log."""
    assert bool(_faults([CHAIN[i] for i in order])) is (order != list(range(LENGTH)))


def test_a_row_indexed_under_another_revision_shows() -> None:
    """The columns that queries use must say what the hashed row says."""
    links = list(CHAIN)
    links[2] = msgspec.structs.replace(links[2], revision=9)

    assert any("must be the indexed 9" in fault for fault in _faults(links))


def test_canonical_does_not_depend_on_the_order_of_members() -> None:
    """Equal changes hash alike."""

    def with_value(value: dict[str, Any]) -> bytes:
        from pennon.control import Difference

        change = msgspec.json.decode(CHAIN[0].body, type=Change)
        return canonical(msgspec.structs.replace(change, diff=(Difference("/a", None, value),)))

    assert with_value({"a": 1, "b": 2}) == with_value({"b": 2, "a": 1})
