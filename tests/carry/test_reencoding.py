"""Services that only run OpenTelemetry, in any language: what they do to a baggage header does nothing to ours."""

from collections.abc import Callable
from urllib.parse import quote, quote_plus, unquote, unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from pennon.carry import Encoded, arrive, depart, encode, encode_entries, take_returned
from pennon.carry.wire import BUDGET_BYTES
from pennon.context import Entry, Identity, Origin, RequestContext
from pennon.headers import Contract, Downstream

POSTS = Downstream("posts", host="posts.internal")
CONTRACT = Contract("test", version="1", owner="tests", downstreams=(POSTS,))
ENTROPY = bytes(range(1, 41))
NODE_PLAIN = "-_.!~*'()"  # what encodeURIComponent leaves, beside letters and digits
JAVA_PLAIN = "-_.*"  # what URLEncoder leaves

entries = st.builds(
    Entry,
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 255),
    st.sampled_from(Origin),
    st.integers(0, 2**56 - 1),
)
members = st.lists(entries, min_size=1, max_size=8, unique_by=lambda entry: (entry.environment, entry.flag_id))
foreign = st.lists(
    st.tuples(st.sampled_from(["region", "promo", "a.b"]), st.text(st.characters(codec="ascii"), max_size=12)),
    max_size=3,
)


def _python(header: str) -> str:
    """A hop through the installed OpenTelemetry."""
    carrier: dict[str, str] = {}
    propagator = W3CBaggagePropagator()
    propagator.inject(carrier, propagator.extract({"baggage": header}, Context()))
    return carrier["baggage"]


def _recoded(decoded: Callable[[str], str], encoded: Callable[[str], str]) -> Callable[[str], str]:
    """A hop that decodes each value and encodes it anew."""

    def hop(header: str) -> str:
        pairs = (member.split(";")[0].partition("=") for member in header.split(","))
        return ",".join(f"{key.strip()}={encoded(decoded(value.strip()))}" for key, _, value in pairs)

    return hop


def _everything(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


HOPS: dict[str, Callable[[str], str]] = {
    "OpenTelemetry for Python": _python,
    "Java, percent": _recoded(unquote, lambda text: quote(text, safe="-_.~")),
    "Java, form": _recoded(unquote_plus, lambda text: quote_plus(text, safe=JAVA_PLAIN)),
    "Node": _recoded(unquote, lambda text: quote(text, safe=NODE_PLAIN)),
    "percent, all of it": _recoded(unquote, _everything),
    "percent, all of it, in lower case": _recoded(unquote, lambda text: _everything(text).lower()),
    "spaces around": lambda header: " , ".join(f"{each.replace('=', ' = ', 1)} ; p=1" for each in header.split(",")),
    "reordered": lambda header: ",".join(reversed(header.split(","))),
    "doubled": lambda header: f"{header},{header}",
}


@pytest.mark.parametrize("hop", HOPS.values(), ids=HOPS.keys())
@given(members, foreign, st.booleans())
def test_member_survives_a_hop_of_others(
    hop: Callable[[str], str], sent: list[Entry], beside: list[tuple[str, str]], is_replay: bool
) -> None:
    """Every decision and mark arrives, whatever else is in the header."""
    value = encode_entries(sent, is_replay=is_replay).value
    others = [f"{key}={quote(text, safe='')}" for key, text in beside if text]
    arrived = _arrive(hop(",".join([*others, f"pennon={value}"])))
    assert set(sent) == {entry for each in arrived.ledger.arrived.values() for entry in each}
    assert is_replay is arrived.is_replay


@given(st.lists(st.sampled_from(list(HOPS.values())), max_size=6), members)
def test_member_survives_many_hops_of_others_and_ours(hops: list[Callable[[str], str]], sent: list[Entry]) -> None:
    """It wanders between services that know it and services that do not."""
    context = _arrive(f"pennon={encode_entries(sent).value}")
    for hop in hops:
        headers = dict(depart(CONTRACT, POSTS, context, trace=None).set)
        context = _arrive(hop(headers[b"baggage"].decode()))
    assert set(sent) == {entry for each in context.ledger.arrived.values() for entry in each}


def test_member_of_a_later_version_survives_a_hop_of_opentelemetry() -> None:
    """It does if it has no properties: those become part of the value there, whosever they are."""
    ledger = _arrive(_python("pennon2=x.y,pennon3=x;p=1,pennon=")).ledger
    assert [("pennon2", "x.y"), ("pennon3", "x;p=1")] == [(member.key, member.value) for member in ledger.foreign]


def _arrive(header: str) -> RequestContext:
    headers = [(b"baggage", header.encode())]
    return arrive(CONTRACT, headers, is_trusted=True, identity=Identity(), entropy=ENTROPY).context


few = st.builds(
    Entry,
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 1),
    st.integers(0, 3),
    st.integers(0, 2),
    st.sampled_from(Origin),
    st.integers(0, 300),
)


@given(
    groups=st.lists(st.lists(few, max_size=4), max_size=3) | st.lists(members, max_size=1),
    is_cut=st.booleans(),
    is_replay=st.booleans(),
    late=st.lists(few, max_size=1),
)
def test_what_arrived_leaves_as_if_it_were_written_anew(
    groups: list[list[Entry]], is_cut: bool, is_replay: bool, late: list[Entry]
) -> None:
    """What a ledger remembers of how it came only saves work: whole or cut, in a replay, and when more has come."""
    value = ".".join(filter(None, (encode_entries(each, was_cut=is_cut).value for each in groups)))

    def left(*, forgets: bool) -> list[Encoded]:
        headers = [(b"baggage", f"pennon={value}".encode())]
        arrival = arrive(CONTRACT, headers, is_trusted=True, identity=Identity(), entropy=ENTROPY, is_replay=is_replay)
        ledger = arrival.context.ledger
        said = []
        for returned in ([], late):
            if returned:
                values = [encode_entries(returned).value.encode()]
                take_returned(ledger, values, has_age=False, began_ns=0, note=lambda _: None)
            for budget_bytes in (BUDGET_BYTES, 60):
                if forgets:
                    ledger.encoded = None
                said.append(encode(ledger, is_replay=arrival.context.is_replay, budget_bytes=budget_bytes))
        return said

    assert left(forgets=True) == left(forgets=False)
