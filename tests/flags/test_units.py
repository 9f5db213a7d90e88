"""What counts as a unit key."""

import enum
from typing import Any

import pytest

from pennon.context import Unit
from pennon.flags import unit_key_of


class Account(enum.IntEnum):
    """A caller's enum."""

    ACME = 12


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("user-7", "user-7"),
        ("", None),
        ("\ud800", "\ud800"),
        (7, "7"),
        (-7, "-7"),
        (0, "0"),
        (2**64, "18446744073709551616"),
        (Account.ACME, "12"),
        (Unit("user", "7"), "7"),
        (Unit("user", ""), None),
        (True, None),
        (7.0, None),
        (None, None),
        (b"7", None),
        (["7"], None),
        pytest.param(10**5_000, None, id="too many digits"),
    ],
)
def test_unit_key_of_takes_text_and_integers(unit: Any, expected: str | None) -> None:
    """Text as it is, integers in decimal, nothing that two languages would write differently."""
    assert expected == unit_key_of(unit)
