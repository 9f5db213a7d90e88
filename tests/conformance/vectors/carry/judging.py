"""A second implementation of judging, to write vectors with: docs/reference/carrying.md in the plainest Python.

A ruleset, a flag, an entry are the JSON that they are; a ledger is a dict with the lists `arrived`, `made` and
`returned`. Nothing is compiled, remembered or shared, every ask looks at everything again. It imports nothing of
pennon.
"""

from collections.abc import Iterator
from typing import Any

from tests.conformance.vectors.carry.wire_format import cbor_text, fingerprint, member_within, murmur3_32

Json = dict[str, Any]


def ledger_of(arrived: list[Json], *, is_public: bool = False, was_cut: bool = False) -> Json:
    """A request's ledger. is_public: it came through a public boundary with an override token."""
    return {"arrived": list(arrived), "made": [], "returned": [], "is_public": is_public, "was_cut": was_cut}


# ---- what a flag answers by itself


def effective_floor(ruleset: Json, flag: Json) -> int:
    """The greatest of void floor and overlay over the flag and all it needs."""
    needed = [ruleset["flags"][key] for key in prerequisites_of(ruleset, flag)]
    floors: list[int] = [max(each["void_before"], _overlay(ruleset, each)) for each in [flag, *needed]]
    return max(floors)


def prerequisites_of(ruleset: Json, flag: Json) -> list[str]:
    """Keys of the flags that it needs, transitively, of those that exist."""
    found: list[str] = []
    ahead = [each["flag"] for each in flag.get("prerequisites", [])]
    while ahead:
        key = ahead.pop(0)
        if key not in found and key in ruleset["flags"]:
            found.append(key)
            ahead += [each["flag"] for each in ruleset["flags"][key].get("prerequisites", [])]
    return found


def _overlay(ruleset: Json, flag: Json) -> int:
    revision: int = ruleset["kills"].get(str(flag["id"]), 0)
    return revision


def is_killed(ruleset: Json, flag: Json) -> bool:
    return bool(flag.get("killed")) or _overlay(ruleset, flag) > 0


class Asked:
    """One ask: a ruleset, the request's ledger, who is asked about, when, and what is to be counted."""

    def __init__(self, ruleset: Json, ledger: Json, ask: Json) -> None:
        self.ruleset, self.ledger = ruleset, ledger
        self.flag: Json = ruleset["flags"][ask["flag"]]
        self.unit, self.now_s = ask["unit"], ask["now_s"]
        self.units, self.attributes = ask.get("units", {}), ask.get("attributes", {})
        self.override = ask.get("override")
        self.notes: set[str] = set()

    # ---- the order of an ask

    def decision(self) -> Json:
        self.notes |= set(self.void_made())
        entry = self.valid_entry(self.flag, self.unit)
        if is_killed(self.ruleset, self.flag):
            return self.settle(self.local())
        if entry is not None and entry["origin"] == "kill":
            return self.carried(entry)
        made = self.made(self.flag, self.unit)
        if self.override in [each["key"] for each in self.flag["variants"]]:
            if made is not None and made["origin"] == "override" and made["variant"] == self.override:
                return made
            if made is not None:
                self.notes.add("override_began")
            return self.settle(self.answer(self.flag, str(self.override), "OVERRIDE", "override"))
        if made is not None and not (self.ledger["is_public"] and made["origin"] == "override"):
            return made
        if made is not None:
            self.notes.add("override_ended")
            self.ledger["made"].remove(made)
        return self.enter(self.local()) if entry is None else self.carried(entry)

    def void_made(self) -> Iterator[str]:
        """What was decided here before the floor rose or the numbering began anew is found no more."""
        floor = effective_floor(self.ruleset, self.flag)
        for made in self.ledger["made"]:
            about = (made["environment"]["id"], made["flag_id"], made["unit_kind"], made["unit"])
            if about == (self.ruleset["environment"]["id"], self.flag["id"], self.flag["unit"], self.unit):
                if made["epoch"] != self.ruleset["epoch"]:
                    yield "other_epoch"
                elif made["floor"] < floor:
                    yield "void"

    def made(self, flag: Json, unit: str | None) -> Json | None:
        floor = effective_floor(self.ruleset, flag)
        place = (self.ruleset["environment"]["id"], self.ruleset["epoch"], flag["id"], flag["unit"], unit, floor)
        return next((each for each in self.ledger["made"] if place == _place_made(each)), None)

    def enter(self, decision: Json) -> Json:
        """The first decision of a place stands; an error never enters."""
        if decision["reason"] == "ERROR":
            return decision
        first = next((each for each in self.ledger["made"] if _place_made(each) == _place_made(decision)), None)
        if first is None:
            self.ledger["made"].append(decision)
        return first or decision

    def settle(self, decision: Json) -> Json:
        """Kill and override stand above what was made, at the same floor as well."""
        held = self.enter(decision)
        if (held["origin"], held["variant"]) == (decision["origin"], decision["variant"]):
            return held
        self.ledger["made"].remove(held)
        return self.enter(decision)

    # ---- what arrived

    def valid_entry(self, flag: Json, unit: str | None) -> Json | None:
        """The entry that holds: the first valid one, a kill before any other."""
        environment = self.ruleset["environment"]
        about = [
            each
            for each in self.ledger["arrived"]
            if (each["environment"], each["flag_id"]) == (environment["id"], flag["id"])
        ]
        own = None if unit is None else fingerprint(environment["salt"], flag["unit"], unit)
        faults = [(each, self.fault(flag, own, each)) for each in about]
        of_this_epoch = [each for each in about if each["epoch"] == self.ruleset["epoch"]]
        self.notes |= {fault for _, fault in faults if fault not in {None, "fingerprint"}}
        if of_this_epoch and all(each["fingerprint"] != own for each in of_this_epoch):
            self.notes.add("fingerprint")
        if any(int(each["revision"]) > self.ruleset["revision"] for each in of_this_epoch):
            self.notes.add("ahead")
        valid = _kills_first([each for each, fault in faults if fault is None])
        unknown = _kills_first([each for each, fault in faults if fault == "unknown_variant"])
        if (
            valid
            and valid[0]["origin"] != "kill"
            and any(valid[0]["variant_id"] != each["variant_id"] for each in valid)
        ):
            self.notes.add("conflict")
        return next(iter(_kills_first([*valid[:1], *unknown[:1]], by_revision=False)), None)

    def fault(self, flag: Json, own: int | None, entry: Json) -> str | None:
        """Why an entry does not hold, by the first rule that it breaks."""
        revision, age_s = int(entry["revision"]), self.now_s - entry["decided_min"] * 60
        longest_s = None if entry["origin"] == "kill" else flag.get("carry_max_age_s")
        if entry["epoch"] != self.ruleset["epoch"]:
            return "newer_epoch" if entry["epoch"] > self.ruleset["epoch"] else "other_epoch"
        if entry["fingerprint"] != own:
            return "fingerprint"
        if revision < effective_floor(self.ruleset, flag):
            return "void"
        if longest_s is not None and age_s < -300:
            return "skew"
        if longest_s is not None and age_s > longest_s:
            return "too_old"
        if _variant(flag, entry["variant_id"]) is None:
            return "unknown_variant" if revision > self.ruleset["revision"] else "deleted_variant"
        return None

    def carried(self, entry: Json) -> Json:
        """The decision that an entry is; one whose variant nobody here knows is not entered, so that it leaves."""
        variant = _variant(self.flag, entry["variant_id"])
        if variant is None and entry["origin"] == "kill":
            decision = self.answer(self.flag, self.flag["off"], "KILLED", "kill")
            return {**decision, "revision": int(entry["revision"])}
        if variant is None:
            return self.local()
        reason = {"kill": "KILLED", "override": "OVERRIDE"}.get(entry["origin"], "CARRIED")
        decision = self.answer(self.flag, variant["key"], reason, entry["origin"])
        decision |= {"revision": int(entry["revision"]), "decided_s": entry["decided_min"] * 60}
        return self.settle(decision) if entry["origin"] == "kill" else self.enter(decision)

    # ---- what is decided here

    def local(self) -> Json:
        return self.evaluated(self.flag, self.unit)

    def evaluated(self, flag: Json, unit: str | None) -> Json:
        if is_killed(self.ruleset, flag):
            return self.answer(flag, flag["off"], "KILLED", "kill")
        if not flag.get("on", True) or not all(map(self.is_satisfied, flag.get("prerequisites", []))):
            return self.answer(flag, flag["off"], "DISABLED", "off")
        for rule in flag.get("rules", []):
            if any(clause["op"] == "unknown" for clause in rule["clauses"]):
                return self.answer(flag, None, "ERROR", None)
        for rule in flag.get("rules", []):
            if all(self.attributes.get(clause["attribute"]) == clause["value"] for clause in rule["clauses"]):
                return self.answer(flag, rule["serve"]["variant"], "TARGETING_MATCH", "rule")
        if "variant" in flag["fallthrough"]:
            hangs = flag.get("rules") or flag.get("prerequisites")
            return self.answer(flag, flag["fallthrough"]["variant"], "DEFAULT" if hangs else "STATIC", "fallthrough")
        return self.divided(flag, flag["fallthrough"]["split"], unit)

    def divided(self, flag: Json, split: Json, unit: str | None) -> Json:
        if unit is None:
            return self.answer(flag, None, "ERROR", None)
        bucket = murmur3_32(cbor_text(f"{split['salt']}:{unit}")) * 100_000 >> 32
        for variant, begin, end in split["ranges"]:
            if begin <= bucket < end:
                return self.answer(flag, variant, "SPLIT", "split")
        return self.answer(flag, split["rest"], "SPLIT", "rest")

    def is_satisfied(self, prerequisite: Json) -> bool:
        """What the ledger holds about the needed flag counts before what it would answer now, unless it is killed."""
        needed = self.ruleset["flags"].get(prerequisite["flag"])
        if needed is None:
            return False
        unit = self.unit if needed["unit"] == self.flag["unit"] else self.units.get(needed["unit"])
        variant = None
        if not is_killed(self.ruleset, needed):
            made = self.made(needed, unit)
            # An override sets its own flag alone.
            if made is not None and made["origin"] == "override":
                made = None
            entry = None if made else self.valid_entry(needed, unit)
            if made is not None:
                variant = made["variant"]
            elif entry is not None and entry["origin"] != "override":
                known = _variant(needed, entry["variant_id"])
                off = needed["off"] if entry["origin"] == "kill" else None
                variant = off if known is None else known["key"]
        if variant is None:
            variant = self.evaluated(needed, unit)["variant"]
        return variant in prerequisite["variants"]

    def answer(self, flag: Json, variant: str | None, reason: str, origin: str | None) -> Json:
        """A decision made now; its revision is at least the floor, so that it is not void."""
        ids = [each["id"] for each in flag["variants"] if each["key"] == variant]
        floor = effective_floor(self.ruleset, flag)
        return {
            "environment": self.ruleset["environment"],
            "epoch": self.ruleset["epoch"],
            "flag_id": flag["id"],
            "unit_kind": flag["unit"],
            "unit": self.unit,
            "floor": floor,
            "carry": flag["carry"],
            "variant": variant,
            "variant_id": ids[0] if ids else None,
            "reason": reason,
            "origin": origin,
            "revision": max(flag["revision"], floor),
            "decided_s": self.now_s,
        }


def _kills_first(entries: list[Json], *, by_revision: bool = True) -> list[Json]:
    ordered = sorted(entries, key=lambda each: int(each["revision"])) if by_revision else entries
    return sorted(ordered, key=lambda each: each["origin"] != "kill")


def _variant(flag: Json, variant_id: int) -> Json | None:
    return next((each for each in flag["variants"] if each["id"] == variant_id), None)


def _place_made(made: Json) -> tuple[Any, ...]:
    return made["environment"]["id"], made["epoch"], made["flag_id"], made["unit_kind"], made["unit"], made["floor"]


# ---- what leaves


def place_of(entry: Json) -> tuple[int, int, int, int]:
    return entry["environment"], entry["epoch"], entry["fingerprint"], entry["flag_id"]


def leaving(ledger: Json) -> list[Json]:
    """What arrived and was not replaced, flag by flag; then each unit's latest decision here, in the order made."""
    latest: dict[tuple[Any, ...], Json] = {}
    for made in ledger["made"]:
        about = (made["environment"]["id"], made["flag_id"], made["unit_kind"], made["unit"])
        latest.pop(about, None)
        latest[about] = made
    own = [_entry(made) for made in latest.values() if made["carry"] and made["unit"] is not None]
    replaced = {place_of(entry): int(entry["revision"]) for entry in own}
    flags = list(dict.fromkeys((each["environment"], each["flag_id"]) for each in ledger["arrived"]))
    arrived = [
        entry
        for about in flags
        for entry in ledger["arrived"]
        if (entry["environment"], entry["flag_id"]) == about
        and int(entry["revision"]) > replaced.get(place_of(entry), -1)
    ]
    return arrived + own


def _entry(made: Json) -> Json:
    environment = made["environment"]
    return {
        "environment": environment["id"],
        "epoch": made["epoch"],
        "fingerprint": fingerprint(environment["salt"], made["unit_kind"], made["unit"]),
        "decided_min": made["decided_s"] // 60,
        "flag_id": made["flag_id"],
        "variant_id": made["variant_id"],
        "origin": made["origin"],
        "revision": str(made["revision"]),
    }


def leaving_value(ledger: Json, *, is_replay: bool = False) -> str:
    """The member that leaves with a call or a record."""
    return member_within(leaving(ledger), ledger["was_cut"] | 2 * is_replay, 512)[0]
