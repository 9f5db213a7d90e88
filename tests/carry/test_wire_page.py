"""docs/reference/wire.md says what the code does."""

import re
from pathlib import Path

from pennon.carry import BUDGET_BYTES, GroupFault, decode, encode_entries, exposure_id, fingerprint_of
from pennon.context import Entry, Origin, Unit

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text(encoding="utf-8")
UNIT = fingerprint_of("8f1c2d3e4a5b6c7d", "user", "7")
DECISIONS = (
    Entry(0x0102030405, 3_621_144, UNIT, 29_925_600, 61_862, 1, Origin.SPLIT, 41),
    Entry(0x0102030405, 3_621_144, UNIT, 29_925_600, 61_863, 2, Origin.RULE, 300),
)


def test_wire_page_examples_are_right() -> None:
    """Both values, the fingerprint and the exposure id are the ones that its words give."""
    plain, marked = re.findall(r"`(AQID[\w.-]+)`", PAGE)
    assert encode_entries(DECISIONS).value == plain
    assert encode_entries(DECISIONS, was_cut=True, is_replay=True).value == marked
    assert DECISIONS == decode(plain).entries
    assert f"`{UNIT:06x}`" in PAGE
    assert f"`{exposure_id(0x0102030405, 61_862, 1, Unit('user', '7'), 1)}`" in PAGE


def test_wire_page_shows_the_bytes_of_its_example() -> None:
    """The hex column, put together, is the value's bytes."""
    from base64 import urlsafe_b64decode

    (block,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
    digits = "".join(re.match(r"(?:[0-9a-f]{2} )+", line + " ")[0] for line in block.splitlines())  # type: ignore[index]
    assert urlsafe_b64decode(re.findall(r"`(AQID[\w-]+)`", PAGE)[0] + "=") == bytes.fromhex(digits)


def test_wire_page_names_every_fault_origin_and_capacity() -> None:
    """Nothing is added to the format without its word here."""
    for name in (*(fault.value for fault in GroupFault), *(origin.name.lower() for origin in Origin)):
        assert f"`{name}`" in PAGE
    assert f"at most {BUDGET_BYTES} characters" in PAGE
    for count, bits in ((60, 7), (52, 14), (45, 21), (40, 28)):
        entries = [Entry(1, 1, 1, 1, number, 1, Origin.SPLIT, 2**bits - 1) for number in range(count + 1)]
        assert (0, True) == (encode_entries(entries[:-1]).cut_count, encode_entries(entries).cut_count > 0)
        assert re.search(rf"{count} (?:decisions of .* )?below 2\^{bits}\b", PAGE)
