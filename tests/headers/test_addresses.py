"""Addresses are read as `ipaddress` reads them, at a part of its price."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pennon.headers.addresses import Networks, parse_address

parts = st.sampled_from(
    [":", "::", ":::", ".", "0", "00", "1", "ffff", "FFFF", "fffff", "g", "255", "256", "01", "10.0.0.1", "1.2.3"]
)
groups = st.lists(st.sampled_from(["0", "1", "ffff", "10.0.0.1", "", ":"]), max_size=9).map(":".join)
noise = st.text(st.sampled_from("0123456789abcdefABCDEF:.%/ _+-\n٣"), max_size=45)
texts = st.one_of(st.lists(parts, max_size=16).map("".join), groups, noise)


def _by_the_book(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


@given(texts)
@example("1:2:3:4::5:6:7:8")
@example("::2:3:4:5:6:7:8")
@example("1:2:3:4:5:6:7::")
@example(":1::2")
@example("1::2:")
@example("::ffff:10.0.0.1")
@example("::ffff:0a00:1")
@example("::10.0.0.1")
@example("1:2:3:4:5:6::10.0.0.1")
@example("1:2:3:4:5::10.0.0.1")
@example("::")
@example("::1%eth0")
@example("fe80::1%")
def test_text_is_read_as_ipaddress_reads_it(text: str) -> None:
    """Or is none for both."""
    assert _by_the_book(text) == parse_address(text)


@given(st.ip_addresses())
def test_every_address_is_read_as_it_is_written(address: IPv4Address | IPv6Address) -> None:
    """Shortened and in full, lower case and upper."""
    expected = _by_the_book(str(address))

    assert [expected] * 3 == [parse_address(text) for text in (str(address), address.exploded, str(address).upper())]


@pytest.mark.req(11)
@given(st.ip_addresses(), st.sampled_from(["10.0.0.0/8", "fd00::/8", "192.0.2.7", "::1", "::/0", "0.0.0.0/0"]))
def test_networks_hold_what_lies_in_them(address: IPv4Address | IPv6Address, cidr: str) -> None:
    """An IPv4 network no IPv6 address, and the other way round."""
    assert (address in ip_network(cidr)) is Networks([cidr]).hold(address)
