"""The cases of wire.json that are written."""

from typing import Any

from tests.conformance.vectors.carry.wire_format import ONE, TWO, entry, member_within

HIGHEST = entry(
    environment=2**40 - 1,
    epoch=2**24 - 1,
    fingerprint=2**24 - 1,
    decided_min=2**32 - 1,
    flag_id=2**24 - 1,
    variant_id=255,
    origin="kill",
    revision=2**56 - 1,
)

WRITTEN: list[dict[str, Any]] = []


def writes(name: str, why: str, entries: list[dict[str, Any]], *, flags: int = 0, budget: int = 512) -> None:
    value, cut_count = member_within(entries, flags, budget)
    WRITTEN.append(
        {
            "id": name,
            "why": why,
            "entries": entries,
            "was_cut": bool(flags & 1),
            "is_replay": bool(flags & 2),
            "budget_bytes": budget,
            "value": value,
            "cut_count": cut_count,
        }
    )


writes("nothing", "Nothing to say: no member.", [])
writes("one", "One decision.", [ONE])
writes("three", "Decisions of one unit and minute share a group, in the order made.", [TWO, ONE, entry(flag_id=3)])
writes(
    "interleaved",
    "Groups stand in the order of their first decision.",
    [ONE, entry(fingerprint=1, flag_id=9), TWO, entry(fingerprint=1, flag_id=8)],
)
writes("replay-alone", "The replay mark travels without decisions.", [], flags=2)
writes("cut-alone", "So does the mark that some were dropped.", [], flags=1)
writes("marked", "The flags group stands last.", [ONE], flags=3)
edges = [entry(flag_id=at, revision=2**bits + at - 1) for bits in (7, 14, 21, 28, 35, 42, 49) for at in (0, 1, 2)]
writes("revision-edges", "A revision takes as few bytes as it can.", edges)
writes("highest-alone", "Every place filled.", [HIGHEST])
small = 2**28 - 1
for count in (39, 40, 41, 60, 200):
    made = [entry(flag_id=number, revision=small) for number in range(count)]
    writes(
        f"budget-{count}", "40 decisions with revisions below 2**28 fit 512 characters; of more, the oldest go.", made
    )
made = [entry(flag_id=number, decided_min=29_925_600 + number * 7 % 60, revision=5_000) for number in range(60)]
writes("budget-by-minute", "Oldest is the earliest minute, wherever it stands.", made)
made = [entry(flag_id=number, fingerprint=number % 3, decided_min=29_925_600 + number % 2) for number in range(70)]
writes("budget-by-order", "In one minute the one made first goes first.", made)
made = [entry(flag_id=number) for number in range(4)]
for budget in range(61):
    if budget in (0, 6, 7, 8, 33, 40, 41, 42, 49, 50, 51, 52, 57, 58, 59, 60):
        writes(f"budget-of-{budget}", "The flags group that says so counts as well.", made, budget=budget)
writes("budget-of-6-replay", "A budget that holds no flags group sends nothing.", [], flags=2, budget=6)
writes("budget-of-7-replay", "A flags group is 7 characters.", [], flags=2, budget=7)
writes(
    "budget-replay",
    "The replay mark stays when decisions go.",
    [entry(flag_id=number) for number in range(80)],
    flags=2,
)
