"""What leaves with a request: decided here, or arrived and not replaced.

Egress does not judge. A void entry that nobody asked about leaves as it came; each hop judges at use.
"""

from typing import TypeAlias

from msgspec.structs import astuple

from pennon.carry.entries import MINUTE_NS
from pennon.carry.fingerprint import fingerprint_of
from pennon.context import Decision, Entry, Ledger, Origin

# The fields of an Entry, in its order. An entry that is only written is not worth an object.
Row: TypeAlias = tuple[int, int, int, int, int, int, Origin, int]


def entries_leaving(ledger: Ledger) -> list[Entry]:
    """The entries that the next hop gets, in the order made: what arrived first, then what was decided here.

    What was decided here replaces what arrived for the same environment, epoch, flag and fingerprint, but for entries
    of a higher revision: they may hold where it is void.
    """
    return [Entry(*row) for row in rows_leaving(ledger)]


def rows_leaving(ledger: Ledger) -> list[Row]:
    """The same, as rows."""
    made = _rows_made(ledger) if ledger.made else []
    if not ledger.arrived:
        return made
    arrived = [row_of(entry) for entries in list(ledger.arrived.values()) for entry in entries]
    if not made:
        return arrived
    replaced = {(row[0], row[1], row[4], row[2]): row[7] for row in made}
    return [row for row in arrived if row[7] > replaced.get((row[0], row[1], row[4], row[2]), -1)] + made


def row_of(entry: Entry) -> Row:
    """The entry as a row."""
    row: Row = astuple(entry)
    return row


def latest_made(ledger: Ledger) -> list[Decision]:
    """What was decided here, in the order made.

    Of several decisions about one environment, flag and unit (a floor was raised, an epoch began) the latest.
    """
    # list() of a dict's values is one step of the interpreter: other threads may be entering decisions meanwhile.
    made = list(ledger.made.values())
    if len({decision.scope.flag_id for decision in made}) == len(made):
        return made  # almost always each flag was asked about once
    latest: dict[tuple[int, int, str, str | None], Decision] = {}
    for decision in made:
        scope = decision.scope
        about = (scope.environment.id, scope.flag_id, scope.unit_kind, decision.unit_key)
        latest.pop(about, None)  # so that the later one stands where it was made
        latest[about] = decision
    return list(latest.values())


def _rows_made(ledger: Ledger) -> list[Row]:
    """The decisions that the wire can say: its flag carries, and it names a unit. Others go no further."""
    rows: list[Row] = []
    for decision in latest_made(ledger):
        scope, unit_key = decision.scope, decision.unit_key
        variant_id, origin = decision.answer.variant_id, decision.origin
        if scope.carry and unit_key is not None and variant_id is not None and origin is not None:
            environment = scope.environment
            fingerprint = fingerprint_of(environment.salt, scope.unit_kind, unit_key)
            minute = decision.decided_ns // MINUTE_NS
            rows.append(
                (environment.id, scope.epoch, fingerprint, minute, scope.flag_id, variant_id, origin, decision.revision)
            )
    return rows
