"""The cases of wire.json that are read: what is well formed, and what is hostile."""

from typing import Any

from tests.conformance.vectors.carry.wire_format import (
    ALPHABET,
    ONE,
    ORIGINS,
    TWO,
    base64url,
    bits,
    checked,
    crc_32,
    decision,
    entry,
    flags_group,
    group,
    head,
    member,
    octets,
)
from tests.conformance.vectors.carry.wire_reader import read

CASES: list[dict[str, Any]] = []
GOOD = group(ONE)
GOOD_2 = group(TWO)


def case(
    name: str,
    why: str,
    value: str,
    entries: list[dict[str, Any]] | tuple[()] = (),
    *,
    flags: int = 0,
    dropped: list[str] | tuple[()] = (),
) -> dict[str, Any]:
    """A case as its author says it, after the second decoder agreed."""
    said = {
        "entries": list(entries),
        "was_cut": bool(flags & 1),
        "is_replay": bool(flags & 2),
        "dropped": list(dropped),
    }
    assert said == read(value), (name, read(value))
    return {"id": name, "why": why, "value": value, **said}


def reads(name: str, why: str, value: str, *said: Any, **also_said: Any) -> None:
    CASES.append(case(name, why, value, *said, **also_said))


def raw_group(decisions: bytes, *, crc_xor: int = 0) -> str:
    body = head(ONE) + decisions
    return base64url(body + octets(bits(crc_32(body) ^ crc_xor, 32)))


# ---- what is well formed

reads("empty", "A member without a value says nothing and breaks nothing.", "")
for origin in ORIGINS:
    each = entry(origin=origin)
    reads(f"origin-{origin}", "Origins are numbered 0 to 6.", group(each), [each])
for number in (
    0,
    1,
    127,
    128,
    255,
    16_383,
    16_384,
    2**21 - 1,
    2**21,
    2**28 - 1,
    2**28,
    2**32,
    2**49 - 1,
    2**49,
    2**56 - 1,
):
    each = entry(revision=number)
    reads(f"revision-{number}", "A revision takes 7 bits a byte, low bits first, 8 bytes at most.", group(each), [each])
zeros = entry(environment=0, epoch=0, fingerprint=0, decided_min=0, flag_id=0, variant_id=0, revision=0)
reads("all-zero", "Zero is a number like any other, in every place.", group(zeros), [zeros])
ones = entry(
    environment=2**40 - 1,
    epoch=2**24 - 1,
    fingerprint=2**24 - 1,
    decided_min=2**32 - 1,
    flag_id=2**24 - 1,
    variant_id=255,
    origin="kill",
    revision=2**56 - 1,
)
reads("all-highest", "Every place filled: no number is signed.", group(ones), [ones])
edges = {
    "environment": [1, 2**32 - 1, 2**32, 2**39],
    "epoch": [1, 2**16 - 1, 2**16, 2**23],
    "fingerprint": [1, 255, 256, 2**23],
    "decided_min": [1, 2**31 - 1, 2**31],
    "flag_id": [1, 2**16 - 1, 2**16, 2**23],
    "variant_id": [127, 128, 255],
}
for field, numbers in edges.items():
    for number in numbers:
        each = entry(**{field: number})
        reads(
            f"{field.replace('_', '-')}-{number}", "Big-endian, unsigned, nothing around it moves.", group(each), [each]
        )
for count in (2, 3, 4, 40, 60):
    each_of = [entry(flag_id=number, revision=1 + number % 3 * 100) for number in range(1, count + 1)]
    reads(f"decisions-{count}", "Decisions of one unit and minute share a group.", group(*each_of), each_of)
for field, number in (("environment", 9), ("epoch", 9), ("fingerprint", 9), ("decided_min", 9)):
    pair = [ONE, entry(**{field: number, "flag_id": 77})]
    reads(f"groups-by-{field.replace('_', '-')}", "What differs in it needs a group of its own.", member(pair, 0), pair)
for byte, meaning in ((0, 0), (1, 1), (2, 2), (3, 3), (0xFC, 0), (0xFD, 1), (0xFF, 3)):
    reads(f"flags-{byte:02x}", "Bit 0: cut; bit 1: replay; others are not looked at.", flags_group(byte), flags=meaning)
reads("flags-first", "The flags group stands anywhere.", f"{flags_group(1)}.{GOOD}", [ONE], flags=1)
reads("flags-last", "The flags group stands anywhere.", f"{GOOD}.{flags_group(2)}", [ONE], flags=2)
reads("flags-between", "The flags group stands anywhere.", f"{GOOD}.{flags_group(2)}.{GOOD_2}", [ONE, TWO], flags=2)
reads("flags-united", "Flags of several groups are OR-ed.", f"{flags_group(1)}.{GOOD}.{flags_group(2)}", [ONE], flags=3)

# ---- first wins

later = entry(decided_min=29_925_700, variant_id=9)
reads("repeated-group", "A group twice is a group.", f"{GOOD}.{GOOD}", [ONE])
reads("repeated-20-times", "A group many times is a group.", ".".join([GOOD] * 20), [ONE])
reads("first-in-group-wins", "One flag twice in a group: the first holds.", group(ONE, entry(variant_id=9)), [ONE])
reads("first-group-wins", "One flag in two groups: the first holds, be it older.", f"{GOOD}.{group(later)}", [ONE])
reads(
    "first-group-wins-newer", "One flag in two groups: the first holds, be it newer.", f"{group(later)}.{GOOD}", [later]
)
reads(
    "first-wins-flag-by-flag",
    "What is new in a later group is taken beside what is not.",
    f"{GOOD}.{group(later, entry(decided_min=29_925_700, flag_id=5))}",
    [ONE, entry(decided_min=29_925_700, flag_id=5)],
)
for field in ("environment", "epoch", "fingerprint"):
    each = entry(**{field: 9, "variant_id": 9})
    reads(f"same-flag-other-{field}", "It is another decision.", f"{GOOD}.{group(each)}", [ONE, each])
reads(
    "members-united",
    "Two members are one: their values joined by a dot, the first first.",
    f"{GOOD}.{flags_group(1)}" + "." + f"{group(later)}.{GOOD_2}.{flags_group(2)}",
    [ONE, TWO],
    flags=3,
)
reads(
    "bad-copy-first",
    "A dropped group wins nothing.",
    f"{raw_group(decision(ONE), crc_xor=1)}.{GOOD}",
    [ONE],
    dropped=["checksum"],
)

# ---- encoding

for name, value, count in (
    ("dot", ".", 2),
    ("dots", "..", 3),
    ("200-dots", "." * 200, 201),
):
    reads(name, "An empty group is a bad one.", value, dropped=["encoding"] * count)
reads("dot-before", "An empty group is dropped, its neighbour is not.", f".{GOOD}", [ONE], dropped=["encoding"])
reads("dot-after", "An empty group is dropped, its neighbour is not.", f"{GOOD}.", [ONE], dropped=["encoding"])
reads(
    "two-dots",
    "An empty group is dropped, its neighbours are not.",
    f"{GOOD}..{GOOD_2}",
    [ONE, TWO],
    dropped=["encoding"],
)
for name, sign in {
    "padding": "=",
    "plus": "+",
    "slash": "/",
    "space": " ",
    "newline": "\n",
    "tab": "\t",
    "nul": "\0",
    "percent": "%",
    "comma": ",",
    "semicolon": ";",
    "tilde": "~",
    "e-acute": "é",
    "fullwidth-a": "\uff21",
    "emoji": "\U0001f6a9",
    "lone-surrogate": "\ud83d",
}.items():
    why = "A character outside the alphabet spoils its group, wherever it stands."
    reads(f"foreign-{name}-after", why, GOOD + sign, dropped=["encoding"])
    reads(f"foreign-{name}-inside", why, f"{GOOD[:9]}{sign}{GOOD[9:]}.{GOOD_2}", [TWO], dropped=["encoding"])
reads(
    "foreign-padded", "Padding is not part of the spelling.", GOOD + "=" * (-len(GOOD) % 4 or 4), dropped=["encoding"]
)
for name, signs in {"marks": "!!!!", "padding": "====", "line-ends": "\r\n\r\n", "spaces": "    "}.items():
    value = f"{GOOD[:8]}{signs}{GOOD[8:]}.{GOOD_2}"
    reads(f"foreign-four-{name}", "Nothing is skipped over.", value, [TWO], dropped=["encoding"])
tailed = {
    (2 * len(group(each)) % 3, len(group(each)) % 4): each
    for each in (entry(revision=1), entry(revision=200), entry(revision=20_000))
}
assert {length % 4 for _, length in tailed} == {0, 2, 3}
tailed_whole = next(each for (_, rest), each in tailed.items() if rest == 0)
for (_, rest), each in tailed.items():
    text = group(each)
    reads(
        f"tail-{rest}", "Groups end after any number of characters but one more than a multiple of four.", text, [each]
    )
    if rest:
        last = ALPHABET.index(text[-1])
        for bit in range(4 if rest == 2 else 2):
            spoiled = text[:-1] + ALPHABET[last | 1 << bit]
            reads(
                f"tail-{rest}-bit-{bit}",
                "Trailing bits that are not zero: a second spelling.",
                spoiled,
                dropped=["encoding"],
            )
reads("length-1", "One character is no byte.", "A", dropped=["encoding"])
reads("length-4n+1", "No bytes have this length.", "A" * 33, dropped=["encoding"])

# ---- length and checksum

for length in (1, 2, 3, 4):
    reads(f"bytes-{length}", "Shorter than a flags group.", base64url(b"\x01" * length), dropped=["length"])
for length in (2, 3, 14, 15, 16, 19, 20):
    why = "Longer than a flags group, shorter than one decision, be the checksum right or not."
    reads(f"bytes-{length + 4}-checked", why, checked(b"\x01" * length), dropped=["length"])
    reads(f"bytes-{length + 4}-unchecked", why, base64url(b"\x01" * (length + 4)), dropped=["length"])
for bit in (0, 1, 7, 8, 15, 16, 31):
    reads(
        f"crc-bit-{bit}", "One bit of the checksum.", raw_group(decision(ONE), crc_xor=1 << bit), dropped=["checksum"]
    )
body = head(ONE) + decision(ONE)
for name, crc in {
    "zero": bytes(4),
    "ones": b"\xff" * 4,
    "little-endian": octets(bits(crc_32(body), 32))[::-1],
    "inverted": octets(bits(crc_32(body) ^ 0xFFFFFFFF, 32)),
    "of-the-text": octets(bits(crc_32(base64url(body).encode()), 32)),
    "of-the-decisions": octets(bits(crc_32(decision(ONE)), 32)),
}.items():
    reads(
        f"crc-{name}",
        "The checksum is zlib's CRC-32 of all bytes before it, big-endian.",
        base64url(body + crc),
        dropped=["checksum"],
    )
reads(
    "crc-twice",
    "A checksum of the checksum is no checksum of the group.",
    base64url(body + octets(bits(crc_32(body), 32)) * 2),
    dropped=["checksum"],
)
for at in range(0, len(GOOD), 3):
    sign = ALPHABET[(ALPHABET.index(GOOD[at]) + 32) % 64]
    reads(
        f"changed-at-{at}",
        "A character changed anywhere costs its group.",
        f"{GOOD[:at]}{sign}{GOOD[at + 1 :]}.{GOOD_2}",
        [TWO],
        dropped=["checksum"],
    )
for at in (0, 1, 11, 24, 29):
    reads(
        f"four-cut-at-{at}",
        "Four characters gone cost their group.",
        f"{GOOD[:at]}{GOOD[at + 4 :]}.{GOOD_2}",
        [TWO],
        dropped=["length"],
    )
twelve = group(ONE, entry(flag_id=1), entry(flag_id=2))
for at in (0, 8, 20, len(twelve) - 4):
    reads(
        f"four-repeated-at-{at}",
        "Four characters twice cost their group.",
        f"{twelve[: at + 4]}{twelve[at:]}.{GOOD_2}",
        [TWO],
        dropped=["checksum"],
    )
reads("case-changed", "Case is part of it.", group(tailed_whole).swapcase() + f".{GOOD_2}", [TWO], dropped=["checksum"])
reads(
    "flags-crc",
    "A flags group is checked like any other.",
    f"{GOOD}.{base64url(bytes(1) + bytes(4))}",
    [ONE],
    dropped=["checksum"],
)
reads("8192-a", "Long nonsense is one bad group.", "A" * 8_192, dropped=["checksum"])
reads(
    "joined",
    "Two groups without their dot are one bad one.",
    GOOD[: len(GOOD) // 4 * 4] + GOOD_2,
    dropped=["checksum" if (len(GOOD) // 4 * 4 + len(GOOD_2)) % 4 != 1 else "encoding"],
)

# ---- decisions

reads("decision-none", "A group without a decision is none.", raw_group(b""), dropped=["length"])
for length in (1, 2, 3, 4, 5):
    why = "The decisions end exactly where the checksum begins; the group is dropped whole."
    reads(f"decision-cut-{length}", why, raw_group(decision(ONE) + decision(TWO)[:length]), dropped=["decision"])
for byte in (7, 8, 9, 16, 0x80, 0xFF):
    wrong = bytes([0, 0, 9, 1, byte, 41])
    why = "Origins above 6, and any of the bits 3 to 7, are unknown here; the group is dropped whole."
    reads(f"origin-{byte:02x}", why, raw_group(decision(ONE) + wrong), dropped=["decision"])
for name, encoded in {
    "80-00": b"\x80\x00",
    "ff-00": b"\xff\x00",
    "81-80-00": b"\x81\x80\x00",
    "8-bytes-last-zero": b"\xff" * 7 + b"\x00",
    "8-bytes-open": b"\xff" * 8,
    "9-bytes": b"\xff" * 8 + b"\x01",
    "9-bytes-zero": b"\x80" * 8 + b"\x00",
    "10-bytes": b"\xff" * 9 + b"\x01",
    "open-1": b"\x80",
    "open-2": b"\xff\xff",
    "open-7": b"\xff" * 7,
}.items():
    why = "A revision is in its shortest form, has 8 bytes at most, and ends before the checksum."
    reads(f"leb128-{name}", why, raw_group(decision(ONE) + bytes([0, 0, 9, 1, 0]) + encoded), dropped=["decision"])
reads(
    "bad-between",
    "A bad group takes nobody with it.",
    f"{GOOD}.{raw_group(bytes([0, 0, 9, 1, 7, 41]))}.{GOOD_2}",
    [ONE, TWO],
    dropped=["decision"],
)
reads(
    "all-faults",
    "Each bad group is counted by its first fault.",
    ".".join(["!", "AAAA", raw_group(decision(ONE), crc_xor=8), raw_group(b"\0\0\0\0\x07\0"), GOOD]),
    [ONE],
    dropped=["encoding", "length", "checksum", "decision"],
)
