"""The HTTP clients that have a door and are installed here, each as one call through the door."""

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Final

import msgspec

import pennon.http
from pennon.cli.propagation.probe import signer
from pennon.headers import Contract

TIMEOUT_S: Final = 5.0

SyncCall = Callable[[Contract, str, str], None]
AsyncCall = Callable[[Contract, str, str], Awaitable[None]]


class Client(msgspec.Struct, frozen=True):
    """A client. One of the two calls: (contract, url, proxy); redirects are followed, the answer does not matter."""

    name: str
    sync: SyncCall | None = None
    awaited: AsyncCall | None = None


def installed_clients() -> tuple[Client, ...]:
    """Those whose library is there."""
    return tuple(client for library, client in _CLIENTS if find_spec(library) is not None)


def missing_clients() -> tuple[str, ...]:
    """The libraries that have a door and are not there."""
    return tuple(library for library in dict(_CLIENTS) if find_spec(library) is None)


def _httpx(contract: Contract, url: str, proxy: str) -> None:
    import httpx

    plain = httpx.Client(proxy=proxy, trust_env=False, follow_redirects=True, timeout=TIMEOUT_S)
    with pennon.http.httpx(plain, contract, signer=signer()) as client:
        client.get(url)


async def _httpx_async(contract: Contract, url: str, proxy: str) -> None:
    import httpx

    plain = httpx.AsyncClient(proxy=proxy, trust_env=False, follow_redirects=True, timeout=TIMEOUT_S)
    async with pennon.http.httpx(plain, contract, signer=signer()) as client:
        await client.get(url)


def _requests(contract: Contract, url: str, proxy: str) -> None:
    import requests

    with requests.Session() as plain:
        plain.trust_env = False
        plain.proxies = {"http": proxy}
        pennon.http.requests(plain, contract, signer=signer()).get(url, timeout=TIMEOUT_S)


def _urllib3(contract: Contract, url: str, proxy: str) -> None:
    import urllib3

    with urllib3.ProxyManager(proxy, timeout=TIMEOUT_S, retries=urllib3.Retry(connect=0, redirect=5)) as plain:
        pennon.http.urllib3(plain, contract, signer=signer()).request("GET", url)


async def _aiohttp(contract: Contract, url: str, proxy: str) -> None:
    import aiohttp

    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with (
        aiohttp.ClientSession(proxy=proxy, trust_env=False, timeout=timeout) as plain,
        pennon.http.aiohttp(plain, contract, signer=signer()).get(url),
    ):
        pass


_CLIENTS: Final = (
    ("httpx", Client("httpx", sync=_httpx)),
    ("httpx", Client("httpx async", awaited=_httpx_async)),
    ("requests", Client("requests", sync=_requests)),
    ("urllib3", Client("urllib3", sync=_urllib3)),
    ("aiohttp", Client("aiohttp", awaited=_aiohttp)),
)
