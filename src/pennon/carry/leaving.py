"""What leaves with a request: decided here, or arrived and not replaced.

Egress does not judge. A void entry that nobody asked about leaves as it came; each hop judges at use.
"""

from typing import Final

from pennon.carry.fingerprint import fingerprint_of
from pennon.context import Decision, Entry, Ledger

MINUTE_NS: Final = 60_000_000_000


def entries_leaving(ledger: Ledger) -> list[Entry]:
    """The entries that the next hop gets, in the order made: what arrived first, then what was decided here.

    Of several decisions about one environment, flag and unit (a floor was raised, an epoch began) the latest leaves.
    It replaces what arrived for the same environment, epoch, flag and fingerprint.
    """
    # list() of a dict's values is one step of the interpreter: other threads may be entering decisions meanwhile.
    made = _latest(list(ledger.made.values())) if ledger.made else []
    if not ledger.arrived:
        return made
    replaced = {_place_of(entry) for entry in made}
    arrived = [entry for entries in ledger.arrived.values() for entry in entries if _place_of(entry) not in replaced]
    return arrived + made


def _latest(made: list[Decision]) -> list[Entry]:
    seen = set()
    latest = []
    for decision in reversed(made):
        scope, unit_key = decision.scope, decision.unit_key
        environment = scope.environment
        place = (environment.id, scope.flag_id, scope.unit_kind, unit_key)
        if place in seen:
            continue
        seen.add(place)
        variant_id, origin = decision.answer.variant_id, decision.origin
        # Its flag does not carry, or it names no unit: it holds here and goes no further.
        if not scope.carry or unit_key is None or variant_id is None or origin is None:
            continue
        fingerprint = fingerprint_of(environment.salt, scope.unit_kind, unit_key)
        minute = decision.decided_ns // MINUTE_NS
        latest.append(
            Entry(
                environment.id, scope.epoch, fingerprint, minute, scope.flag_id, variant_id, origin, decision.revision
            )
        )
    latest.reverse()
    return latest


def _place_of(entry: Entry) -> tuple[int, int, int, int]:
    return entry.environment, entry.epoch, entry.flag_id, entry.fingerprint
