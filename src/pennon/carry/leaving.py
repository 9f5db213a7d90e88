"""What leaves with a request: decided here, or arrived and not replaced.

Egress does not judge. A void entry that nobody asked about leaves as it came; each hop judges at use.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Final, TypeAlias

from msgspec.structs import astuple

from pennon.carry.entries import MINUTE_NS
from pennon.carry.fingerprint import fingerprint_of
from pennon.context import Decision, Entry, Ledger, Origin

_FLAG_ID: Final = attrgetter("scope.flag_id")

# What the wire says once for several decisions: environment, epoch, fingerprint, minute.
Group: TypeAlias = tuple[int, int, int, int]

# An entry that is only written, not worth an object: its fields in their order, those of its group first.
Row: TypeAlias = tuple[int, int, int, int, int, int, Origin, int]
row_of: Final[Callable[[Entry], Row]] = astuple


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
    replaced = {(*row[:3], row[4]): row[7] for row in made}
    return [row for row in arrived if row[7] > replaced.get((*row[:3], row[4]), -1)] + made


def latest_made(ledger: Ledger) -> list[Decision]:
    """What was decided here, in the order made.

    Of several decisions about one environment, flag and unit (a floor was raised, an epoch began) the latest.
    """
    # list() of a dict's values is one step of the interpreter: other threads may be entering decisions meanwhile.
    made = list(ledger.made.values())
    if len(set(map(_FLAG_ID, made))) == len(made):
        return made  # almost always each flag was asked about once
    latest: dict[tuple[int, int, str, str | None], Decision] = {}
    for decision in made:
        scope = decision.scope
        about = (scope.environment.id, scope.flag_id, scope.unit_kind, decision.unit_key)
        latest.pop(about, None)  # so that the later one stands where it was made
        latest[about] = decision
    return list(latest.values())


def _rows_made(ledger: Ledger) -> list[Row]:
    """The decisions that the wire can say: their flag carries, and they name a unit. Others go no further."""
    rows: list[Row] = []
    before: tuple[object, ...] | None = None
    group: Group = (0, 0, 0, 0)
    for decision in latest_made(ledger):
        scope, unit_key = decision.scope, decision.unit_key
        variant_id, origin = decision.answer.variant_id, decision.origin
        if not scope.carry or unit_key is None or variant_id is None or origin is None:
            continue
        environment, minute = scope.environment, decision.decided_ns // MINUTE_NS
        about = (environment, scope.epoch, scope.unit_kind, unit_key, minute)
        if about != before:  # mostly it is the unit and minute of the one before
            before = about
            fingerprint = fingerprint_of(environment.salt, scope.unit_kind, unit_key)
            group = (environment.id, scope.epoch, fingerprint, minute)
        rows.append((*group, scope.flag_id, variant_id, origin, decision.revision))
    return rows
