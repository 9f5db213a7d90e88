"""From decoded JSON of any kind to a draft, or to `DocumentInvalid` with every fault. Nothing else is raised."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

from pennon.control.documents import FlagDraft, SegmentDraft, SettingsDraft
from pennon.control.merging import is_same
from pennon.control.reading import found, in_document_order, pointer, read
from pennon.control.rules import Surroundings, flag_faults, segment_faults, settings_faults
from pennon.errors import DocumentInvalid, Fault

D = TypeVar("D", bound=BaseModel)

# Beyond what any document needs, below what would meet Python's recursion limit.
_LIMIT_DEPTH = 64


def checked_flag(document: object, more: Iterable[Fault] = ()) -> FlagDraft:
    """The flag that an author wrote. more: faults that the caller has found."""
    return checked(FlagDraft, document, (*flag_faults(document), *more))


def checked_settings(document: object, surroundings: Surroundings, more: Iterable[Fault] = ()) -> SettingsDraft:
    """The settings that an author wrote."""
    return checked(SettingsDraft, document, (*settings_faults(document, surroundings), *more))


def checked_segment(document: object, more: Iterable[Fault] = ()) -> SegmentDraft:
    """The segment that an author wrote."""
    return checked(SegmentDraft, document, (*segment_faults(document), *more))


def checked(model: type[D], document: object, meaning: Iterable[Fault]) -> D:
    """The draft, if neither its shape nor what its members mean to each other has faults."""
    draft, shape = read(model, document)
    faults = in_document_order(document, (*shape, *meaning))
    if draft is None or faults:
        raise DocumentInvalid(faults)
    return draft


def demand_shallow(document: object) -> None:
    """Nothing, unless the document is nested so deep that walking it is not safe. Raises: DocumentInvalid."""
    level = [document]
    for _ in range(_LIMIT_DEPTH):
        level = [member for holder in level for member in _members(holder)]
    if level:
        raise DocumentInvalid([Fault("", f"nested deeper than {_LIMIT_DEPTH} levels")])


def without_server_members(
    document: object, current: Mapping[str, Any], names: Iterable[str]
) -> tuple[object, list[Fault]]:
    """The document without the members that are the server's, and a fault for each that was changed.

    current: the stored members; empty for a new document, whose author leaves them out.
    """
    if not isinstance(document, dict):
        return document, []
    faults = [
        Fault(pointer((name,)), f"{found(document[name])} found, {_kept(name, current.get(name))}")
        for name in names
        if name in document and not is_same(document[name], current.get(name))
    ]
    return {name: value for name, value in document.items() if name not in names}, faults


def fixed_faults(document: object, before: Mapping[str, Any], names: Iterable[str]) -> Iterator[Fault]:
    """A fault for each member that must stay as it is and was changed."""
    for name in names:
        if isinstance(document, dict) and name in document and not is_same(document[name], before[name]):
            message = f"{found(document[name])} found, must stay {found(before[name])}; make a new one instead"
            yield Fault(pointer((name,)), message)


def _kept(name: str, held: object) -> str:
    allowed = "left out" if held is None else f"{found(held)} or left out"
    setter = "PUT and DELETE of …/kill set it" if name == "killed" else "the server sets it"
    return f"must be {allowed}: {setter}"


def _members(holder: object) -> Iterable[object]:
    if isinstance(holder, dict):
        return holder.values()
    return holder if isinstance(holder, list) else ()
