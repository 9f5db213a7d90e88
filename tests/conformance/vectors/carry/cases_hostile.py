"""More cases of wire.json that are read: candidates, and damage done by machine, answered by the second decoder."""

from typing import Any

from tests.conformance.vectors.carry.cases_read import GOOD, GOOD_2, case, raw_group
from tests.conformance.vectors.carry.wire_format import (
    ALPHABET,
    ONE,
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

HOSTILE: list[dict[str, Any]] = []


def reads(name: str, why: str, value: str, *said: Any, **also_said: Any) -> None:
    HOSTILE.append(case(name, why, value, *said, **also_said))


def answered(name: str, why: str, value: str) -> list[dict[str, Any]]:
    """A case that the second decoder answers."""
    said = read(value)
    HOSTILE.append({"id": name, "why": why, "value": value, **said})
    entries: list[dict[str, Any]] = said["entries"]
    return entries


def damaged(name: str, why: str, value: str) -> None:
    """One that has no entry which the undamaged value had not."""
    assert all(each in INTACT for each in answered(name, why, value)), name


# ---- candidates: one place, several revisions

LOW, MIDDLE, HIGH = (entry(revision=number, variant_id=at) for at, number in enumerate((41, 50, 60), 1))
LATER = entry(revision=60, variant_id=3, decided_min=29_925_700)
WHY = "Several revisions of one environment, epoch, unit and flag are all kept, in ascending revision."
reads("candidates-ascending", WHY, group(LOW, HIGH), [LOW, HIGH])
reads("candidates-descending", WHY, group(HIGH, LOW), [LOW, HIGH])
reads("candidates-three", WHY, group(MIDDLE, HIGH, LOW), [LOW, MIDDLE, HIGH])
reads("candidates-in-two-groups", WHY, f"{group(LATER)}.{group(LOW)}", [LOW, LATER])
reads("candidates-in-two-members", WHY, f"{group(LATER)}.{flags_group(1)}.{group(LOW)}", [LOW, LATER], flags=1)
reads(
    "candidates-one-revision-twice",
    "Of one revision the first holds, whatever stands around it.",
    group(HIGH, LOW, entry(revision=60, variant_id=9), entry(revision=41, variant_id=9)),
    [LOW, HIGH],
)
reads(
    "candidates-one-revision-twice-in-groups",
    "Of one revision the first holds, also where another group says when.",
    f"{group(HIGH)}.{group(LATER)}.{group(LOW)}",
    [LOW, HIGH],
)
KILL = entry(revision=70, variant_id=2, origin="kill")
WHY_KILL = "A kill is kept like any other; it is preferred when judged."
reads("candidates-with-a-kill", WHY_KILL, group(KILL, LOW), [LOW, KILL])
SAME = entry(revision=41, variant_id=2, origin="kill")
WHY_BOTH = "Of one revision the first is kept, and a kill beside it."
reads("candidates-kill-beside-its-revision", WHY_BOTH, group(LOW, SAME), [LOW, SAME])
reads("candidates-kill-before-its-revision", "A kill that stands first is enough.", group(SAME, LOW), [SAME])
two_kills = group(LOW, SAME, entry(revision=41, variant_id=9, origin="kill"))
reads("candidates-two-kills-of-a-revision", "Of two kills of one revision the first is kept.", two_kills, [LOW, SAME])
for field in ("environment", "epoch", "fingerprint"):
    other = entry(**{field: 9, "revision": 7})
    reads(
        f"candidates-beside-another-{field}",
        "Another place keeps its own.",
        f"{group(HIGH, LOW)}.{group(other)}",
        [LOW, HIGH, other],
    )
reads(
    "candidates-20",
    "There is no bound but the value's length.",
    group(*(entry(revision=number) for number in range(20, 0, -1))),
    [entry(revision=number) for number in range(1, 21)],
)
FAR_APART = [entry(revision=number) for number in (3, 128, 2**56 - 1)]
reads("candidates-far-apart", "Revisions are compared as numbers.", group(*reversed(FAR_APART)), FAR_APART)

# ---- damage

WHOLE_ENTRIES = [ONE, entry(flag_id=3, revision=300), entry(fingerprint=9, flag_id=4, origin="off"), entry(epoch=9)]
WHOLE = member(WHOLE_ENTRIES, 1)
INTACT: list[dict[str, Any]] = [*WHOLE_ENTRIES, *read(f"{GOOD}.{GOOD_2}")["entries"]]

for at in range(1, len(WHOLE), 7):
    damaged(f"cut-after-{at}", "A value that ends early: whole groups, or nothing of them.", WHOLE[:at])
for at in range(1, len(WHOLE), 11):
    damaged(f"cut-before-{at}", "A value that begins late: whole groups, or nothing of them.", WHOLE[at:])
for at in range(0, len(WHOLE), 9):
    damaged(f"doubled-at-{at}", "A character that came twice costs its group.", WHOLE[: at + 1] + WHOLE[at:])
for at in range(2, len(WHOLE), 13):
    swapped = WHOLE[:at] + WHOLE[at + 1] + WHOLE[at] + WHOLE[at + 2 :]
    damaged(f"swapped-at-{at}", "Two neighbours that changed places.", swapped)
for at in range(4, len(WHOLE), 17):
    damaged(f"dot-at-{at}", "A dot within a group makes two bad ones.", f"{WHOLE[:at]}.{WHOLE[at:]}")

BODY = head(ONE) + decision(ONE)
RAW = BODY + octets(bits(crc_32(BODY), 32))
for bit in range(0, len(RAW) * 8, 9):
    flipped = bytes(byte ^ (0x80 >> bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(RAW))
    damaged(f"bit-{bit}-flipped", "CRC-32 finds each single bit.", f"{base64url(flipped)}.{GOOD_2}")
for count in (2, 8, 17, 31):
    burst = (int.from_bytes(RAW, "big") ^ (2**count - 1) << 40).to_bytes(len(RAW), "big")
    damaged(f"burst-of-{count}", "CRC-32 finds each burst of up to 32 bits.", base64url(burst))

# ---- made on purpose: the checksum is right

for zeros in (1, 2, 5, 21):
    before, after = checked(bytes(zeros) + BODY), raw_group(decision(ONE) + bytes(zeros))
    answered(f"zeros-before-{zeros}", "Everything moves, and the checksum is right: it is what it says.", before)
    answered(f"zeros-after-{zeros}", "More bytes after a decision are a decision, or spoil the group.", after)
reads("zero-group", "A group of zeros has the wrong checksum.", base64url(bytes(25)), dropped=["checksum"])
reads("zero-flags-group", "So has a flags group of zeros.", base64url(bytes(5)), dropped=["checksum"])
for field, byte in (("variant", 3), ("origin", 4)):
    raw = bytearray(decision(ONE))
    raw[byte] = 0xFF
    answered(f"{field}-of-ff", "All variants are possible, not all origins.", raw_group(bytes(raw)))
marks = ".".join(flags_group(byte) for byte in (0, 1, 2, 0))
reads("flags-four-times", "Flags groups add up.", marks, flags=3)
bad_marks = f"{base64url(bytes([2]) + bytes(4))}.{flags_group(1)}"
reads("flags-bad-beside-good", "A bad flags group sets nothing.", bad_marks, flags=1, dropped=["checksum"])
respelled = flags_group(1)[:-1] + ALPHABET[ALPHABET.index(flags_group(1)[-1]) | 1]
reads("flags-respelled", "A flags group has one spelling, too.", respelled, dropped=["encoding"])
many = [entry(flag_id=number, revision=number) for number in range(300)]
reads("decisions-300", "There is no bound on decisions but the length that baggage has.", group(*many), many)
units = [entry(fingerprint=number) for number in range(60)]
reads("groups-60", "There is no bound on groups either.", ".".join(group(each) for each in units), units)
reads("bad-groups-400", "Each bad group is counted.", ".".join(["AAAA"] * 400), dropped=["length"] * 400)
