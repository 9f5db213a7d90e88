"""The cases of judge.json: one ask of one flag. What is expected is what `judging` says."""

from typing import Any

from tests.conformance.vectors.carry.judging import Asked, Json, leaving, leaving_value, ledger_of
from tests.conformance.vectors.carry.wire_format import fingerprint, member

DEFAULTS: Json = {
    "ruleset": {
        "environment": {"id": 0x0102030405, "key": "production", "salt": "salt"},
        "epoch": 5,
        "revision": 60,
    },
    "flag": {
        "key": "checkout",
        "id": 77,
        "type": "string",
        "unit": "user",
        "revision": 41,
        "void_before": 0,
        "carry": True,
        "off": "off",
        "variants": [
            {"key": "on", "id": 1, "value": "1"},
            {"key": "off", "id": 2, "value": "2"},
            {"key": "local", "id": 3, "value": "3"},
        ],
        "fallthrough": {"variant": "local"},
    },
    "entry": {
        "environment": 0x0102030405,
        "epoch": 5,
        "flag_id": 77,
        "variant_id": 1,
        "origin": "split",
        "revision": 41,
        "decided_min": 29_925_600,
        "unit_kind": "user",
    },
    "ask": {"unit": "7", "now_min": 30_000_000},
}
NOW_MIN: int = DEFAULTS["ask"]["now_min"]
ALL_ON = {
    "fallthrough": {
        "split": {"algo": "m3-cbor", "salt": "s", "phase": 1, "ranges": [["on", 0, 100_000]], "rest": "off"}
    }
}
HALF_ON = {
    "fallthrough": {
        "split": {"algo": "m3-cbor", "salt": "s", "phase": 1, "ranges": [["on", 0, 50_000]], "rest": "local"}
    }
}

JUDGED: list[Json] = []


def a(**changes: Any) -> Json:
    """An entry, as what differs from the default one."""
    return {"unit": "7", **changes}


def entry_from(said: Json) -> Json:
    """The entry that is meant: all its fields, the unit as its fingerprint."""
    entry = DEFAULTS["entry"] | said
    salt = DEFAULTS["ruleset"]["environment"]["salt"]
    number = fingerprint(salt, entry.pop("unit_kind"), entry.pop("unit"))
    return {**entry, "fingerprint": number, "revision": str(entry["revision"])}


def said_of(entry: Json, units: dict[int, Json]) -> Json:
    """An entry as what differs from the default one, its unit by name."""
    whole = entry | {"revision": int(entry["revision"])}
    different = {key: value for key, value in whole.items() if DEFAULTS["entry"].get(key) != value}
    return {**units[different.pop("fingerprint")], **different}


def ruleset_from(changes: Json, *flags: Json, kills: Json) -> Json:
    return {**DEFAULTS["ruleset"], **changes, "flags": {flag["key"]: flag for flag in flags}, "kills": kills}


def expected(decision: Json, ledger: Json) -> Json:
    is_entered = any(each is decision for each in ledger["made"])
    return {key: decision[key] for key in ("variant", "reason", "origin", "revision")} | {"entered": is_entered}


def asks(
    name: str,
    why: str,
    *arrived: Json,
    flag: Json | None = None,
    kills: Json | None = None,
    ruleset: Json | None = None,
    **ask: Any,
) -> None:
    given = {"flag": flag, "kills": kills, "ruleset": ruleset, "ask": ask}
    whole = DEFAULTS["ask"] | ask
    known: list[Json] = [{key: each[key] for key in ("unit", "unit_kind") if key in each} for each in (whole, *arrived)]
    units = {entry_from(each)["fingerprint"]: each for each in known if each["unit"] is not None}
    entries = [entry_from(each) for each in arrived]
    ledger = ledger_of(entries)
    asked = Asked(
        ruleset_from(ruleset or {}, DEFAULTS["flag"] | (flag or {}), kills=kills or {}),
        ledger,
        {"flag": "checkout", "unit": whole["unit"], "now_s": whole["now_min"] * 60},
    )
    expect = expected(asked.decision(), ledger)
    JUDGED.append(
        {"id": name, "why": why}
        | {key: value for key, value in given.items() if value}
        | {"arrived": list(arrived), "arrived_value": member(entries, 0)}
        | {"expect": expect, "notes": sorted(asked.notes)}
        | {"leaves": [said_of(each, units) for each in leaving(ledger)], "leaves_value": leaving_value(ledger)}
    )


# ---- what arrived holds or does not

asks("nothing-arrived", "Decided here.")
asks("carried", "Same environment, epoch and unit, not below the floor, variant known: it holds.", a())
asks("carried-origin-split", "However it was made.", a(origin="split"))
asks("carried-origin-rest", "However it was made.", a(origin="rest"))
asks("carried-origin-rule", "However it was made.", a(origin="rule"))
asks("carried-origin-fallthrough", "However it was made.", a(origin="fallthrough"))
asks("carried-origin-off", "However it was made.", a(origin="off"))
asks("carried-override", "An override that arrived says so.", a(origin="override"))
asks("carried-kill", "A kill that arrived outruns the stream.", a(variant_id=2, origin="kill", revision=60))
asks("carried-kill-ahead", "So does one that is newer than this ruleset.", a(variant_id=2, origin="kill", revision=61))
asks("at-the-floor", "A revision equal to the floor is not below it.", a(), flag={"void_before": 41})
asks("below-the-floor", "Void: decided anew, and that replaces it.", a(), flag={"void_before": 42, "revision": 42})
asks(
    "floor-above-the-record",
    "A fresh decision is never void: its revision is at least the floor.",
    a(),
    flag={"void_before": 50},
)
asks(
    "kill-below-the-floor",
    "A kill before an unkill is void as well.",
    a(variant_id=2, origin="kill", revision=50),
    flag={"void_before": 55, "revision": 55},
)
asks(
    "override-below-the-floor",
    "So is an override.",
    a(origin="override", revision=50),
    flag={"void_before": 55, "revision": 55},
)
asks("as-new-as-the-ruleset", "Equal is not ahead.", a(revision=60))
asks("ahead", "Newer than this ruleset: trusted, and reported.", a(revision=61))
asks(
    "unknown-variant-ahead",
    "Newer, and its variant is not here yet: answered here, not entered, forwarded.",
    a(revision=61, variant_id=9),
)
asks(
    "unknown-variant-kill-ahead",
    "A kill with an unknown variant serves the off variant that is known.",
    a(revision=61, variant_id=9, origin="kill"),
)
asks(
    "deleted-variant",
    "Not newer, and its variant is not here: it was deleted. Decided anew, which replaces it.",
    a(revision=60, variant_id=9),
    flag={"revision": 60},
)
asks("older-epoch", "Another epoch decides nothing and is forwarded.", a(epoch=4, revision=59))
asks("newer-epoch", "A newer one neither; it says that a restore was missed.", a(epoch=6, revision=2))
asks(
    "newer-epoch-kill",
    "A kill of another epoch decides nothing as an entry; as an event it would.",
    a(epoch=6, revision=2, variant_id=2, origin="kill"),
)
asks("two-epochs", "The entry of this epoch holds beside one of another.", a(epoch=6, revision=2, variant_id=3), a())
asks("other-environment", "Forwarded, never applied; nobody here can judge it.", a(environment=9))
asks("other-flag", "Forwarded.", a(flag_id=78))
asks("other-unit", "Another unit's decision is its own.", a(unit="8"))
asks("other-unit-kind", "`account` 7 is not `user` 7.", a(unit_kind="account"))
asks("several-units", "Each unit finds its own.", a(unit="8"), a(variant_id=3), a(unit="9"))
asks("other-unit-ahead", "It says that this ruleset is behind, whoever it is about.", a(unit="8", revision=70))
asks(
    "other-unit-kill",
    "A kill is carried for its unit; the flag's is the replica's to know.",
    a(unit="8", origin="kill", variant_id=2),
)
asks("no-unit", "An ask without a unit takes nobody's decision, holds here and goes no further.", a(), unit=None)
asks("killed-here", "Killed is above carried.", a(), flag={"killed": True, "void_before": 50, "revision": 50})
asks(
    "killed-here-nothing-arrived",
    "A kill is a decision and leaves.",
    flag={"killed": True, "void_before": 50, "revision": 50},
)
asks(
    "killed-by-overlay",
    "The overlay kills before the ruleset says so, and its revision is the floor.",
    a(),
    kills={"77": 61},
)
asks(
    "killed-here-carried-newer",
    "Killed here is above what is newer than here; that is reported, and leaves behind the kill.",
    a(revision=61),
    flag={"killed": True, "void_before": 50, "revision": 50},
)
asks("killed-without-a-floor", "A kill that raised no floor is still above carried.", a(), flag={"killed": True})
asks(
    "unkilled",
    "Neither what was before the kill nor the kill is revived.",
    a(),
    flag={"void_before": 55, "revision": 55},
)
asks(
    "disabled-here-carried", "A flag that is off here still answers what was decided upstream.", a(), flag={"on": False}
)
asks("disabled-here", "Decided here as off.", flag={"on": False})
asks(
    "not-carried-here", "A flag that does not carry applies what arrived, and forwards it.", a(), flag={"carry": False}
)
asks("not-carried-nothing-arrived", "Its own decision stays here.", flag={"carry": False})
asks(
    "not-carried-void", "A void entry of such a flag leaves as it came.", a(), flag={"carry": False, "void_before": 50}
)
asks("error-not-entered", "An ERROR never enters, and what arrived is forwarded.", a(), flag=ALL_ON, unit=None)
asks("carried-over-a-split", "Carried is above local.", a(variant_id=3), flag=ALL_ON)
asks(
    "carried-for-a-flag-that-cannot-be-used",
    "What was decided upstream needs no rule here.",
    a(),
    flag={"rules": [{"id": "r1", "clauses": [{"op": "unknown", "name": "tide"}], "serve": {"variant": "off"}}]},
)
asks(
    "as-new-as-the-ruleset-beside-others",
    "Equal is not ahead, whatever else arrived.",
    a(unit="8", revision=60),
    a(revision=60),
    a(epoch=4, revision=90),
)
asks(
    "killed-floor-above-the-record",
    "A kill's decision is not void either.",
    a(),
    flag={"killed": True, "void_before": 50},
)

# ---- what is decided here

for number in (1, 2, 3, 4):
    asks(f"split-of-{number}", "A unit's bucket decides, inside or outside coverage.", flag=HALF_ON, unit=str(number))
asks(
    "split-carries-for-another-unit", "And each unit takes its own.", a(unit="8", variant_id=2), flag=HALF_ON, unit="1"
)

# ---- several entries about one unit

WHY = "Of several valid entries about one unit the one of the lowest revision holds."
asks("candidates-lowest-holds", WHY, a(variant_id=1), a(variant_id=2, revision=50))
asks("candidates-three", WHY, a(variant_id=3), a(revision=50), a(variant_id=2, revision=60))
asks("candidates-agree", "Two that say the same are no conflict.", a(), a(revision=50))
WHY = "What is void is passed over, what is left holds."
asks("candidates-lowest-void", WHY, a(variant_id=2), a(revision=50), flag={"void_before": 50, "revision": 50})
asks("candidates-all-void", WHY, a(), a(revision=50), flag={"void_before": 55, "revision": 55})
asks(
    "candidates-lowest-void-two-left", WHY, a(), a(revision=50), a(variant_id=2, revision=55), flag={"void_before": 45}
)
WHY = "A kill holds before any other, wherever it stands."
asks("candidates-kill-highest", WHY, a(), a(variant_id=2, revision=50, origin="kill"))
asks("candidates-kill-lowest", WHY, a(variant_id=2, origin="kill"), a(revision=50))
asks("candidates-kill-beside-its-revision", WHY, a(), a(variant_id=2, origin="kill"))
asks(
    "candidates-kill-void",
    "But not where it is void itself.",
    a(variant_id=2, origin="kill"),
    a(revision=50),
    flag={"void_before": 50},
)
asks(
    "candidates-two-kills",
    "Of two kills the lower.",
    a(variant_id=2, revision=50, origin="kill"),
    a(variant_id=3, revision=55, origin="kill"),
)
asks(
    "candidates-one-ahead",
    "That one is newer than this ruleset is reported, whichever holds.",
    a(),
    a(variant_id=2, revision=61),
)
asks("candidates-lowest-deleted", "A variant that is gone is passed over.", a(variant_id=9), a(revision=50))
asks(
    "candidates-highest-unknown",
    "A variant that is not here yet does not matter while a lower one holds.",
    a(),
    a(variant_id=9, revision=61),
)
asks(
    "candidates-lowest-void-next-unknown",
    "If it is the first that holds, it is answered here and forwarded.",
    a(),
    a(variant_id=9, revision=61),
    flag={"void_before": 50},
)
asks(
    "candidates-unknown-then-known",
    "What holds here counts before what is not known here.",
    a(variant_id=9, revision=61),
    a(revision=62),
)
asks(
    "candidates-unknown-kill",
    "But a kill before all others, its variant known or not.",
    a(),
    a(variant_id=9, revision=61, origin="kill"),
)
asks(
    "candidates-unknown-kill-and-kill",
    "Of two kills the one whose variant is known.",
    a(variant_id=9, revision=61, origin="kill"),
    a(variant_id=2, revision=62, origin="kill"),
)
asks(
    "candidates-override-and-split",
    "An override is an entry like any other.",
    a(),
    a(variant_id=2, revision=50, origin="override"),
)
asks(
    "candidates-of-another-unit",
    "Another unit's are its own.",
    a(unit="8"),
    a(unit="8", revision=50, variant_id=2),
    a(variant_id=3, revision=55),
)
asks("candidates-of-another-epoch", "Another epoch's are no rivals.", a(epoch=4, revision=20, variant_id=2), a())
asks("candidates-killed-here", "Killed here is above all of them.", a(), a(revision=55), kills={"77": 61})
asks(
    "candidates-above-what-is-made",
    "What is newer than the decision that replaces the others is forwarded behind it.",
    a(),
    a(variant_id=2, revision=70),
    flag={"killed": True, "void_before": 50, "revision": 50},
)

# ---- age

LIMIT = {"carry_max_age_s": 3_600}
WHY = "An author may limit how old a decision is applied; the age counts from the beginning of its minute."
for age in (0, 59, 60):
    asks(f"age-{age}", WHY, a(decided_min=NOW_MIN - age), flag=LIMIT)
for age in (61, 600, 500_000):
    asks(f"age-{age}", "Older: decided anew.", a(decided_min=NOW_MIN - age), flag=LIMIT)
asks("age-in-seconds", "The limit is in seconds.", a(decided_min=NOW_MIN - 2), flag={"carry_max_age_s": 119})
asks("age-in-seconds-reached", "At the limit it holds.", a(decided_min=NOW_MIN - 2), flag={"carry_max_age_s": 120})
for ahead in (1, 5):
    asks(
        f"age-{ahead}-ahead",
        "Clocks differ: up to five minutes ahead count as now.",
        a(decided_min=NOW_MIN + ahead),
        flag=LIMIT,
    )
for ahead in (6, 5_000):
    asks(f"age-{ahead}-ahead", "More is not applied, and counted.", a(decided_min=NOW_MIN + ahead), flag=LIMIT)
asks("age-unlimited", "Without a limit any age is good.", a(decided_min=0))
asks("age-unlimited-ahead", "And any clock.", a(decided_min=NOW_MIN + 100_000))
asks(
    "age-of-a-kill",
    "A kill has no age: it holds until the floor rises above it.",
    a(decided_min=0, variant_id=2, origin="kill"),
    flag=LIMIT,
)
asks("age-of-an-override", "An override has.", a(decided_min=0, origin="override"), flag=LIMIT)
asks(
    "age-of-one-candidate",
    "What is too old is passed over.",
    a(decided_min=0, variant_id=2),
    a(decided_min=NOW_MIN, revision=50),
    flag=LIMIT,
)
asks("age-of-one-void", "Void is said before too old.", a(decided_min=0), flag={**LIMIT, "void_before": 50})
asks("age-of-another-unit", "Another unit's entry is not looked at.", a(unit="8", decided_min=0), flag=LIMIT)
asks(
    "age-ahead-of-the-ruleset",
    "Too old and ahead: not applied, and reported.",
    a(decided_min=0, revision=61),
    flag=LIMIT,
)

# ---- floors by overlay

asks(
    "overlay-below-the-entry",
    "A decision made after the overlay's kill still is one of a killed flag.",
    a(revision=61),
    kills={"77": 61},
)
asks("overlay-of-another-flag", "An overlay is its flag's alone.", a(), kills={"78": 61})
asks(
    "overlay-below-the-floor",
    "The floor is the greater of both.",
    a(revision=62),
    flag={"void_before": 65, "revision": 65},
    kills={"77": 61},
    ruleset={"revision": 60},
)
