"""A tester's token: read once at a public boundary, dropped with a reason everywhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.context import RequestId
from pennon.headers import Contract, Downstream, Drop, DropReason, Extracted, extract, inject

CONTRACT = Contract("orders", version="1", owner="tests", downstreams=(Downstream("posts", host="posts.internal"),))
TOKEN = b"eyJhbGciOiJFZERTQSJ9.e30.c2ln"
NAME = b"Pennon-Override"


def taken(*values: bytes, is_trusted: bool = False, takes_override: bool = True) -> Extracted:
    """What is extracted of these lines of the header."""
    return extract(
        CONTRACT,
        [(NAME, value) for value in values],
        is_trusted=is_trusted,
        entropy=bytes(40),
        takes_override=takes_override,
    )


@pytest.mark.parametrize("token", [TOKEN, b"x", b"a" * 2_048, b" \t" + TOKEN + b" "])
def test_one_line_of_visible_ascii_is_taken(token: bytes) -> None:
    """As it came, without the white space around it; nobody has verified it."""
    found = taken(token)

    assert token.strip().decode() == found.override
    assert "pennon-override" in found.report.took
    assert () == found.report.dropped


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([TOKEN, b"other"], DropReason.REPEATED),
        ([TOKEN, TOKEN], DropReason.REPEATED),
        ([b"a" * 2_049], DropReason.TOO_LONG),
        ([b""], DropReason.MALFORMED),
        ([b"two words"], DropReason.MALFORMED),
        ([TOKEN + b"\n"], DropReason.MALFORMED),
        ([b"a\xc3\xa9"], DropReason.MALFORMED),
        ([b"a\x7f"], DropReason.MALFORMED),
    ],
)
def test_anything_else_is_dropped_with_its_reason(values: list[bytes], reason: DropReason) -> None:
    """Which of two tokens was meant is not guessed, and nothing long or strange is kept."""
    found = taken(*values)

    assert None is found.override
    assert (Drop("pennon-override", reason),) == found.report.dropped


@pytest.mark.parametrize("is_trusted", [False, True])
def test_in_a_mesh_it_is_dropped(is_trusted: bool) -> None:
    """Only the boundary where the tester stands reads it; behind it travels what it decided."""
    found = taken(TOKEN, is_trusted=is_trusted, takes_override=False)

    assert None is found.override
    assert (Drop("pennon-override", DropReason.MISPLACED),) == found.report.dropped


@given(st.lists(st.binary(max_size=40) | st.just(TOKEN), max_size=3), st.booleans(), st.booleans())
def test_no_bytes_raise_and_the_report_never_holds_them(
    values: list[bytes], is_trusted: bool, takes_override: bool
) -> None:
    """It is taken, or it is named among what was dropped."""
    found = taken(*values, is_trusted=is_trusted, takes_override=takes_override)

    is_named = any(drop.name == "pennon-override" for drop in found.report.dropped)
    assert bool(values) == (is_named or found.override is not None)
    assert TOKEN.decode() not in repr(found.report)


@pytest.mark.parametrize("is_declared", [False, True])
def test_it_is_taken_off_whatever_leaves(is_declared: bool) -> None:
    """Also where somebody copied it in by hand."""
    downstream = CONTRACT.downstreams[0] if is_declared else None
    leaving = inject(
        CONTRACT, downstream, trace=None, request_id=RequestId("r"), correlation_id=None, baggage=(), ours=(), fields=()
    )

    assert b"pennon-override" in leaving.remove
    assert b"pennon-override" not in dict(leaving.set)
