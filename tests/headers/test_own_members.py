"""Baggage members of ours are judged alike, however they are written and however many stand beside them."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.headers import Drop, DropReason

# As we write them, which is seen at one look, and otherwise.
WRITTEN = (
    ("pennon", "=AAAA.BBBB"),
    ("pennon", "="),
    ("pennon2", "=a-b_c"),
    ("pennon", " = AAAA"),
    ("pennon", "=AAAA;p=1"),
    ("pennon", "=a%20b"),
    ("pennon.later", "=1"),
    ("pennon" + "X" * 100, "=1"),
)
# More than are kept, so that keys are looked at before anything else.
CROWD = ",".join(f"k{number}=1" for number in range(40))


@pytest.mark.req(8, 31)
@pytest.mark.parametrize(("key", "value"), WRITTEN)
@pytest.mark.parametrize("beside", ["region=eu", CROWD], ids=["few", "many"])
def test_strangers_member_of_ours_is_dropped_undecoded(
    take: Callable[..., Any], decoded_keys: list[str], key: str, value: str, beside: str
) -> None:
    """Told by its key, cut to what is reported; never read."""
    arrived = take([("baggage", f"{beside},{key}{value}")], is_trusted=False)

    assert [Drop(f"baggage:{key}"[:64], DropReason.NOT_TRUSTED)] == [
        drop for drop in arrived.report.dropped if drop.name.startswith("baggage:pennon")
    ]
    assert not arrived.ours
    assert key not in decoded_keys


@pytest.mark.parametrize(("key", "value"), WRITTEN)
def test_our_member_is_the_same_in_any_company(take: Callable[..., Any], key: str, value: str) -> None:
    """What is read at one look is read as it is read among many."""
    few, many = (take([("baggage", f"{key}{value},{beside}")]).ours for beside in ("region=eu", CROWD))

    assert few == many
    assert [key] == [member.key for member in few]
