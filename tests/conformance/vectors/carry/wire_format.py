"""A second implementation of the wire format, to write vectors with.

Written from docs/reference/wire.md alone, for reading and not for speed: numbers are strings of bits, the CRC-32
divides bit by bit, base64url takes six bits at a time, murmur3 follows its description, and the budget is kept by
trying again with one decision less. It imports nothing of pennon. Its decoder is `wire_reader`.
"""

from hashlib import sha256
from typing import Any

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ORIGINS = ["split", "rest", "rule", "fallthrough", "off", "override", "kill"]


def bits(number: int, width: int) -> str:
    assert 0 <= number < 2**width, (number, width)
    return format(number, f"0{width}b")


def octets(text: str) -> bytes:
    assert len(text) % 8 == 0
    return bytes(int(text[at : at + 8], 2) for at in range(0, len(text), 8))


def crc_32(data: bytes) -> int:
    remainder = 0xFFFFFFFF
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xEDB88320 if remainder & 1 else 0)
    return remainder ^ 0xFFFFFFFF


def base64url(data: bytes) -> str:
    text = "".join(bits(byte, 8) for byte in data)
    text += "0" * (-len(text) % 6)
    return "".join(ALPHABET[int(text[at : at + 6], 2)] for at in range(0, len(text), 6))


def leb128(number: int) -> bytes:
    digits = []
    while True:
        number, digit = divmod(number, 128)
        digits.append(digit)
        if number == 0:
            return bytes([digit + 128 for digit in digits[:-1]] + digits[-1:])


def decision(entry: dict[str, Any]) -> bytes:
    fixed = bits(entry["flag_id"], 24) + bits(entry["variant_id"], 8) + bits(ORIGINS.index(entry["origin"]), 8)
    return octets(fixed) + leb128(int(entry["revision"]))


def head(entry: dict[str, Any]) -> bytes:
    return octets(
        bits(entry["environment"], 40)
        + bits(entry["epoch"], 24)
        + bits(entry["fingerprint"], 24)
        + bits(entry["decided_min"], 32)
    )


def checked(body: bytes) -> str:
    return base64url(body + octets(bits(crc_32(body), 32)))


def group(*entries: dict[str, Any]) -> str:
    return checked(head(entries[0]) + b"".join(decision(entry) for entry in entries))


def flags_group(byte: int) -> str:
    return checked(bytes([byte]))


def member(entries: list[dict[str, Any]], flags: int) -> str:
    groups: list[list[dict[str, Any]]] = []
    for entry in entries:
        for each in groups:
            if head(each[0]) == head(entry):
                each.append(entry)
                break
        else:
            groups.append([entry])
    return ".".join([group(*each) for each in groups] + ([flags_group(flags)] if flags else []))


def member_within(entries: list[dict[str, Any]], flags: int, budget: int) -> tuple[str, int]:
    value = member(entries, flags)
    if len(value) <= budget:
        return value, 0
    left = list(entries)
    while left:
        left.remove(min(left, key=lambda entry: entry["decided_min"]))  # the first of the earliest minute
        value = member(left, flags | 1)
        if len(value) <= budget:
            return value, len(entries) - len(left)
    return "", len(entries)


def murmur3_32(data: bytes) -> int:
    def rotated(word: int, by: int) -> int:
        return (word << by | word >> (32 - by)) & 0xFFFFFFFF

    def mixed(word: int) -> int:
        return rotated(word * 0xCC9E2D51 & 0xFFFFFFFF, 15) * 0x1B873593 & 0xFFFFFFFF

    whole = len(data) // 4 * 4
    state = 0
    for at in range(0, whole, 4):
        state ^= mixed(int.from_bytes(data[at : at + 4], "little"))
        state = (rotated(state, 13) * 5 + 0xE6546B64) & 0xFFFFFFFF
    if len(data) > whole:
        state ^= mixed(int.from_bytes(data[whole:], "little"))
    state ^= len(data)
    state = (state ^ state >> 16) * 0x85EBCA6B & 0xFFFFFFFF
    state = (state ^ state >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
    return state ^ state >> 16


def cbor_text(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    for limit, lead, width in ((24, None, 0), (2**8, 0x78, 1), (2**16, 0x79, 2), (2**32, 0x7A, 4)):
        if len(data) < limit:
            start = bytes([0x60 + len(data)]) if lead is None else bytes([lead]) + len(data).to_bytes(width, "big")
            return start + data
    raise AssertionError


def fingerprint(salt: str, kind: str, key: str) -> int:
    return int(bits(murmur3_32(b"\x83" + cbor_text(salt) + cbor_text(kind) + cbor_text(key)), 32)[:24], 2)


def cbor_unsigned(number: int) -> bytes:
    for limit, lead, width in ((2**8, 0x18, 1), (2**16, 0x19, 2), (2**32, 0x1A, 4), (2**64, 0x1B, 8)):
        if number < 24:
            return bytes([number])
        if number < limit:
            return bytes([lead]) + number.to_bytes(width, "big")
    raise AssertionError


def exposure(environment: int, flag_id: int, phase: int, kind: str, key: str, variant_id: int) -> str:
    numbers = cbor_unsigned(environment) + cbor_unsigned(flag_id) + cbor_unsigned(phase)
    content = b"\x86" + numbers + cbor_text(kind) + cbor_text(key) + cbor_unsigned(variant_id)
    return sha256(content).hexdigest()[:32]


assert [cbor_unsigned(number).hex() for number in (23, 24, 1000, 1000000)] == [
    "17",
    "1818",
    "1903e8",
    "1a000f4240",
]  # RFC 8949, appendix A
assert crc_32(b"123456789") == 0xCBF43926  # the check value of CRC-32/ISO-HDLC
assert base64url(b"foob") == "Zm9vYg"  # RFC 4648 §10
assert base64url(b"\xfb\xff") == "-_8"
assert leb128(624485) == b"\xe5\x8e\x26"  # DWARF 4, §7.6 (as told by WebAssembly's specification)
assert murmur3_32(b"") == 0
assert murmur3_32(b"test") == 0xBA6BD213
assert murmur3_32(b"Hello, world!") == 0xC0363E43


def entry(**changes: Any) -> dict[str, Any]:
    """What cases are made of: a plain decision, changed."""
    plain = {
        "environment": 0x0102030405,
        "epoch": 0x35C2A1,
        "fingerprint": 0xA1B2C3,
        "decided_min": 29_925_600,
        "flag_id": 0x00F1A6,
        "variant_id": 1,
        "origin": "split",
        "revision": 41,
    }
    out = plain | changes
    # JSON's numbers are exact to 2**53 only.
    out["revision"] = str(out["revision"])
    return out


ONE = entry()
TWO = entry(flag_id=0x00F1A7, variant_id=2, origin="rule", revision=300)
