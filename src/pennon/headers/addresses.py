"""IP addresses and the networks that are trusted."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final

from pennon.errors import Fault, SettingInvalid

Address = IPv4Address | IPv6Address

# Peers whose standing is remembered; about 100 kB.
_REMEMBERED_COUNT: Final = 1_024


def parse_address(text: str | None) -> Address | None:
    """The address; None if it is none. IPv4 in IPv6 (::ffff:10.0.0.1) is IPv4."""
    if text is None:
        return None
    try:
        # Not `ip_address`, which tries both: a failed try costs as much as the address.
        if ":" not in text:
            return IPv4Address(text)
        address = IPv6Address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address


class Networks:
    """Some networks, e.g. "10.0.0.0/8" or "::1".

    Raises: SettingInvalid with every one that is none, or if none is given.
    """

    __slots__ = ("_masks", "hold_text")

    def __init__(self, cidrs: Sequence[str]) -> None:
        faults = []
        # Comparing two integers costs a fifth of asking a network object.
        self._masks: list[tuple[int, int, int]] = []
        for number, cidr in enumerate(cidrs):
            try:
                network = ip_network(cidr)
            except ValueError as error:
                faults.append(Fault(f"/{number}", f"{cidr!r} is not a network: {error}; e.g. '10.0.0.0/8'"))
            else:
                self._masks.append((network.version, int(network.netmask), int(network.network_address)))
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
        version, number = address.version, int(address)
        return any(version == of and number & mask == base for of, mask, base in self._masks)

    def _holds_text(self, text: str | None) -> bool:
        return self.hold(parse_address(text))
