"""Probes through every HTTP door: in by ASGI and WSGI, out by every client to every declared host and to strangers."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from pennon.cli.propagation.clients import Client
from pennon.cli.propagation.entering import DOORS, STRANGERS, TRUSTED, call
from pennon.cli.propagation.findings import REFUSED, Crossing, Verdict
from pennon.cli.propagation.judging import Began, arrived, came_in, came_in_from_stranger, came_to_stranger
from pennon.cli.propagation.probe import Probe, probe_for
from pennon.cli.propagation.spans import begun_spans
from pennon.cli.propagation.standin import REDIRECT, Received, StandIn
from pennon.context import RequestContext
from pennon.headers import Contract, Downstream

# RFC 6761: a name that nobody has, and so no contract can mean.
STRANGER: Final = "stranger.invalid"

Judge = Callable[[Contract, Probe, RequestContext], tuple[Verdict, ...]]


def coming_in(contract: Contract) -> Iterator[Crossing]:
    """What each door takes, of one of ours and of a stranger."""
    for boundary, judge, sender in (
        (TRUSTED, came_in, "from one of ours"),
        (STRANGERS, came_in_from_stranger, "from a stranger"),
    ):
        for door, enter in DOORS.items():
            probe, seen = probe_for(contract), _Seen()
            enter(contract, boundary, probe.headers, seen.look)
            judged = _judged(judge, contract, probe, seen.context)
            yield Crossing(sender, door, judged, "" if judged else REFUSED)


def going_out(contract: Contract, clients: Sequence[Client]) -> Iterator[Crossing]:
    """What each declared host gets by each way, and that a stranger gets nothing, asked or redirected to."""
    with StandIn() as standin:
        for downstream in contract.downstreams:
            if downstream.host is not None:
                for door in DOORS:
                    for client in clients:
                        yield _to(contract, downstream, door, client, standin)
        for client in clients:
            yield _to_stranger(contract, client, standin)


def host_of(downstream: Downstream) -> str:
    """A host that the declaration means."""
    return (downstream.host or "").replace("*.", "probe.", 1)


class _Seen:
    """The context of a request that was entered; None where a door refused it."""

    def __init__(self) -> None:
        self.context: RequestContext | None = None

    async def look(self, context: RequestContext) -> None:
        self.context = context


class _Calls:
    """Calls made in a request, one after the other, each by its URL."""

    def __init__(self, contract: Contract, client: Client, proxy: str, urls: Sequence[str]) -> None:
        self._contract, self._client, self._proxy, self._urls = contract, client, proxy, urls
        self.context: RequestContext | None = None
        self.began = Began(0, 0)
        self.fault = REFUSED

    async def make(self, context: RequestContext) -> None:
        self.context, self.fault = context, ""
        self.began = Began(time.time_ns(), time.monotonic_ns())
        try:
            for url in self._urls:
                await call(self._client, self._contract, url, self._proxy)
        except Exception as error:  # noqa: BLE001  # whatever a client, or what has been put into it, raises is a finding
            self.fault = f"{type(error).__name__}: {error}"


def _judged(judge: Judge, contract: Contract, probe: Probe, context: RequestContext | None) -> tuple[Verdict, ...]:
    return () if context is None else judge(contract, probe, context)


def _to(contract: Contract, downstream: Downstream, door: str, client: Client, standin: StandIn) -> Crossing:
    probe, name = probe_for(contract), f"{door} > {client.name}"
    url = f"http://{host_of(downstream)}/{probe.request_id}"
    calls = _Calls(contract, client, standin.url, [url])
    spans = begun_spans()
    DOORS[door](contract, TRUSTED, probe.headers, calls.make)
    got = _received(standin, url)
    if calls.fault or calls.context is None or got is None:
        return Crossing(downstream.name, name, (), calls.fault or "the request never arrived")
    member = probe.member
    verdicts = arrived(contract, downstream, calls.context, got, began=calls.began, spans=spans, sent=member)
    return Crossing(downstream.name, name, verdicts)


def _to_stranger(contract: Contract, client: Client, standin: StandIn) -> Crossing:
    """Asked itself, and redirected to by each declared host that may know the most."""
    probe = probe_for(contract)
    asked, redirected = f"http://{STRANGER}/{probe.request_id}", f"{STRANGER}/{probe.request_id}-redirected"
    urls = [asked]
    hosts = [host_of(each) for each in contract.downstreams if each.host is not None and not each.external]
    urls += [f"http://{host}{REDIRECT}{redirected}" for host in hosts[:1]]
    calls = _Calls(contract, client, standin.url, urls)
    DOORS["asgi"](contract, TRUSTED, probe.headers, calls.make)
    got = {"asked": _received(standin, asked), "redirected to": _received(standin, f"http://{redirected}")}
    requests = {how: headers for how, headers in got.items() if headers is not None}
    if calls.fault or len(requests) < len(urls):
        return Crossing(STRANGER, client.name, (), calls.fault or "the request never arrived")
    return Crossing(STRANGER, client.name, came_to_stranger(requests))


def _received(standin: StandIn, url: str) -> Received | None:
    """What was asked there; a scheme's own port may have been left out."""
    return standin.received.get(url) or standin.received.get(url.replace(":80/", "/", 1))
