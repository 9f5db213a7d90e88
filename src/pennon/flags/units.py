"""What counts as a unit key."""

from typing import Final

from pennon.context import Unit

# No database's key is wider than 128 bits, and Python refuses to write integers of thousands of digits.
_INTEGER_LIMIT: Final = 1 << 128


def unit_key_of(unit: object) -> str | None:
    """The key of what a caller named as the unit; None if it names none.

    Text as it is ("" is none), an integer in decimal, a `Unit` its key. A boolean, a float or anything else is none:
    two languages write them differently, and the unit would change its arm.
    """
    if isinstance(unit, Unit):
        unit = unit.key
    if isinstance(unit, str):
        return str.__str__(unit) or None
    if isinstance(unit, int) and not isinstance(unit, bool) and abs(unit) < _INTEGER_LIMIT:
        return int.__repr__(unit)
    return None
