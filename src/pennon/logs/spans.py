"""What spans of the doors say of whose work it is: as log lines do, hashed where the contract says so."""

from typing import Final

from pennon.clock import SYSTEM_CLOCK
from pennon.context import RequestContext
from pennon.headers import Contract
from pennon.headers.redaction import Redaction
from pennon.logs.facts import Fact, Facts, log_salt

# A process has one contract or a few; tests make many.
_KEPT_LIMIT_COUNT: Final = 64

# By identity: a contract's hash is that of all its parts. It is kept along, so that no other gets its id.
_kept: dict[int, tuple[Contract, Facts]] = {}


def whose(contract: Contract, context: RequestContext) -> dict[str, Fact]:
    """Attributes `pennon.tenant`, `.actor`, `.actor_type`, `.on_behalf_of`, `.deadline_left_ms`, as far as known.

    The salt of hashes is PENNON_LOG_SALT's, else this process's own, as of log lines.
    """
    found = _kept.get(id(contract))
    if found is None:
        if len(_kept) >= _KEPT_LIMIT_COUNT:
            _kept.clear()
        found = _kept[id(contract)] = (contract, Facts(Redaction(contract, salt=log_salt(None)), SYSTEM_CLOCK))
    return {f"pennon.{name}": fact for name, fact in found[1].whose(context)}
