"""Whole baggage headers, as services of other languages send them on, against vectors."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pennon.carry import arrive, decode, depart
from pennon.context import Entry, Identity, Member
from pennon.headers import Contract, Downstream, parse_baggage

CASES = json.loads((Path(__file__).parent / "vectors" / "carry" / "baggage.json").read_text(encoding="ascii"))["cases"]
POSTS = Downstream("posts", host="posts.internal")
CONTRACT = Contract("feed", version="1", owner="tests", downstreams=(POSTS,))


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_baggage_is_taken_and_forwarded_as_the_vector_says(
    case: dict[str, Any], entry_from: Callable[[dict[str, Any]], Entry]
) -> None:
    """Decisions, marks, faults and members of later versions come in, and all but the faults leave again."""
    headers = [(b"baggage", line.encode()) for line in case["headers"]]
    arrival = arrive(CONTRACT, headers, is_trusted=True, identity=Identity(), entropy=bytes(range(40)))
    context, ledger = arrival.context, arrival.context.ledger
    expected = {entry_from(entry) for entry in case["entries"]}
    later = tuple(Member(*each) for each in case["later"])
    assert expected == {entry for entries in ledger.arrived.values() for entry in entries}
    assert (case["was_cut"], case["is_replay"]) == (ledger.was_cut, context.is_replay)
    assert tuple(case["dropped"]) == arrival.group_faults
    assert later == ledger.foreign

    leaving = dict(depart(CONTRACT, POSTS, context, trace=None).set).get(b"baggage", b"")
    members = parse_baggage([leaving]).members
    decoded = decode("".join(member.value for member in members if member.key == "pennon"))
    assert (expected, case["was_cut"], case["is_replay"], ()) == (
        set(decoded.entries),
        decoded.was_cut,
        decoded.is_replay,
        decoded.dropped,
    )
    assert later == tuple(member for member in members if member.key.startswith("pennon") and member.key != "pennon")
