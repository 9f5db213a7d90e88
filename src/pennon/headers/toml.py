"""The contract as TOML: the same keys, the same values, the same contract.

Rules. Keys are the names of the attributes in Python, enumerations their values ("per_downstream"). Built-in fields are
named, all together (`std = ["x-tenant-id"]`) or one by one with what is to differ (`[[fields]]`, `std = "x-region"`);
those of the list come first. An allow list holds keys, or tables of a `BaggageKey`. Nothing is converted: "1" is no
number. First everything is told that cannot be read, then, of what can, everything that a contract does not take.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from pennon.errors import ContractInvalid, Fault, SettingInvalid
from pennon.headers.deadline import DeadlineForm, DeadlinePolicy
from pennon.headers.fields import BaggageKey, BaggagePolicy, Budgets, Downstream, Field, Limits, UnknownHeaders
from pennon.headers.naming import NAME_LIMIT_CHARS, name_fault
from pennon.headers.proxies import TrustedProxies
from pennon.headers.standard import StandardField
from pennon.headers.std import BY_NAME

_NOTHING: Final = object()
_STD: Final = "std"
_IDS: Final = "business_ids"
_TEXTS: Final = ("name", "version", "owner")
_PARTS: Final[Mapping[str, Any]] = {"baggage": BaggagePolicy, "budgets": Budgets, "deadline": DeadlinePolicy}
_CHOICES: Final[Mapping[str, Any]] = {"unknown": UnknownHeaders, "limits": Limits}
_KEYS: Final = (*_TEXTS, *_CHOICES, _STD, "fields", "baggage", "budgets", "deadline", "proxies", _IDS, "downstreams")
# What a table says of a built-in field; the rest is the header's own.
_CHANGEABLE: Final = tuple(each.name for each in fields(Field) if each.name != "name")
# Behind so many faults nobody looks for what was meant: it takes milliseconds for each.
_SOUGHT_LIMIT_COUNT: Final = 8
_NAMES_OF_KINDS: Final = {str: "a text", int: "an integer", float: "a number", bool: "true or false"}


@dataclass(frozen=True, slots=True)
class ContractText:
    """What a text says: the arguments of a `Contract`. std_count: how many of its fields the list `std` names."""

    arguments: Mapping[str, Any]
    std_count: int

    def located(self, faults: Sequence[Fault]) -> list[Fault]:
        """The faults of the contract, with their paths in the text."""
        return [Fault(self._path(fault.path), fault.message) for fault in faults]

    def _path(self, path: str) -> str:
        _, part, *rest = path.split("/") if path else ("", "")
        if part != "fields" or not rest:
            return path
        number = int(rest[0])
        if number < self.std_count:
            return f"/{_STD}/{number}"
        return "/".join(["", part, str(number - self.std_count), *rest[1:]])


def read_contract(text: str) -> ContractText:
    """The arguments of a contract. Raises: ContractInvalid with everything that cannot be read."""
    try:
        # Some editors begin a file with a byte order mark, which stands for nothing in UTF-8.
        document = tomllib.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        # Beside what is no TOML: digits without end, and what is nested too deep.
        raise ContractInvalid([Fault("", f"is not TOML that can be read: {error}")]) from None
    reader = _Reader()
    named = reader.built_in(document.get(_STD, []))
    arguments = reader.contract(document)
    if reader.faults:
        raise ContractInvalid(reader.faults)
    return ContractText(arguments | {"fields": (*named, *arguments.get("fields", ()))}, len(named))


class _Reader:
    """One reading under way, and the faults so far."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def contract(self, document: Mapping[str, Any]) -> dict[str, Any]:
        self._unknown(document, "", _KEYS)
        read: dict[str, Any] = {}
        for key in _TEXTS:
            read[key] = self._value(document[key], f"/{key}", str) if key in document else self._missing("", key)
        for key, kind in _CHOICES.items():
            if key in document:
                read[key] = self._value(document[key], f"/{key}", kind)
        for key, kind in _PARTS.items():
            if key in document:
                read[key] = self._table(document[key], f"/{key}", kind)
        if _IDS in document:
            read[_IDS] = self._list(document[_IDS], f"/{_IDS}", str)
        if "proxies" in document:
            read["proxies"] = self._proxies(document["proxies"])
        read["fields"] = self._tables(document, "fields", self._field)
        read["downstreams"] = self._tables(
            document, "downstreams", lambda each, path: self._table(each, path, Downstream)
        )
        return read

    def built_in(self, names: object) -> list[StandardField]:
        """The fields of the list `std`."""
        if not isinstance(names, list):
            self._fault(f"/{_STD}", f"{names!r} is not a list of names of built-in fields")
            return []
        return [self._standard(name, f"/{_STD}/{number}") for number, name in enumerate(names)]

    def _standard(self, name: object, path: str) -> Any:
        found = BY_NAME.get(name.lower()) if isinstance(name, str) else None
        if found is None:
            near = ", ".join(map(repr, self._near(str(name).lower())))
            self._fault(path, f"{name!r} is not the name of a built-in field, such as {near}")
        return found

    def _near(self, name: str) -> Sequence[str]:
        found: Sequence[str] = ()
        if len(self.faults) < _SOUGHT_LIMIT_COUNT and len(name) <= NAME_LIMIT_CHARS:
            found = get_close_matches(name, BY_NAME, 3)
        return found or ["x-tenant-id"]

    def _field(self, table: Mapping[str, Any], path: str) -> Any:
        if _STD not in table:
            known = len(self.faults)
            read, name = self._table(table, path, Field), table.get("name")
            # Of a field that cannot be built, so that nobody fills in what is missing of one that must not be.
            if len(self.faults) > known and isinstance(name, str) and (fault := name_fault(name)) is not None:
                self._fault(f"{path}/name", fault)
            return read
        standard = self._standard(table[_STD], f"{path}/{_STD}")
        self._unknown(table, path, (_STD, *_CHANGEABLE))
        hints = get_type_hints(Field)
        changed = {
            key: self._value(value, f"{path}/{key}", hints[key]) for key, value in table.items() if key in _CHANGEABLE
        }
        return _NOTHING if standard is None else replace(standard, **changed)

    def _proxies(self, table: object) -> Any:
        known = len(self.faults)
        try:
            return self._table(table, "/proxies", TrustedProxies)
        except SettingInvalid as refusal:
            del self.faults[known:]
            self.faults += [Fault(f"/proxies{fault.path}", fault.message) for fault in refusal.faults]
            return _NOTHING

    def _tables(self, document: Mapping[str, Any], key: str, read: Any) -> tuple[Any, ...]:
        tables = document.get(key, [])
        if not (isinstance(tables, list) and all(isinstance(each, dict) for each in tables)):
            self._fault(f"/{key}", f"is not a list of tables: write [[{key}]]")
            return ()
        return tuple([read(each, f"/{key}/{number}") for number, each in enumerate(tables)])

    def _table(self, table: object, path: str, kind: Any) -> Any:
        """A table as a value of one of our classes, if everything in it can be read."""
        if not isinstance(table, dict):
            self._fault(path, f"{table!r} is not a table")
            return _NOTHING
        hints = get_type_hints(kind)
        declared = {each.name: each for each in fields(kind) if each.init}
        self._unknown(table, path, tuple(declared))
        known = len(self.faults)
        read: dict[str, Any] = {}
        for name, each in declared.items():
            if name in table:
                read[name] = self._value(table[name], f"{path}/{name}", hints[name])
            elif each.default is MISSING and each.default_factory is MISSING:
                self._missing(path, name)
        return kind(**read) if len(self.faults) == known else _NOTHING

    def _value(self, value: object, path: str, hint: Any) -> Any:
        # In TOML nothing is None: what is left out is.
        kind = next(each for each in get_args(hint) if each is not NoneType) if _is_union(hint) else hint
        if get_origin(kind) is Sequence:
            return self._list(value, path, get_args(kind)[0])
        if is_dataclass(kind):
            return self._table(value, path, kind)
        if isinstance(kind, type) and issubclass(kind, Enum):
            return self._member(value, path, kind)
        if type(value) is kind or (kind is float and type(value) is int):
            return value
        return self._fault(path, f"{value!r} is not {_NAMES_OF_KINDS[kind]}")

    def _list(self, value: object, path: str, hint: Any) -> Any:
        if not isinstance(value, list):
            return self._fault(path, f"{value!r} is not a list")
        return tuple([self._entry(each, f"{path}/{number}", hint) for number, each in enumerate(value)])

    def _entry(self, value: object, path: str, hint: Any) -> Any:
        """An entry of a list; an allow list's is a key, or the table of one."""
        kinds = get_args(hint)
        if BaggageKey in kinds:
            return self._value(value, path, BaggageKey if isinstance(value, dict) else str)
        return self._value(value, path, DeadlineForm if DeadlineForm in kinds else hint)

    def _member(self, value: object, path: str, kind: type[Enum]) -> Any:
        try:
            return kind(value)
        except ValueError:
            allowed = ", ".join(repr(member.value) for member in kind)
            return self._fault(path, f"{value!r} is not one of {allowed}")

    def _unknown(self, table: Mapping[str, Any], path: str, allowed: Sequence[str]) -> None:
        for key in table:
            if key not in allowed:
                self._fault(f"{path}/{_pointer(key)}", f"is not known here; allowed: {', '.join(allowed)}")

    def _missing(self, path: str, key: str) -> Any:
        return self._fault(f"{path}/{key}", "is missing")

    def _fault(self, path: str, message: str) -> Any:
        self.faults.append(Fault(path, message))
        return _NOTHING


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType)


def _pointer(key: str) -> str:
    """A key as a JSON pointer writes it (RFC 6901 §3)."""
    return key.replace("~", "~0").replace("/", "~1")
