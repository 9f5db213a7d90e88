"""A probe: the application that stands inside a door and tells what came through it.

It notes the request context and the headers that an application sees, and makes the calls that a case asks for, through
real doors that speak the service's contract; a spy stands behind them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.util import find_spec
from inspect import isawaitable
from queue import SimpleQueue
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pennon import ambient
from pennon.context import RequestContext
from pennon.headers import Contract, Downstream
from pennon.headers.identity import ACTOR_ID
from pennon.signing import ContextSigner, new_key
from pennon.testing.headers.spy import UNDECLARED_HOST, UNDECLARED_TOPIC, DownstreamSpy

if TYPE_CHECKING:
    import httpx

Lines = tuple[tuple[str, str], ...]

_ROUTE: Final = re.compile(r"[A-Z]+ /\S*")


class Noted(msgspec.Struct, frozen=True):
    """One request, as the application saw it. context: None if there was none. lines: names lower-case."""

    context: RequestContext | None
    lines: Lines


class Sighting(msgspec.Struct, frozen=True):
    """Who was seen to act once the response was over. place: where. actor: None if nobody did."""

    place: str
    actor: str | None


class Probe:
    """Give `probe.asgi` or `probe.wsgi` a path in your application, if the door around it cannot be given to the suite.

    contract: that of the service's outgoing doors; the calls to a downstream leave through doors of the probe's own
        unless `calls` names your own way to make them, which must end at the same spy; under ASGI it may be async.
    background: routes of the service, e.g. "POST /orders", whose work goes on after the response; its calls end at the
        same spy.
    calling: the downstreams, by name, that the next requests call; None is an undeclared host, and such a topic.
    copied: headers, by name, that the next calls bring along as if the application had set them by hand.
    """

    def __init__(
        self,
        contract: Contract,
        *,
        spy: DownstreamSpy | None = None,
        calls: Mapping[str, Callable[[], object]] = MappingProxyType({}),
        background: Sequence[str] = (),
    ) -> None:
        """Raises: ValueError for a route that is not a method and a path."""
        for route in background:
            if _ROUTE.fullmatch(route) is None:
                raise ValueError(f"background: {route!r} is not a method and a path; e.g. 'POST /orders'")
        self.spy = DownstreamSpy(contract) if spy is None else spy
        self.noted: list[Noted] = []
        self.calling: tuple[tuple[str, Downstream | None], ...] = ()
        self.copied: Lines = ()
        self.contract = contract
        self.background = tuple(background)
        self.sightings: SimpleQueue[Sighting] = SimpleQueue()
        self._is_over = False
        self._calls = calls
        self._client: httpx.Client | None = None

    async def asgi(self, scope: Any, _receive: Any, send: Any) -> None:
        """The probe as an ASGI application."""
        lines = ((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
        for made in self._serve(lines):
            if isawaitable(made):
                await made
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        """The probe as a WSGI application."""
        lines = (
            (key.removeprefix("HTTP_").replace("_", "-").lower(), value)
            for key, value in environ.items()
            if key.startswith("HTTP_") or (key == "CONTENT_TYPE" and value)
        )
        for _ in self._serve(lines):
            pass  # each call is made when it is asked for
        start_response("204 No Content", [])
        return []

    def look(self, actor: str | None = None) -> None:
        """See who acts here, once the response is over: for work that calls nobody. A fake of its store may call it.

        actor: as whom the store is told that the work is done.
        """
        self._see("probe.look()", actor)

    @contextmanager
    def watching(self) -> Iterator[Callable[[], None]]:
        """Note in `sightings` who acts, from when what comes is called, which says that the response is over."""
        self.sightings = SimpleQueue()
        self._is_over = False
        self.spy.listener = lambda reached: self._see(reached.place, reached.headers.get(ACTOR_ID))
        try:
            yield self._end
        finally:
            self.spy.listener = None
            self._is_over = False

    def _end(self) -> None:
        self._is_over = True

    def _see(self, place: str, told: str | None) -> None:
        """told: the actor that a call names."""
        if self._is_over:
            context = ambient.current()
            self.sightings.put(Sighting(place, told or (None if context is None else context.identity.actor)))

    def _serve(self, lines: Iterable[tuple[str, str]]) -> Iterator[object]:
        """Note the request, then make the calls, one after the other: what each of your own gave."""
        seen = tuple(lines)
        self.noted.append(Noted(ambient.current(), seen))
        for name, downstream in self.calling:
            if name in self._calls:
                yield self._calls[name]()
            else:
                self._call(downstream)

    def _call(self, downstream: Downstream | None) -> None:
        if downstream is None:
            self._get(UNDECLARED_HOST)
            self._write(UNDECLARED_TOPIC)
        elif downstream.topic is not None:
            self._write(downstream.topic)
        else:
            self._get(host_of(downstream))

    def _get(self, host: str) -> None:
        self._http().get(f"http://{host}/", headers=list(self.copied))

    def _write(self, topic: str) -> None:
        import pennon.kafka

        producer = pennon.kafka.producer(self.spy.producer, self.contract, signer=self._signer)
        producer.produce(topic, b"", headers=[(name, value.encode("latin-1")) for name, value in self.copied])

    @cached_property
    def _signer(self) -> ContextSigner | None:
        """Signs by a key of its own, where somebody is to be told and the library is there."""
        if find_spec("jwt") is None or all(each.audience is None for each in self.contract.downstreams):
            return None
        return ContextSigner(new_key()[0], issuer=self.contract.name)

    def _http(self) -> "httpx.Client":
        import httpx

        import pennon.http

        if self._client is None:
            bare = httpx.Client(transport=self.spy.transport, trust_env=False)
            self._client = pennon.http.httpx(bare, self.contract, signer=self._signer)
        return self._client


def host_of(downstream: Downstream) -> str:
    """A host that belongs to a downstream, with its port if it names one."""
    host = downstream.host or ""
    return f"kit{host.removeprefix('*')}" if host.startswith("*") else host
