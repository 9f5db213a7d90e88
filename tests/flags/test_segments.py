"""Segments: members and rules, by the vectors."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pennon.flags import SegmentClause, SegmentRecord, member_hash


def test_member_hash_fulfils_the_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Each key is listed as its vector says, over the bytes that it says."""
    for case in vectors("segments")["members"]:
        assert case["bytes_hex"] == f"{case['salt']}:{case['key']}".encode("utf-8", "surrogatepass").hex()
        assert case["member"] == member_hash(case["salt"], case["key"])


def test_segment_clause_fulfils_the_vectors(make: Any, vectors: Callable[[str], dict[str, Any]]) -> None:
    """Who is in, who is not, and who is neither because there is no unit."""
    document = vectors("segments")
    segments = {key: msgspec.convert(segment, SegmentRecord) for key, segment in document["segments"].items()}
    for case in document["cases"]:
        for negate, expected in ((False, "holds"), (True, "negated")):
            clause = SegmentClause(case["segment"], negate=negate)
            flag = make.compiled(make.gate(clause), segments[case["segment"]])
            answer = flag.answer(case["unit_key"], case["attributes"], case["units"])
            assert case[expected] == answer.value, (expected, case)


@pytest.mark.parametrize("member", ["", "00", "zz" * 8, "A" * 16, "0" * 17, "\u0660" * 16])
def test_segment_with_a_malformed_member_makes_its_flag_unusable(make: Any, member: str) -> None:
    """A list that cannot be read is not read in part."""
    segment = SegmentRecord("s", "user", "s", (member,))
    flag = make.compiled(make.gate(SegmentClause("s")), segment)
    assert flag.answer("user-7", {}, {}).error == "PARSE_ERROR"
    assert "16 lower-case hex digits" in (flag.fault or "")


def test_segment_finds_each_of_ten_thousand_members(make: Any) -> None:
    """All that are listed are in, none beside them."""
    members = tuple(sorted(member_hash("s", f"user-{number}") for number in range(10_000)))
    flag = make.compiled(make.gate(SegmentClause("s")), SegmentRecord("s", "user", "s", members))
    found = [flag.answer(f"user-{number}", {}, {}).value for number in range(9_990, 10_010)]
    assert [True] * 10 + [False] * 10 == found
