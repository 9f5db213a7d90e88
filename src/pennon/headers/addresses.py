"""IP addresses and the networks that are trusted."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from pennon.errors import Fault, SettingInvalid

Address = IPv4Address | IPv6Address

# Peers whose standing is remembered; about 100 kB.
_REMEMBERED_COUNT: Final = 1_024

# Read by expression, an address costs a third of what `ipaddress` takes for its text: whoever sends a chain of them
# makes us read them all. What both take for an address is the same (tests/headers/test_addresses.py).
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_DOTTED: Final = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_HEX: Final = "([0-9A-Fa-f]{1,4})"
_V4: Final = re.compile(_DOTTED)
# RFC 4291 §2.2, with all eight groups written: 1 and, for the last two, 3.
_V6: Final = re.compile(f"{_HEX}:{_HEX}:{_HEX}:{_HEX}:{_HEX}:{_HEX}:(?:{_HEX}:{_HEX}|{_DOTTED})")
_MAPPED: Final = 0xFFFF
_V4_BITS: Final = 32


def parse_address(text: str | None) -> Address | None:
    """The address; None if it is none. IPv4 in IPv6 (::ffff:10.0.0.1) is IPv4."""
    if text is None:
        return None
    if ":" not in text:
        match = _V4.fullmatch(text)
        return None if match is None else IPv4Address(_v4_number(*match.groups()))
    if "%" in text:
        return _scoped(text)
    match = _V6.fullmatch(_written_out(text) if "::" in text else text)
    if match is None:
        return None
    a, b, c, d, e, f, g, h, *octets = match.groups()
    low = int(f"{g:>04}{h:>04}", 16) if h else _v4_number(*octets)
    number = int(f"{a:>04}{b:>04}{c:>04}{d:>04}{e:>04}{f:>04}", 16)
    return IPv4Address(low) if number == _MAPPED else IPv6Address(number << _V4_BITS | low)


def _v4_number(first: str, second: str, third: str, fourth: str) -> int:
    return int(first) << 24 | int(second) << 16 | int(third) << 8 | int(fourth)


def _written_out(text: str) -> str:
    """An IPv6 address with "::" as eight groups; something else if it is none."""
    begins, ends = text.startswith("::"), text.endswith("::")
    count = (7 if "." in text else 8) - text.count(":")
    # "::" stands for one group at least.
    if count < (0 if begins or ends else 1):
        return ""
    written = text.replace("::", f":{'0:' * count}", 1)
    return f"{'0' if begins else ''}{written}{'0' if ends else ''}"


def _scoped(text: str) -> Address | None:
    """An address with the interface it holds on, as the socket of a peer nearby has it (RFC 4007 §11)."""
    try:
        return IPv6Address(text)
    except ValueError:
        return None


class Networks:
    """Some networks, e.g. "10.0.0.0/8" or "::1".

    Raises: SettingInvalid with every one that is none, or if none is given.
    """

    __slots__ = ("_masks", "hold_text")

    def __init__(self, cidrs: Sequence[str]) -> None:
        faults = []
        # Comparing two integers costs a fifth of asking a network object. By version.
        self._masks: dict[int, list[tuple[int, int]]] = {4: [], 6: []}
        for number, cidr in enumerate(cidrs):
            try:
                network = ip_network(cidr)
            except ValueError as error:
                faults.append(Fault(f"/{number}", f"{cidr!r} is not a network: {error}; e.g. '10.0.0.0/8'"))
            else:
                self._masks[network.version].append((int(network.netmask), int(network.network_address)))
        if not cidrs:
            faults.append(Fault("", "no network was named; e.g. '10.0.0.0/8'"))
        if faults:
            raise SettingInvalid(faults)
        # Whether they hold the address that a text is. Peers are few and come again and again.
        self.hold_text: Callable[[str | None], bool] = lru_cache(_REMEMBERED_COUNT)(self._holds_text)

    def hold(self, address: Address | None) -> bool:
        """Whether the address lies in one of them; None lies in none."""
        if address is None:
            return False
        number = int(address)
        # Not `any`: a generator costs as much as all that it looks at.
        for mask, base in self._masks[address.version]:  # noqa: SIM110
            if number & mask == base:
                return True
        return False

    def _holds_text(self, text: str | None) -> bool:
        return self.hold(parse_address(text))
