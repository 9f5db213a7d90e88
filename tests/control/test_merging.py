"""Merge patches and differences."""

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pennon.control.merging import differences, is_same, merged

LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=1)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc/~"), inner, max_size=3),
    max_leaves=8,
)
# RFC 7396 §1: a document that holds null cannot be told in a patch.
WITHOUT_NULL = JSON.filter(lambda document: "null" not in json.dumps(document))


def test_merged_gives_the_result_of_every_case_of_the_rfc(vectors: Callable[[str], list[dict[str, Any]]]) -> None:
    """The cases of RFC 7396, Appendix A."""
    for case in vectors("merge_patch.json"):
        assert case["result"] == merged(case["target"], case["patch"]), case


@given(JSON, JSON)
def test_merged_does_what_the_pseudocode_of_the_rfc_does(target: Any, patch: Any) -> None:
    """RFC 7396 §2, written down step by step."""
    assert is_same(_merge_patch(copy.deepcopy(target), patch), merged(target, patch))


@given(JSON, JSON)
def test_merged_leaves_its_arguments_alone(target: Any, patch: Any) -> None:
    """What is stored must not change before it is checked."""
    before = copy.deepcopy((target, patch))

    merged(target, patch)

    assert is_same(list(before), [target, patch])


@given(WITHOUT_NULL, WITHOUT_NULL)
def test_differences_are_none_exactly_for_equal_documents(one: Any, other: Any) -> None:
    """An edit that changes nothing has no diff, and no edit that changes something is without."""
    assert is_same(one, other) is (differences(one, other) == ())


@given(WITHOUT_NULL, WITHOUT_NULL)
def test_differences_hold_all_that_the_patched_document_needs(before: Any, after: Any) -> None:
    """Each difference put into its place gives the document after."""
    patched = copy.deepcopy(before)
    for difference in differences(before, after):
        patched = _put(patched, difference.path, difference.after)

    assert is_same(after, patched)


def test_is_same_tells_booleans_and_floats_from_integers() -> None:
    """To Python they are equal; an author who changes 1 into true has changed the document."""
    assert not is_same([1], [True])
    assert not is_same({"a": [1.0]}, {"a": [1]})


def _merge_patch(target: Any, patch: Any) -> Any:
    if isinstance(patch, dict):
        if not isinstance(target, dict):
            target = {}
        for name, value in patch.items():
            if value is None:
                if name in target:
                    del target[name]
            else:
                target[name] = _merge_patch(target.get(name), value)
        return target
    return patch


def _put(document: Any, path: str, value: Any) -> Any:
    if not path:
        return value
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]
    holder = document
    for part in parents:
        holder = holder[int(part)] if isinstance(holder, list) else holder[part]
    if isinstance(holder, list):
        holder[int(last)] = value
    elif value is None:
        del holder[last]
    else:
        holder[last] = value
    return document
