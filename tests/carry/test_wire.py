"""What the wire format's vectors do not say (tests/conformance/test_wire.py): order and capacity."""

from collections.abc import Callable

from pennon.carry import decode, encode_entries
from pennon.context import Entry


def test_decode_keeps_wire_order_within_a_flag(entry_of: Callable[..., Entry]) -> None:
    """A ledger's places hold their entries as they stood on the wire."""
    units = [entry_of(fingerprint=number) for number in (3, 1, 2)]
    assert {(units[0].environment, 1): tuple(units)} == decode(encode_entries(units).value).arrived


def test_encode_holds_40_decisions_in_512_bytes(entry_of: Callable[..., Entry]) -> None:
    """One unit, one minute, the longest revisions of four bytes."""
    entries = [entry_of(flag_id=number, revision=2**28 - 1) for number in range(40)]
    assert 506 == len(encode_entries(entries).value)
