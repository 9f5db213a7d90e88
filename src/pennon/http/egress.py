"""The doors from which requests go out: every request leaves with what its host may have, and nothing else of ours.

A request is not edited, a new one is built, so that a redirect to another host starts clean. What the caller set by
hand stays within the contract: a valid `traceparent` of its own wins over ours, its `baggage` joins the request's in
one header; an undeclared host gets no baggage at all.

A client span is made where OpenTelemetry's SDK is set up, unless its instrumentation of this client makes one. Of one
that stands within the door, a call which may not carry the trace is hidden, because it would write one.

A call takes no longer than the request's deadline leaves. Where that is too little nothing is sent, and where it runs
out the call has failed for that reason: `DeadlineExceeded`, never the client's own timeout. A shorter one of the
caller's stays what it is.

signer, of each door: writes `Pennon-Context` for the downstreams that have an audience.

Each client library is imported when one of its clients is wrapped: a service that only takes requests needs none, and
httpx alone costs 41 ms.
"""

from typing import TYPE_CHECKING, TypeVar

from pennon.headers import Contract
from pennon.http.calling import Terms
from pennon.http.types import Signer

if TYPE_CHECKING:
    from aiohttp import ClientSession
    from httpx import AsyncClient, Client
    from requests import Session
    from urllib3 import HTTPConnectionPool, PoolManager

ClientT = TypeVar("ClientT", bound="Client | AsyncClient")
SessionT = TypeVar("SessionT", bound="Session")
PoolT = TypeVar("PoolT", bound="PoolManager | HTTPConnectionPool")
AsyncSessionT = TypeVar("AsyncSessionT", bound="ClientSession")


def httpx(client: ClientT, contract: Contract, *, signer: Signer | None = None) -> ClientT:
    """The same client, its transports wrapped, those of its mounts too. Wrapped again it takes the new contract."""
    from pennon.http.httpx_door import wrap

    wrap(client, Terms(contract, signer))
    return client


def requests(session: SessionT, contract: Contract, *, signer: Signer | None = None) -> SessionT:
    """The same session, its adapters wrapped. Wrapped again it takes the new contract.

    An adapter that is mounted later stands outside of the contract until the session is wrapped again.
    """
    from pennon.http.requests_door import wrap

    wrap(session, Terms(contract, signer))
    return session


def urllib3(pool: PoolT, contract: Contract, *, signer: Signer | None = None) -> PoolT:
    """The same manager of pools, its pools wrapped, those that it makes later too; or the same pool.

    Each redirect and each try of its `Retry` is a call of its own. Wrapped again it takes the new contract.
    """
    from pennon.http.urllib3_door import wrap

    wrap(pool, Terms(contract, signer))
    return pool


def aiohttp(session: AsyncSessionT, contract: Contract, *, signer: Signer | None = None) -> AsyncSessionT:
    """The same session, with a middleware more (aiohttp 3.12 or later). Wrapped again it takes the new contract.

    A call that names middlewares of its own (`middlewares=`) goes past all of the session's, this one too.
    """
    from pennon.http.aiohttp_door import wrap

    wrap(session, Terms(contract, signer))
    return session
