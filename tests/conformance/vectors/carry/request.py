"""How cases of request.json are written: one request, in which flags are asked, rulesets change, responses come."""

from copy import deepcopy
from typing import Any

from tests.conformance.vectors.carry.cases_judge import DEFAULTS, NOW_MIN, a, entry_from
from tests.conformance.vectors.carry.judging import Asked, Json, leaving_value, ledger_of
from tests.conformance.vectors.carry.returned import returning_value, take
from tests.conformance.vectors.carry.wire_format import member

NOW_S = NOW_MIN * 60


def flag(**changes: Any) -> Json:
    """A flag, as what differs from the default one."""
    plain: Json = DEFAULTS["flag"]
    return plain | changes


def ruleset(*flags: Json, kills: Json | None = None, **changes: Any) -> Json:
    plain: Json = {**DEFAULTS["ruleset"], "flags": {each["key"]: each for each in flags}, "kills": kills or {}}
    return plain | changes


def value(*entries: Json, flags: int = 0) -> str:
    """The member, or the response's header, that says these entries."""
    return member([entry_from(each) for each in entries], flags)


def ask(key: str = "checkout", unit: str | None = "7", **more: Any) -> Json:
    return {"do": "ask", "flag": key, "unit": unit, "now_s": NOW_S, **more}


def now(changed: Json) -> Json:
    """From here on the replica has another ruleset."""
    return {"do": "ruleset", "ruleset": changed}


def response(*headers: str, has_age: bool = False, began_s: int = NOW_S) -> Json:
    return {"do": "response", "headers": list(headers), "has_age": has_age, "began_s": began_s}


def request(
    name: str,
    why: str,
    start: Json,
    *steps: Json,
    arrived: tuple[Json, ...] = (),
    flags: int = 0,
    is_public: bool = False,
) -> Json:
    """One request: what each step gives, and what leaves and returns at its end."""
    arrived_value = value(*arrived, flags=flags)
    ledger = ledger_of([entry_from(each) for each in arrived], is_public=is_public, was_cut=bool(flags & 1))
    current, told = start, []
    for step in deepcopy(list(steps)):
        notes: set[str] = set()
        if step["do"] == "ruleset":
            current = step["ruleset"]
        elif step["do"] == "ask":
            asked = Asked(current, ledger, step)
            decision = asked.decision()
            step["expect"] = {key: decision[key] for key in ("variant", "reason", "origin", "revision")}
            notes = asked.notes
        else:
            step["expect"], notes = take(ledger, step["headers"], has_age=step["has_age"], began_s=step["began_s"])
        told.append(step if step["do"] == "ruleset" else {**step, "notes": sorted(notes)})
    is_replay = bool(flags & 2)
    return {
        "id": name,
        "why": why,
        "ruleset": start,
        "arrived_value": arrived_value,
        "is_public": is_public,
        "steps": told,
        "leaves_value": leaving_value(ledger, is_replay=is_replay),
        "returns_value": returning_value(ledger, is_replay=is_replay),
    }


# What several files of cases use.
NEEDED = {"key": "base", "id": 78, "fallthrough": {"variant": "on"}}
ON = {"fallthrough": {"variant": "on"}}
KILL = {"variant_id": 2, "origin": "kill"}


def base(**changes: Any) -> Json:
    """An entry about the flag `base`."""
    return a(flag_id=78, **changes)
