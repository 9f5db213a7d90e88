"""Fingerprints of units against vectors, and what tells units apart."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import fingerprint_of


def test_fingerprint_of_is_what_the_vectors_say(vectors: Callable[[str], Any]) -> None:
    """Murmur3 over canonical CBOR, lone surrogates and long keys included."""
    cases = vectors("fingerprint.json")
    assert [case["fingerprint"] for case in cases] == [
        fingerprint_of(case["salt"], case["kind"], case["key"]) for case in cases
    ]


@given(st.text(), st.text(), st.text())
def test_fingerprint_of_fits_three_bytes_for_any_text(salt: str, kind: str, key: str) -> None:
    """No text is refused, and the wire has room for each."""
    assert 0 <= fingerprint_of(salt, kind, key) < 2**24


def test_fingerprint_of_tells_kind_from_key() -> None:
    """`user` 7 is not `account` 7, nor does a kind run into the key."""
    units = [("user", "7"), ("account", "7"), ("user7", ""), ("use", "r7"), ("user", "07")]
    assert len(units) == len({fingerprint_of("salt", kind, key) for kind, key in units})


def test_fingerprint_of_depends_on_the_environment() -> None:
    """A decision that strayed into another environment names nobody there."""
    assert fingerprint_of("salt", "user", "7") != fingerprint_of("other", "user", "7")
