"""Who asks behind proxies: read from the right, and only as far as somebody trusted speaks."""

from collections.abc import Callable
from ipaddress import ip_address
from itertools import islice
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pennon.context import Forwarded
from pennon.errors import SettingInvalid
from pennon.headers import Drop, DropReason
from pennon.headers.forwarded import Node, parse_forwarded, parse_node, parse_x_forwarded_node
from pennon.headers.proxies import Behind, ForwardedSource, TrustedProxies, client_behind

Case = dict[str, Any]
PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8"], reads=list(ForwardedSource))
NAMES = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]

addresses = st.ip_addresses().map(str)
strangers = st.ip_addresses(v=4, network="192.0.2.0/24").map(str)
ours = st.ip_addresses(v=4, network="10.0.0.0/8").map(str)
pieces = st.sampled_from(
    [
        'for="',
        ", for=10.0.0.2;proto=http",
        ",",
        '"',
        "\\",
        "for=127.0.0.1",
        ";",
        "=",
        "host=a",
        " ",
        "unknown",
        "_x",
        "[::1]",
    ]
)
texts = st.lists(pieces, max_size=30).map("".join).map(str.encode)
values = st.one_of(st.binary(max_size=60), texts)


def found_in(headers: list[tuple[str, bytes]]) -> dict[str, list[bytes]]:
    """Values by name."""
    found: dict[str, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    return found


def test_elements_are_read_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """From the right, and nothing beyond a malformed one."""
    for case in vectors("forwarded.json", "elements"):
        read = list(parse_forwarded([value.encode("latin-1") for value in case["values"]]))
        told = [
            each and {"for": each.for_node, "by": each.by_node, "host": each.host, "proto": each.proto} for each in read
        ]

        assert case["elements"] == told, case["name"]


@pytest.mark.parametrize(("part", "parse"), [("node", parse_node), ("x_node", parse_x_forwarded_node)])
def test_node_is_read_as_the_vector_says(
    part: str, parse: Callable[[str], Node | None], vectors: Callable[[str, str], list[Case]]
) -> None:
    """Addresses as they are usually written; what is none is None."""
    for case in vectors("forwarded.json", part):
        node = parse(case["text"])
        text = None if node is None else node.identifier or str(node.address)
        told = (None, None, None) if node is None else (node.kind, text, node.port)

        assert (case["kind"], case["is"], case["port"]) == told, case


@pytest.mark.req(11)
def test_client_is_found_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """The right-most untrusted, its scheme and host, and what did not count."""
    for case in vectors("forwarded.json", "client"):
        reads = [ForwardedSource(each) for each in case.get("reads", list(ForwardedSource))]
        proxies = TrustedProxies(PROXIES.networks, reads=reads, max_elements=case.get("max_elements", 8))
        behind = client_behind(
            case["peer"], found_in([(name, value.encode()) for name, value in case["headers"]]), proxies
        )
        # Where nobody trusted speaks, the peer itself asks.
        client = behind.client or Forwarded(case["peer"])
        hops = case.get("hops", [case["peer"]])

        expected = [case.get(key) for key in ("address", "identifier", "proto", "host", "port")]
        assert expected == [client.address, client.identifier, client.proto, client.host, client.port], case["name"]
        assert (hops, case["took"]) == ([str(hop) for hop in behind.hops], sorted(behind.took)), case["name"]
        assert sorted(case["dropped"]) == sorted([drop.name, drop.reason] for drop in behind.dropped), case["name"]


@pytest.mark.req(11)
def test_without_proxies_the_peer_is_the_client() -> None:
    """Who declares no proxies believes no header."""
    behind = client_behind("192.0.2.9", {"x-forwarded-for": [b"1.1.1.1"]}, None)

    assert (None, 1) == (behind.client, len(behind.dropped))


@pytest.mark.req(11)
@given(st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=8), addresses)
def test_no_bytes_raise_and_a_stranger_is_not_believed(headers: list[tuple[str, bytes]], peer: str) -> None:
    """Any bytes, any peer: an answer; and a peer that is not ours is the client."""
    behind = client_behind(peer, found_in(headers), PROXIES)

    assert behind.hops or (behind.client is None and behind.took == ())


@pytest.mark.req(11)
@given(values, strangers, st.lists(ours, max_size=5), st.booleans(), st.booleans())
def test_what_a_stranger_sends_changes_nothing(
    sent: bytes, stranger: str, chain: list[str], is_standard: bool, in_one_line: bool
) -> None:
    """Whatever a client writes before the proxies append to it, the client found is the same."""
    name = "forwarded" if is_standard else "x-forwarded-for"
    form = "for={}" if is_standard else "{}"
    appended = ", ".join(form.format(each) for each in [stranger, *chain]).encode()
    lines = [sent + b", " + appended] if in_one_line else [sent, appended]
    behind = client_behind("10.0.0.1", {name: lines}, PROXIES)
    hops = tuple(map(ip_address, ["10.0.0.1", *reversed(chain)]))

    assert Behind(Forwarded(stranger), hops=hops, took=(name,), elements=len(hops)) == behind


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=40))
@example('a, for=127.0.0.1;x="a", b')
@example(",,")
@example("\\")
def test_a_host_that_a_stranger_chose_stays_one_value(host: str) -> None:
    """A proxy that quotes what it was sent is read as it meant it."""
    quoted = host.replace("\\", "\\\\").replace('"', '\\"')
    wire = f'for=192.0.2.9;host="{quoted}", for=10.0.0.2'.encode()
    read = [each for each in parse_forwarded([wire]) if each is not None]

    assert ["10.0.0.2", "192.0.2.9", host] == [read[0].for_node, read[1].for_node, read[1].host]


def test_only_what_is_asked_for_is_read() -> None:
    """A million elements cost what the first ones from the right cost."""
    elements = parse_forwarded([b"for=192.0.2.9, " * 1_000_000 + b"for=10.0.0.2"])

    assert ["10.0.0.2", "192.0.2.9"] == [each.for_node for each in islice(elements, 2) if each is not None]
    assert len(list(elements)) < 300


@pytest.mark.req(11)
@pytest.mark.parametrize("host", ["h" * 340, "h" * 240 + '\\"' * 30, "h" * 100 + "\\\\" * 30])
def test_a_chain_too_long_to_be_seen_is_nobodys(host: str) -> None:
    """A client that makes our proxies repeat something long is not taken for one of them."""
    chain = [f'for={address};host="{host}"' for address in ("192.0.2.9", *["10.0.0.2"] * 6)]
    behind = client_behind("10.0.0.1", {"forwarded": [", ".join(chain).encode()]}, PROXIES)

    assert (Forwarded(None), (Drop("forwarded", DropReason.MALFORMED),)) == (behind.client, behind.dropped)


@pytest.mark.req(11)
@pytest.mark.parametrize(("count", "is_compared"), [(3, True), (4, False)])
def test_two_chains_share_what_is_read(count: int, is_compared: bool) -> None:
    """Eight elements together, so that the second is compared as far as the first has left any."""
    ours_in_between = ["10.0.0.2"] * count
    found = {
        "forwarded": [", ".join(f"for={each}" for each in ["192.0.2.9", *ours_in_between]).encode()],
        "x-forwarded-for": [", ".join(["192.0.2.10", *ours_in_between]).encode()],
    }
    behind = client_behind("10.0.0.1", found, PROXIES)

    assert (Forwarded("192.0.2.9"), is_compared) == (behind.client, bool(behind.dropped))


def test_settings_tell_every_fault_at_once() -> None:
    """A typo in a list of proxies must not make it shorter, nor one in `reads` believe nobody."""
    with pytest.raises(SettingInvalid) as refusal:
        TrustedProxies(["10.0.0.0/8", "10/8"], reads=["x-forwarded-for"], max_elements=0)  # type: ignore[list-item]

    assert ["/networks/1", "/reads/0", "/max_elements"] == [fault.path for fault in refusal.value.faults]


@pytest.mark.req(11)
def test_settings_say_what_the_proxies_write() -> None:
    """What ours do not write is a client's own: nothing is assumed about it."""
    with pytest.raises(TypeError, match="reads"):
        TrustedProxies(["10.0.0.0/8"])  # type: ignore[call-arg]
    with pytest.raises(SettingInvalid, match="/reads"):
        TrustedProxies(["10.0.0.0/8"], reads=[])


@pytest.mark.req(11)
def test_a_clients_own_forwarded_does_not_pass_through() -> None:
    """Behind proxies that write X-Forwarded-For alone, a Forwarded is the client's and counts for nothing."""
    proxies = TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED])
    found = {"forwarded": [b"for=127.0.0.1"], "x-forwarded-for": [b"192.0.2.9"]}
    behind = client_behind("10.0.0.1", found, proxies)

    assert Forwarded("192.0.2.9") == behind.client
    assert (Drop("forwarded", DropReason.NOT_TRUSTED),) == behind.dropped
