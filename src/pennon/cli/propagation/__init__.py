"""What `pennon doctor propagation` does: probes through every door of a contract, and what became of them.

`examine` sends them and says what it found, as values; nothing leaves this machine. `applications` looks at what users
have built, and `live` calls a real service, where that is asked for. The command prints.
"""

from dataclasses import replace

from pennon.cli.propagation.applications import application, client
from pennon.cli.propagation.clients import Client, installed_clients
from pennon.cli.propagation.environment import instrument, surroundings
from pennon.cli.propagation.findings import Crossing, Examined, Finding, Item, Level, State, Verdict
from pennon.cli.propagation.hops import coming_in, going_out
from pennon.cli.propagation.live import called
from pennon.cli.propagation.records import produced
from pennon.cli.propagation.threads import started
from pennon.headers import Contract

__all__ = [
    "Client",
    "Crossing",
    "Examined",
    "Finding",
    "Item",
    "Level",
    "State",
    "Verdict",
    "application",
    "called",
    "client",
    "examine",
    "instrument",
]


def examine(contract: Contract, *, clients: tuple[Client, ...] | None = None, bootstrap: str | None = None) -> Examined:
    """Everything about this contract in this environment. clients: None: those that are installed.

    bootstrap: of a broker on which probes may make topics of their own; None: doubles are all there is.
    """
    contract = _lenient(contract)
    return Examined(
        contract=f"{contract.name} {contract.version}, of {contract.owner}",
        incoming=tuple(coming_in(contract)),
        outgoing=tuple(going_out(contract, installed_clients() if clients is None else clients)),
        records=tuple(produced(contract, bootstrap)),
        threads=tuple(started(contract)),
        surroundings=tuple(surroundings()),
    )


def _lenient(contract: Contract) -> Contract:
    """The contract without fields that must be there: what is asked is what goes on, not what is refused."""
    return replace(contract, fields=[replace(each, required=False) for each in contract.fields])
