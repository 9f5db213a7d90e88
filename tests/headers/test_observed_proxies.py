"""Where the limit on headers is only observed, what was not read may be what the nearest proxy says."""

import pytest

from pennon.context import Forwarded
from pennon.headers import Contract, ForwardedSource, Limits, TrustedProxies, extract

PROXIES = TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED])
CONTRACT = Contract("shop", version="1", owner="team-shop", proxies=PROXIES, limits=Limits.OBSERVE)

# As HAProxy does it: its own line behind those that a client sent.
OWN_LINE = (b"x-forwarded-for", b"192.0.2.1")


def forwarded(headers: list[tuple[bytes, bytes]], peer: str) -> Forwarded | None:
    return extract(CONTRACT, headers, is_trusted=False, entropy=bytes(range(40)), peer=peer).forwarded


@pytest.mark.req(120)
@pytest.mark.parametrize(
    ("name", "count"),
    [(b"x-forwarded-for", 100), (b"traceparent", 100), (b"x-forwarded-for", 2_000), (b"x-nothing", 500)],
)
def test_client_s_own_lines_never_stand_for_a_proxy_s(name: bytes, count: int) -> None:
    """Nobody trusted is known to have said whose request it is: neither the client's word nor the proxy itself."""
    assert Forwarded(None) == forwarded([(name, b"198.51.100.6")] * count + [OWN_LINE], "10.0.0.1")


@pytest.mark.req(120)
def test_whoever_speaks_for_itself_is_the_client_however_much_it_says() -> None:
    """From outside of the trusted networks nothing counts, and the peer is the client."""
    assert forwarded([OWN_LINE] * 101, "203.0.113.5") is None


@pytest.mark.req(120)
def test_a_proxy_is_heard_behind_what_means_nothing() -> None:
    """Headers that mean nothing here push nobody out."""
    assert Forwarded("192.0.2.1") == forwarded([(b"x-nothing", b"")] * 499 + [OWN_LINE], "10.0.0.1")
