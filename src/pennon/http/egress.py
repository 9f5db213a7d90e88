"""The door of an httpx client: every request leaves with what its host may have, and nothing else of ours."""

from typing import TYPE_CHECKING, TypeVar

from pennon.headers import Contract

if TYPE_CHECKING:
    from httpx import AsyncClient, Client

ClientT = TypeVar("ClientT", bound="Client | AsyncClient")


def httpx(client: ClientT, contract: Contract) -> ClientT:
    """The same client, its transports wrapped, those of its mounts too. Wrapped again it takes the new contract.

    A request is not edited, a new one is built, so that a redirect to another host starts clean. What the caller set by
    hand stays within the contract: a valid `traceparent` of its own wins over ours, its `baggage` joins the request's
    in one header; an undeclared host gets no baggage at all.

    A client span is made where OpenTelemetry's SDK is set up, unless its httpx instrumentation makes one. That
    instrumentation is switched off for a call which may not carry the trace, because it would write one.
    """
    # Imported here: httpx costs 41 ms, and a service that only takes requests does not need it.
    from pennon.http.transports import wrap

    wrap(client, contract)
    return client
