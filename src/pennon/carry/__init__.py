"""How a decision travels, and when it still holds.

Here: the wire format of carried decisions, the judging of one that arrived, what leaves with a request, the id of an
exposure, and the hop that puts these beside the header contract.
Not here: what a flag answers (`flags`), the baggage header around the member (`headers`), the ledger's container
(`context`), who calls this when (`client` and the doors). Pure: times come in, notes and faults go out as values.
"""

from pennon.carry.exposure import Exposure, exposure_id, exposure_of, phase_of
from pennon.carry.fingerprint import fingerprint_of
from pennon.carry.hop import Arrival, Departure, arrive, depart
from pennon.carry.judge import RESYNC_NOTES, Note, decide
from pennon.carry.leaving import entries_leaving
from pennon.carry.reading import Decoded, GroupFault, decode
from pennon.carry.wire import BUDGET_BYTES, CARRY_KEY
from pennon.carry.writing import Encoded, encode, encode_entries

__all__ = [
    "BUDGET_BYTES",
    "CARRY_KEY",
    "RESYNC_NOTES",
    "Arrival",
    "Decoded",
    "Departure",
    "Encoded",
    "Exposure",
    "GroupFault",
    "Note",
    "arrive",
    "decide",
    "decode",
    "depart",
    "encode",
    "encode_entries",
    "entries_leaving",
    "exposure_id",
    "exposure_of",
    "fingerprint_of",
    "phase_of",
]
