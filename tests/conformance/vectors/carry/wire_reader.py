"""The second implementation's decoder: what a value says, by docs/reference/wire.md.

As slow and as plain as its encoder in `wire_format`: a group is a string of bits that is cut from the left. Cases whose
entries were written by hand are compared with it, cases that were made by machine are answered by it.
"""

from typing import Any

from tests.conformance.vectors.carry.wire_format import ALPHABET, ORIGINS, bits, crc_32, octets


class _Dropped(Exception):
    """A group is not taken; the fault is its text."""


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._left = "".join(bits(byte, 8) for byte in data)

    def number(self, width: int) -> int:
        if len(self._left) < width:
            raise _Dropped("decision")
        taken, self._left = self._left[:width], self._left[width:]
        return int(taken, 2)

    def is_empty(self) -> bool:
        return not self._left


def read(value: str) -> dict[str, Any]:
    """Entries, flags and faults. Candidates of one place stand in ascending revision, places as they first appear."""
    flags, dropped = 0, []
    places: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for group in value.split(".") if value else []:
        try:
            data = _checked_bytes(group)
            if len(data) == 1:
                flags |= data[0]
                continue
            for entry in _decisions(data):
                place = (entry["environment"], entry["epoch"], entry["fingerprint"], entry["flag_id"])
                _keep(places.setdefault(place, []), entry)
        except _Dropped as fault:
            dropped.append(str(fault))
    return {
        "entries": [
            entry for entries in places.values() for entry in sorted(entries, key=lambda each: int(each["revision"]))
        ],
        "was_cut": bool(flags & 1),
        "is_replay": bool(flags & 2),
        "dropped": dropped,
    }


def _keep(entries: list[dict[str, Any]], entry: dict[str, Any]) -> None:
    """Of one revision the first is kept; a kill also beside another."""
    rivals = [each["origin"] for each in entries if each["revision"] == entry["revision"]]
    if not rivals or (entry["origin"] == "kill" and "kill" not in rivals):
        entries.append(entry)


def _checked_bytes(group: str) -> bytes:
    if not group or any(sign not in ALPHABET for sign in group) or len(group) % 4 == 1:
        raise _Dropped("encoding")
    text = "".join(bits(ALPHABET.index(sign), 6) for sign in group)
    whole = len(text) // 8 * 8
    if "1" in text[whole:]:
        raise _Dropped("encoding")
    data = octets(text[:whole])
    if len(data) != 5 and len(data) < 25:
        raise _Dropped("length")
    if data[-4:] != octets(bits(crc_32(data[:-4]), 32)):
        raise _Dropped("checksum")
    return data[:-4]


def _decisions(data: bytes) -> list[dict[str, Any]]:
    left = _Bits(data)
    head = {"environment": left.number(40), "epoch": left.number(24)}
    head |= {"fingerprint": left.number(24), "decided_min": left.number(32)}
    entries = []
    while not left.is_empty():
        flag_id, variant_id, origin = left.number(24), left.number(8), left.number(8)
        if origin >= len(ORIGINS):
            raise _Dropped("decision")
        decision = {"flag_id": flag_id, "variant_id": variant_id, "origin": ORIGINS[origin]}
        entries.append({**head, **decision, "revision": str(_revision(left))})
    return entries


def _revision(left: _Bits) -> int:
    number, weight = 0, 1
    for place in range(8):
        goes_on, digit = left.number(1), left.number(7)
        number, weight = number + digit * weight, weight * 128
        if not goes_on:
            if place and not digit:
                raise _Dropped("decision")
            return number
    raise _Dropped("decision")
