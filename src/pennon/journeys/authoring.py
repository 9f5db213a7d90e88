"""What the page's deeds mean as edits of a flag, and what it shows of one: pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pennon.errors import DocumentInvalid, Fault
from pennon.flags import BUCKETS


def member_of(body: object, name: str) -> Any:
    """The one member that a deed's body holds. Raises: DocumentInvalid."""
    if not isinstance(body, dict) or set(body) != {name}:
        raise DocumentInvalid([Fault("", f"must be an object with the one member {name!r}")])
    return body[name]


def percent_of(body: object) -> float:
    """What a ramp asks for, 0 to 100. Raises: DocumentInvalid."""
    percent = member_of(body, "percent")
    if isinstance(percent, bool) or not isinstance(percent, int | float) or not 0 <= percent <= 100:
        raise DocumentInvalid([Fault("/percent", f"{percent!r} found, must be a number from 0 to 100")])
    return float(percent)


def is_on_of(body: object) -> bool:
    """What a switch asks for. Raises: DocumentInvalid."""
    is_on = member_of(body, "on")
    if not isinstance(is_on, bool):
        raise DocumentInvalid([Fault("/on", f"{is_on!r} found, must be true or false")])
    return is_on


def patch_of_ramp(flag: Mapping[str, Any], settings: Mapping[str, Any], percent: float) -> dict[str, Any]:
    """The merge patch after which the fallthrough covers `percent` of its units; weights stay as they are.

    Without a split yet, everything goes to the one variant that is not the off variant.
    Raises: DocumentInvalid if there are several such variants: how they divide is for an author to say.
    """
    split: dict[str, Any] = {"coverage": round(percent * BUCKETS / 100)}
    if not settings["fallthrough"].get("split"):
        others = [variant["key"] for variant in flag["variants"] if variant["key"] != settings["off"]]
        if len(others) != 1:
            found = f"{flag['key']!r} has {len(others)} variants beside {settings['off']!r}"
            way_out = f"say how they divide: pennon flags ramp {flag['key']} --weight …"
            raise DocumentInvalid([Fault("/fallthrough/split/weights", f"{found}; {way_out}")])
        split["weights"] = [{"variant": others[0], "weight": BUCKETS}]
    return {"fallthrough": {"variant": None, "split": split}}


def shown(
    flag: Mapping[str, Any], settings: Mapping[str, Any], etag: str | None, counts: Iterable[Mapping[str, Any]]
) -> dict[str, Any]:
    """A flag as the page lists it. counts: exposures of any flags and phases; those of its present phases are shown."""
    phases = {serve["split"]["phase"] for serve in _serves(settings) if serve.get("split")}
    totals = Counter[str]()
    for each in counts:
        if each["flag"] == flag["key"] and each["phase"] in phases:
            totals[each["variant"]] += each["count"]
    return {
        "key": flag["key"],
        "type": flag["type"],
        "unit": flag["unit"],
        "description": flag["description"],
        "exposes": flag["exposes"],
        "at": flag["at"],
        "overridable": flag["overridable"],
        "variants": flag["variants"],
        "settings": dict(settings),
        "etag": etag,
        "exposures": [{"variant": v["key"], "count": totals[v["key"]]} for v in flag["variants"]],
    }


def _serves(settings: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [settings["fallthrough"], *(rule["serve"] for rule in settings["rules"])]
