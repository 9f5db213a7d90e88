"""A real service is really called: whether it heard who asks, by the ids in its response."""

from typing import Final

import httpx

import pennon.http
from pennon.cli.propagation.clients import TIMEOUT_S
from pennon.cli.propagation.entering import TRUSTED, by_asgi
from pennon.cli.propagation.findings import Finding, Level
from pennon.cli.propagation.probe import probe_for
from pennon.context import RequestContext
from pennon.headers import Contract

_PORTS: Final = {"http": 80, "https": 443}


def called(contract: Contract, url: str) -> list[Finding]:
    """One GET under the contract, and what its response says of our ids."""
    asked = httpx.URL(url)
    downstream = contract.downstream_for_host(asked.host, asked.port or _PORTS.get(asked.scheme))
    if downstream is None:
        return [Finding(Level.BREAK, url, "is not declared in the contract: it would be told nothing")]
    findings: list[Finding] = []

    async def within(context: RequestContext) -> None:
        try:
            async with pennon.http.httpx(httpx.AsyncClient(timeout=TIMEOUT_S), contract) as client:
                response = await client.get(url)
        except httpx.HTTPError as error:
            findings.append(Finding(Level.BREAK, url, f"{type(error).__name__}: {error}"))
            return
        findings.append(Finding(Level.FINE, url, f"answered {response.status_code}"))
        ids = {"x-request-id": context.request_id, "x-correlation-id": context.correlation_id}
        granted = {"x-request-id": downstream.request_id, "x-correlation-id": downstream.correlation_id}
        findings.extend(
            _about(name, sent, response.headers.get_list(name)) for name, sent in ids.items() if granted[name]
        )

    by_asgi(contract, TRUSTED, probe_for(contract).headers, within)
    return findings


def _about(name: str, sent: str | None, said: list[str]) -> Finding:
    if not said:
        return Finding(Level.BREAK, name, "the response has none: no door there, or something took it off on the way")
    if said == [sent]:
        return Finding(Level.FINE, name, "the response names ours: it was kept")
    return Finding(Level.BREAK, name, "the response names another: it treats us as a stranger, or made its own")
