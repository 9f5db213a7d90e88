"""The cases of proxies: whose word about the client counts, and in which headers."""

from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from typing import Final

from pennon.headers.addresses import parse_address
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.std import FORWARDING
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Service, Setting

_PART: Final = "proxies"
# RFC 5737 §3: an address that nobody has.
_CLIENT: Final = "198.51.100.7"
_HOST: Final = "kit.example"


def proxy_cases(setting: Setting) -> Iterator[Case]:
    """All of them, for whoever can be served."""
    make = partial(Case, setting, _PART)
    proxies = setting.contract.proxies
    outside = [caller for caller in setting.callers.each() if not _is_trusted(proxies, caller.address)]
    if outside:
        says = "what somebody who is no proxy of ours says about the client does not count"
        yield make("networks/others", says, partial(_believes_nobody, outside), Needs.INSIDE)
    if proxies is None or setting.turned_away is not None or _is_trusted(proxies, _CLIENT):
        return
    for source in ForwardedSource:
        is_read = source in proxies.reads
        says = f"what a proxy of ours writes into {source.value!r} {'counts' if is_read else 'does not count'}"
        yield make(f"reads/{source.value}", says, partial(_reads, proxies, source), Needs.INSIDE)
    says = f"a client is found that is the last of {proxies.max_elements}, behind them nobody looks"
    yield make("max_elements", says, partial(_looks, proxies), Needs.INSIDE)


def _believes_nobody(callers: list[Caller], service: Service) -> None:
    for caller in callers:
        for source in ForwardedSource:
            context = service.serve(_lines(source, [_CLIENT]), caller=caller).context_here
            service.expect(context.forwarded is None, "the context holds no other client", "it does")
    if service.contract.proxies is None:
        for caller in callers:
            seen = service.serve(
                [line for source in ForwardedSource for line in _lines(source, [_CLIENT])], caller=caller
            )
            shown = [name for name in FORWARDING if seen.inside_lines(name)]
            service.expect(not shown, "the application sees none of it", f"it sees {', '.join(shown)}")


def _reads(proxies: TrustedProxies, source: ForwardedSource, service: Service) -> None:
    is_read = source in proxies.reads
    for network in proxies.networks:
        found = service.serve(_lines(source, [_CLIENT]), caller=_proxy_in(service, network)).context_here.forwarded
        address = None if found is None else found.address
        host = None if found is None else found.host
        told = "is the client" if is_read else "is not the client"
        service.expect((address == _CLIENT) is is_read, f"whom it names {told}", "the opposite")
        service.expect((host == _HOST) is is_read, f"the host {'counts' if is_read else 'does not'}", "the opposite")


def _looks(proxies: TrustedProxies, service: Service) -> None:
    proxy = _proxy_in(service, proxies.networks[0])
    for count in (proxies.max_elements, proxies.max_elements + 1):
        lines = _lines(proxies.reads[0], [_CLIENT, *[proxy.address] * (count - 1)])
        found = service.ask(lines, caller=proxy).context_here.forwarded
        is_found = found is not None and found.address == _CLIENT
        wanted = count <= proxies.max_elements
        service.expect(is_found is wanted, "the client is found" if wanted else "it is not", "the opposite")


def _lines(source: ForwardedSource, chain: list[str]) -> list[tuple[str, str]]:
    """What proxies write of a chain, the client first."""
    if source is ForwardedSource.FORWARDED:
        nodes = [f'for="[{node}]"' if ":" in node else f"for={node}" for node in chain]
        return [("forwarded", ", ".join(f"{node};proto=https;host={_HOST}" for node in nodes))]
    return [
        ("x-forwarded-for", ", ".join(chain)),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", _HOST),
    ]


def _proxy_in(service: Service, network: str) -> Caller:
    """Somebody who stands there, and brings what a verified caller would."""
    verified = service.callers.verified
    return Caller(str(ip_network(network)[0]), () if verified is None else verified.headers)


def _is_trusted(proxies: TrustedProxies | None, address: str) -> bool:
    return proxies is not None and proxies.trusted.hold(parse_address(address))
