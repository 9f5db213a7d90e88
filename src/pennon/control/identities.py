"""Ids of flags and variants: drawn at random, never given twice, so that a carried decision names one thing for ever.

At random and not counted up, because a restored backup would count the same numbers again, for other things.
"""

from collections.abc import Container, Iterator
from typing import Final

from pennon.control.documents import FlagDocument, FlagDraft, Variant, members_of
from pennon.control.merging import is_same
from pennon.control.reading import found, pointer
from pennon.control.states import Draw, FlagState
from pennon.errors import DocumentInvalid, Fault

_FLAG_ID_BITS: Final = 24
_VARIANT_ID_BITS: Final = 8


def flag_id_of(taken: Container[int], draw: Draw) -> int:
    """An id that no flag of the project ever had."""
    return _drawn(_FLAG_ID_BITS, taken, draw)


def identified(
    draft: FlagDraft,
    used_ids: frozenset[int],
    *,
    version: int,
    flag_id: int,
    draw: Draw,
    ids: dict[str, int | None] | None = None,
) -> FlagState:
    """The flag with an id for each variant: the one its key has, else one that no variant ever had."""
    used, variants = set(used_ids), []
    for variant in draft.variants:
        variant_id = (ids or {}).get(variant.key)
        if variant_id is None:
            if len(used) >= 1 << _VARIANT_ID_BITS:
                message = f"{len(used)} variants have used up the ids of this flag; make a new flag"
                raise DocumentInvalid([Fault("/variants", message)])
            variant_id = _drawn(_VARIANT_ID_BITS, used, draw)
            used.add(variant_id)
        variants.append(Variant(key=variant.key, value=variant.value, id=variant_id))
    members = members_of(draft) | {"variants": variants}
    return FlagState(FlagDocument(**members, id=flag_id, version=version), frozenset(used))


def variant_id_faults(document: object, ids: dict[str, int | None]) -> Iterator[Fault]:
    """A fault for each variant id that is not what the server has set. ids: by variant key."""
    variants = document.get("variants") if isinstance(document, dict) else None
    for i, variant in enumerate(variants if isinstance(variants, list) else []):
        if not isinstance(variant, dict) or variant.get("id") is None:
            continue
        held = ids.get(variant["key"]) if isinstance(variant.get("key"), str) else None
        if not is_same(variant["id"], held):
            allowed = "left out" if held is None else f"{held} or left out"
            message = f"{found(variant['id'])} found, must be {allowed}: the server sets it"
            yield Fault(pointer(("variants", i, "id")), message)


def _drawn(bits: int, taken: Container[int], draw: Draw) -> int:
    while (number := draw(bits)) in taken:
        pass
    return number
