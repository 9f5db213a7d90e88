"""The return path: what was decided while a request was served goes back with its response, into the caller's ledger.

It is the value of the header `Pennon-Decided`, in the format of the member. Which responses may say it is the door's to
know: those of a downstream that is declared so, to a request that went to that very host.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from pennon.carry.entries import KILL, MINUTE_NS, Place, place_of, place_of_decision, with_entry
from pennon.carry.judge import Note
from pennon.carry.leaving import entries_leaving, latest_made
from pennon.carry.reading import GroupFault, decode
from pennon.carry.wire import BUDGET_BYTES
from pennon.carry.writing import Encoded, encode_entries
from pennon.context import LEDGER_LIMIT_COUNT, Decision, Entry, Ledger, Origin

# A decision of this request is younger than the call; this much is allowed for clocks that differ. What is older was
# decided for somebody else, and kept by a cache.
_OLDEST_MIN: Final = 5


class ReturnDrop(StrEnum):
    """Why a response's decisions, or some of them, were not taken."""

    SEALED = "sealed"
    """The request's door has closed."""
    CACHED = "cached"
    """The response had an `Age`: it answers an earlier request."""
    REPEATED = "repeated"
    """The header stood there more than once."""
    TOO_LONG = "too_long"
    """It had more than 512 bytes."""
    STALE = "stale"
    """Decided more than 5 minutes before the call began; what was younger has been taken."""
    FULL = "full"
    """More than a ledger holds have been returned in this request; what there was room for has been taken."""


class Returned(msgspec.Struct, frozen=True):
    """What a response brought.

    taken_count: entries that are held now and were not before. faults: one for each malformed group.
    dropped: None if nothing else was left out.
    """

    taken_count: int = 0
    faults: tuple[GroupFault, ...] = ()
    dropped: ReturnDrop | None = None


_NOTHING_RETURNED: Final = Returned()


def returning(ledger: Ledger, *, is_replay: bool = False) -> Encoded:
    """What goes back to the caller: decided here or returned by callees, without what the caller sent.

    is_replay: the mark stands beside the decisions; it is not sent alone, the caller knows.
    """
    returned = set(ledger.returned)
    brought = {entry for entries in list(ledger.arrived.values()) for entry in entries} - returned
    entries = [entry for entry in entries_leaving(ledger) if entry not in brought]
    return encode_entries(entries, was_cut=ledger.was_cut, is_replay=is_replay) if entries else Encoded("", 0)


def take_returned(
    ledger: Ledger, values: Sequence[bytes], *, has_age: bool, began_ns: int, note: Callable[[Note], object]
) -> Returned:
    """Take the decisions of a response into the caller's ledger, as entries that have arrived.

    values: of the response's `Pennon-Decided` headers. has_age: it has an `Age` header (RFC 9111 §5.1).
    began_ns: wall clock when the call began. note: is called with each thing to count.
    What is held stays, and an entry of a higher revision is kept behind it, for where that is void. A kill takes away
    what was made, so that the next ask sees it. No value raises.
    """
    if not values:
        return _NOTHING_RETURNED
    refused = _refused(ledger, values, has_age=has_age)
    if refused is not None:
        return Returned(dropped=refused)
    decoded = decode(values[0].decode("latin-1"))
    if decoded.was_cut:
        ledger.was_cut = True
    entries = decoded.entries
    oldest_min = began_ns // MINUTE_NS - _OLDEST_MIN
    fresh = [entry for entry in entries if entry.decided_min >= oldest_min]
    dropped = ReturnDrop.STALE if len(fresh) < len(entries) else None
    room = max(LEDGER_LIMIT_COUNT - len(ledger.returned), 0)
    if len(fresh) > room:
        fresh, dropped = fresh[:room], ReturnDrop.FULL
    made = _made_by_place(ledger)
    taken = [entry for entry in fresh if _is_news(ledger, entry, made.get(place_of(entry)), note)]
    _append(ledger, taken)
    if any(entry.origin is KILL for entry in taken):
        _obey_kills(ledger, taken)
    return Returned(len(taken), decoded.dropped, dropped)


def _refused(ledger: Ledger, values: Sequence[bytes], *, has_age: bool) -> ReturnDrop | None:
    """Why nothing of this is even read."""
    if ledger.is_sealed:
        return ReturnDrop.SEALED
    if has_age:
        return ReturnDrop.CACHED
    if len(values) > 1:
        return ReturnDrop.REPEATED
    return ReturnDrop.TOO_LONG if len(values[0]) > BUDGET_BYTES else None


def _made_by_place(ledger: Ledger) -> dict[Place, Decision]:
    return {place: each for each in latest_made(ledger) if (place := place_of_decision(each)) is not None}


def _is_news(ledger: Ledger, entry: Entry, made: Decision | None, note: Callable[[Note], object]) -> bool:
    """Whether an entry is to be held: a kill that is not known, or one of a higher revision than all that is held."""
    arrived = ledger.arrived.get((entry.environment, entry.flag_id), ())
    rivals = [each for each in arrived if place_of(each) == place_of(entry)]
    if entry.origin is KILL:
        return all(each.origin is not KILL or each.revision < entry.revision for each in rivals)
    above = [each for each in rivals if each.revision >= entry.revision]
    if made is not None:
        # It is judged as an ask would: at the floor at which the flag was last asked about.
        is_conflict = entry.revision >= made.scope.floor and _contradicts(entry, made.answer.variant_id, made.origin)
    else:
        # Nobody has asked here. One that is kept is compared when somebody does.
        is_conflict = any(_contradicts(entry, each.variant_id, each.origin) for each in above)
    if is_conflict:
        note(Note.CONFLICT)
    # What was made and does not leave hides nothing from those further down.
    return not above and (made is None or not made.scope.carry or made.revision < entry.revision)


def _contradicts(entry: Entry, variant_id: int | None, origin: Origin | None) -> bool:
    return variant_id != entry.variant_id and origin is not KILL


def _append(ledger: Ledger, taken: list[Entry]) -> None:
    """Hold these entries. Other threads may be doing the same: whoever writes last has seen what all have appended."""
    if not taken:
        return
    returned = ledger.returned
    returned += taken
    flags = {(entry.environment, entry.flag_id) for entry in taken}
    seen_count = 0
    while seen_count < len(returned):
        seen_count = len(returned)
        for flag in flags:
            held = ledger.arrived.get(flag, ())
            known = set(held)
            for entry in returned[:seen_count]:
                if (entry.environment, entry.flag_id) == flag and entry not in known:
                    held = with_entry(held, entry)
            ledger.arrived[flag] = held


def _obey_kills(ledger: Ledger, taken: list[Entry]) -> None:
    """Take away what was made where a kill has come. Looked up now: an ask that ends after this has seen the kill."""
    made = _made_by_place(ledger)
    for entry in taken:
        held = made.get(place_of(entry))
        if held is None or entry.origin is not KILL or held.origin is KILL:
            continue
        # Below the floor at which it was made the kill is void, and what was made stands.
        if entry.revision >= held.scope.floor:
            ledger.withdraw(held)
