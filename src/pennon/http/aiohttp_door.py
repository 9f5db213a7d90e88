"""An aiohttp client middleware that stands innermost in its session."""

import asyncio
from collections.abc import Awaitable

import aiohttp
from multidict import CIMultiDict, CIMultiDictProxy

from pennon.headers import DECIDED
from pennon.http.calling import Crossing, Terms, expect
from pennon.http.hooks import are_callbacks_hooked
from pennon.http.leaving import LOOKED_AT


def wrap(session: aiohttp.ClientSession, terms: Terms) -> None:
    """Put our middleware inside the session's. Raises: TypeError for another library's session."""
    expect(session, aiohttp.ClientSession)
    # Middlewares can publicly be given to a new session only. Innermost: it has the last word on the headers, and
    # each try of one that tries again is a call of its own.
    others = [each for each in session._middlewares if not isinstance(each, MiddlewareDoor)]  # noqa: SLF001
    session._middlewares = (*others, MiddlewareDoor(session, terms))  # noqa: SLF001


class MiddlewareDoor:
    """A session's requests under a contract, each redirect by itself."""

    def __init__(self, session: aiohttp.ClientSession, terms: Terms) -> None:
        self._terms = terms
        # OpenTelemetry's instrumentation comes with the session; it makes its span before any middleware runs.
        self._is_hooked = any(are_callbacks_hooked(each.on_request_start) for each in session.trace_configs)

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Send the request with other headers; afterwards it has its own again, for whoever tries once more.

        Raises: DeadlineExceeded; else what is inside does.
        """
        own = request.headers
        with self._crossing(request) as here:
            outgoing = here.outgoing
            leaving = [(name, value) for name, value in own.items() if name.lower().encode() not in outgoing.remove]
            leaving += [(name.decode(), value.decode()) for name, value in outgoing.set]
            request.headers = CIMultiDict(leaving)
            try:
                response = await _within(here, handler(request))
            finally:
                request.headers = own
            if here.came_back(response.status, response.raw_headers):
                _take_off(response)
        return response

    def _crossing(self, request: aiohttp.ClientRequest) -> Crossing:
        url = request.url
        return Crossing(
            self._terms,
            method=request.method,
            scheme=url.scheme,
            host=url.raw_host or "",
            port=url.port,
            path=lambda: url.raw_path,
            own=[
                (low, value.encode("utf-8", "replace"))
                for name, value in request.headers.items()
                if (low := name.lower().encode()) in LOOKED_AT
            ],
            hooks=lambda: (self._is_hooked, False),
        )


async def _within(here: Crossing, answered: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    """The response, as long as the deadline lets us wait for it; the session's own limits stay."""
    limit = asyncio.timeout(here.timeout_s)
    try:
        async with limit:
            return await answered
    except TimeoutError as error:
        if limit.expired():
            here.ran_out(error)
        raise


def _take_off(response: aiohttp.ClientResponse) -> None:
    """Hide the header from the application. There is no public way to edit what a response has received."""
    kept = [(name, value) for name, value in response.headers.items() if name.lower() != DECIDED]
    raw = tuple(header for header in response.raw_headers if header[0].lower() != DECIDED.encode())
    response._headers = CIMultiDictProxy(CIMultiDict(kept))  # noqa: SLF001
    response._raw_headers = raw  # noqa: SLF001
    for name in ("headers", "raw_headers"):  # properties that remember
        response._cache.pop(name, None)  # noqa: SLF001
