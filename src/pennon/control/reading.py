"""From decoded JSON to a draft, or to every fault of its shape: where it is, what was found, what it must be."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from pennon.control import documents
from pennon.errors import Fault

M = TypeVar("M", bound=BaseModel)

Place = tuple[str | int, ...]

# A fault shows what was found; a whole document in a message would hide the message.
_FOUND_LIMIT_CHARACTERS: Final = 60

# More are of no use to anyone, and a hostile document could hold a hundred thousand.
FAULTS_LIMIT_COUNT: Final = 100


def read(model: type[M], document: object) -> tuple[M | None, tuple[Fault, ...]]:
    """The draft, or None and the faults. document: decoded JSON of any type."""
    try:
        return model.model_validate(document), ()
    except ValidationError as error:
        return None, tuple(_faults(model, error))


def pointer(place: Iterable[str | int]) -> str:
    """The JSON pointer (RFC 6901). Lone surrogates are written as escapes, so that it can be sent."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in place)
    return _sendable("".join(f"/{part}" for part in parts))


def found(value: object) -> str:
    """A value as JSON, cut where it grows long."""
    text = _sendable(json.dumps(_shallow(value), default=repr, ensure_ascii=False))
    return text if len(text) <= _FOUND_LIMIT_CHARACTERS else f"{text[:_FOUND_LIMIT_CHARACTERS]}…"


def in_document_order(document: object, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """The faults, first in the document first, one for each place, FAULTS_LIMIT_COUNT at most."""
    by_path: dict[str, Fault] = {}
    for fault in faults:
        by_path.setdefault(fault.path, fault)
    ordered = sorted(by_path.values(), key=lambda fault: _position(document, fault.path))
    return tuple(ordered[:FAULTS_LIMIT_COUNT])


def _sendable(text: str) -> str:
    # A lone surrogate is one of the things that may have been found.
    return text.encode("utf-8", "backslashreplace").decode()


def _faults(model: type[BaseModel], error: ValidationError) -> Iterator[Fault]:
    for detail in error.errors(include_url=False):
        place = _without_tags(detail["loc"])
        say = _SAYINGS.get(detail["type"], _say_unforeseen)
        yield Fault(pointer(place), say(detail, _Home(model, detail["loc"])))


def _without_tags(loc: Place) -> Place:
    """Pydantic puts the chosen op behind `clauses/<index>`; the document has no such member."""
    tags = {i + 2 for i, (name, index) in enumerate(pairwise(loc)) if _is_clause(name, index)}
    return tuple(part for i, part in enumerate(loc) if i not in tags)


def _is_clause(name: str | int, index: str | int) -> bool:
    return name == "clauses" and isinstance(index, int)


class _Home:
    """The object in which a fault was found, by pydantic's location."""

    def __init__(self, model: type[BaseModel], loc: Place) -> None:
        self._model = model
        self._loc = loc

    def allowed(self) -> str:
        """The members that it may have."""
        return ", ".join(f"'{name}'" for name in self._members().model_fields)

    def ops(self) -> list[str]:
        """The ops that its clauses may have."""
        return [op for op in _CLAUSES if op != "segment" or not issubclass(self._model, documents.SegmentDraft)]

    def _members(self) -> type[BaseModel]:
        if len(self._loc) >= 4 and _is_clause(*self._loc[-4:-2]):
            return _CLAUSES[str(self._loc[-2])]
        names = [part for part in self._loc[:-1] if isinstance(part, str)]
        if not names:
            return self._model
        if names[-1] == "rules" and issubclass(self._model, documents.SegmentDraft):
            return documents.SegmentRule
        return _PARTS[names[-1]]


def _shallow(value: object) -> object:
    # Of a container one level is shown: enough to recognise it, and it cannot be too deep to encode.
    if isinstance(value, dict):
        return {str(key): _flat(member) for key, member in list(value.items())[:5]}
    if isinstance(value, list):
        return [_flat(member) for member in value[:5]]
    return value[:_FOUND_LIMIT_CHARACTERS] if isinstance(value, str) else value


def _flat(value: object) -> object:
    return "…" if isinstance(value, dict | list) else _shallow(value)


def _position(document: object, path: str) -> tuple[int, ...]:
    position = []
    for part in path.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            position.append(list(document).index(name))
            document = document[name]
        elif isinstance(document, list) and name.isdigit() and int(name) < len(document):
            position.append(int(name))
            document = document[int(name)]
        else:
            # What is missing comes after what is there.
            return (*position, 1 << 32)
    return tuple(position)


def _say_found(phrase: str) -> Callable[[Any, _Home], str]:
    return lambda detail, _home: f"{found(detail['input'])} found, must be {phrase}"


def _say_phrase(detail: Any, _home: _Home) -> str:
    return f"{found(detail['input'])} found, must be {detail['ctx']['phrase']}"


def _say_unknown(_detail: Any, home: _Home) -> str:
    return f"unknown, allowed are {home.allowed()}"


def _say_missing(_detail: Any, _home: _Home) -> str:
    return "missing, must be given"


def _say_few(detail: Any, _home: _Home) -> str:
    return f"{detail['ctx']['actual_length']} elements found, must be at least {detail['ctx']['min_length']}"


def _say_many(detail: Any, _home: _Home) -> str:
    return f"{len(detail['input'])} elements found, must be at most {detail['ctx']['max_length']}"


def _say_op(detail: Any, home: _Home) -> str:
    op = f"op {found(detail['input']['op'])} found" if "op" in detail["input"] else "op missing"
    return f"{op}, must be one of {', '.join(map(repr, home.ops()))}"


def _say_unforeseen(detail: Any, _home: _Home) -> str:
    return f"{found(detail['input'])} found: {detail['msg']}"


_SAYINGS: Final[dict[str, Callable[[Any, _Home], str]]] = {
    "must": _say_phrase,
    "missing": _say_missing,
    "extra_forbidden": _say_unknown,
    "model_type": _say_found("an object"),
    "model_attributes_type": _say_found("an object"),
    "list_type": _say_found("a list"),
    "too_short": _say_few,
    "too_long": _say_many,
    "union_tag_invalid": _say_op,
    "union_tag_not_found": _say_op,
    "string_unicode": lambda _detail, _home: "a member's name is not Unicode text",
}

# Which model stands behind a member's name: what is allowed beside a member that is not.
_PARTS: Final[dict[str, type[BaseModel]]] = {
    "variants": documents.Variant,
    "prerequisites": documents.Prerequisite,
    "rules": documents.Rule,
    "serve": documents.Serve,
    "fallthrough": documents.Serve,
    "split": documents.Split,
    "weights": documents.Weight,
}
_CLAUSES: Final[dict[str, type[BaseModel]]] = {
    "equals": documents.EqualsClause,
    "in": documents.InClause,
    "prefix": documents.TextClause,
    "suffix": documents.TextClause,
    "contains": documents.TextClause,
    "number": documents.NumberClause,
    "semver": documents.SemverClause,
    "present": documents.PresentClause,
    "segment": documents.SegmentClause,
}
