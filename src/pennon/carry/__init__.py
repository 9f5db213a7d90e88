"""How a decision travels, and when it still holds.

Here: the wire format of carried decisions, the judging of one that arrived, what leaves with a request, the id of an
exposure, and the hop that puts these beside the header contract.
Not here: what a flag answers (`flags`), the baggage header around the member (`headers`), the ledger's container
(`context`), who calls this when (`client` and the doors). Pure: times come in, notes and faults go out as values.
"""

from pennon.carry.arriving import Arrival, arrive
from pennon.carry.departing import Departure, depart
from pennon.carry.divergence import Divergence, DivergenceCount, divergence_of, unknown_flags, was_dropped
from pennon.carry.exposure import Exposure, exposure_id, exposure_of, phase_of
from pennon.carry.fingerprint import fingerprint_of
from pennon.carry.judge import RESYNC_NOTES, Note, decide
from pennon.carry.leaving import entries_leaving
from pennon.carry.overriding import (
    OVERRIDE_LIMIT_S,
    OverrideClaims,
    OverrideRefusal,
    OverrideUse,
    jwt_claims_of,
    override_claims_of,
    override_refusal,
)
from pennon.carry.reading import Decoded, GroupFault, decode
from pennon.carry.returning import ReturnDrop, Returned, returning, take_returned
from pennon.carry.wire import BUDGET_BYTES, CARRY_KEY
from pennon.carry.writing import Encoded, encode, encode_entries

__all__ = [
    "BUDGET_BYTES",
    "CARRY_KEY",
    "OVERRIDE_LIMIT_S",
    "RESYNC_NOTES",
    "Arrival",
    "Decoded",
    "Departure",
    "Divergence",
    "DivergenceCount",
    "Encoded",
    "Exposure",
    "GroupFault",
    "Note",
    "OverrideClaims",
    "OverrideRefusal",
    "OverrideUse",
    "ReturnDrop",
    "Returned",
    "arrive",
    "decide",
    "decode",
    "depart",
    "divergence_of",
    "encode",
    "encode_entries",
    "entries_leaving",
    "exposure_id",
    "exposure_of",
    "fingerprint_of",
    "jwt_claims_of",
    "override_claims_of",
    "override_refusal",
    "phase_of",
    "returning",
    "take_returned",
    "unknown_flags",
    "was_dropped",
]
