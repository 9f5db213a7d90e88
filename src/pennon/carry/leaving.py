"""What leaves with a request: decided here, or arrived and not replaced.

Egress does not judge. A void entry that nobody asked about leaves as it came; each hop judges at use.
"""

from pennon.carry.entries import entry_of, place_of
from pennon.context import Decision, Entry, Ledger


def entries_leaving(ledger: Ledger) -> list[Entry]:
    """The entries that the next hop gets, in the order made: what arrived first, then what was decided here.

    What was decided here replaces what arrived for the same environment, epoch, flag and fingerprint, but for entries
    of a higher revision: they may hold where it is void.
    """
    made = [entry for decision in latest_made(ledger) if (entry := entry_of(decision)) is not None]
    if not ledger.arrived:
        return made
    replaced = {place_of(entry): entry.revision for entry in made}
    arrived = [
        entry
        for entries in list(ledger.arrived.values())
        for entry in entries
        if entry.revision > replaced.get(place_of(entry), -1)
    ]
    return arrived + made


def latest_made(ledger: Ledger) -> list[Decision]:
    """What was decided here, in the order made.

    Of several decisions about one environment, flag and unit (a floor was raised, an epoch began) the latest.
    """
    seen = set()
    latest = []
    # list() of a dict's values is one step of the interpreter: other threads may be entering decisions meanwhile.
    for decision in reversed(list(ledger.made.values())):
        scope = decision.scope
        about = (scope.environment.id, scope.flag_id, scope.unit_kind, decision.unit_key)
        if about not in seen:
            seen.add(about)
            latest.append(decision)
    latest.reverse()
    return latest
