"""Fingerprints of units: what tells units apart."""

from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import fingerprint_of


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
