"""The return path of the second implementation: what a response says, and what its caller takes of it."""

from tests.conformance.vectors.carry.judging import Json, leaving, place_of
from tests.conformance.vectors.carry.wire_format import fingerprint, member_within
from tests.conformance.vectors.carry.wire_reader import read

LONGEST_BYTES = 512
OLDEST_MIN = 5
HELD_LIMIT = 1_024


def returning_value(ledger: Json, *, is_replay: bool = False) -> str:
    """What was decided here or further on, without what the request itself brought."""
    brought = [entry for entry in ledger["arrived"] if entry not in ledger["returned"]]
    new = [entry for entry in leaving(ledger) if entry not in brought]
    return member_within(new, ledger["was_cut"] | 2 * is_replay, LONGEST_BYTES)[0] if new else ""


def take(ledger: Json, headers: list[str], *, has_age: bool, began_s: int) -> tuple[Json, set[str]]:
    """What a response's headers did to the ledger, and what is to be counted."""
    refusal = _refusal(headers, has_age=has_age)
    if refusal is not None or not headers:
        return {"taken_count": 0, "faults": [], "dropped": refusal}, set()
    said = read(headers[0])
    ledger["was_cut"] = ledger["was_cut"] or said["was_cut"]
    entries: list[Json] = said["entries"]
    fresh = [entry for entry in entries if entry["decided_min"] >= began_s // 60 - OLDEST_MIN]
    dropped = "stale" if len(fresh) < len(entries) else None
    room = HELD_LIMIT - len(ledger["returned"])
    if len(fresh) > room:
        fresh, dropped = fresh[:room], "full"
    notes = {"conflict" for entry in fresh if _is_conflict(ledger, entry)}
    taken = [entry for entry in fresh if _is_news(ledger, entry)]
    for entry in taken:
        _hold(ledger, entry)
    return {"taken_count": len(taken), "faults": said["dropped"], "dropped": dropped}, notes


def _refusal(headers: list[str], *, has_age: bool) -> str | None:
    if headers and has_age:
        return "cached"
    if len(headers) > 1:
        return "repeated"
    return "too_long" if headers and len(headers[0]) > LONGEST_BYTES else None


def _made_at(ledger: Json, entry: Json) -> Json | None:
    """The latest decision made here about what an entry is about."""
    for made in reversed(ledger["made"]):
        environment = made["environment"]
        if made["unit"] is None:
            continue
        number = fingerprint(environment["salt"], made["unit_kind"], made["unit"])
        if (environment["id"], made["epoch"], number, made["flag_id"]) == place_of(entry):
            found: Json = made
            return found
    return None


def _rivals(ledger: Json, entry: Json) -> list[Json]:
    return [each for each in ledger["arrived"] if place_of(each) == place_of(entry)]


def _is_conflict(ledger: Json, entry: Json) -> bool:
    """It says another variant than what is held here and holds where it would."""
    if entry["origin"] == "kill":
        return False
    made = _made_at(ledger, entry)
    if made is not None:
        is_void = int(entry["revision"]) < made["floor"]
        return not (is_void or made["origin"] == "kill" or made["variant_id"] == entry["variant_id"])
    above = [each for each in _rivals(ledger, entry) if int(each["revision"]) >= int(entry["revision"])]
    return any(each["origin"] != "kill" and each["variant_id"] != entry["variant_id"] for each in above)


def _is_news(ledger: Json, entry: Json) -> bool:
    """A kill above every kill held, or a revision above all that is held and leaves."""
    made, rivals = _made_at(ledger, entry), _rivals(ledger, entry)
    if entry["origin"] == "kill":
        rivals = [each for each in rivals if each["origin"] == "kill"]
        made = None
    held = [int(each["revision"]) for each in rivals]
    held += [made["revision"]] if made is not None and made["carry"] else []
    return all(int(entry["revision"]) > each for each in held)


def _hold(ledger: Json, entry: Json) -> None:
    """Behind what is held; a kill that is valid where the made decision stood takes that away."""
    made = _made_at(ledger, entry)
    ledger["arrived"].append(entry)
    ledger["returned"].append(entry)
    is_kill = entry["origin"] == "kill" and made is not None and made["origin"] != "kill"
    if made is not None and is_kill and int(entry["revision"]) >= made["floor"]:
        ledger["made"].remove(made)
