"""Which baggage keys a contract knows, in which order of importance, and what may stand under each."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar, overload

import msgspec

from pennon.headers.fields import BaggageKey
from pennon.headers.leaks import leak_in
from pennon.headers.report import DropReason

PREFIX_MARK: Final = "*"

T = TypeVar("T")


def spec_of(allowed: str | BaggageKey) -> BaggageKey:
    """An entry of an allow list; a bare key takes any value."""
    return allowed if isinstance(allowed, BaggageKey) else BaggageKey(allowed)


class _Rule(msgspec.Struct, frozen=True):
    """What may stand under a key. rank: 0 is the most important. None: whatever fits the budget of all.

    key: as it was declared.
    """

    key: str
    rank: int
    values: frozenset[str] | None
    syntax: re.Pattern[str] | None
    max_length: int | None
    max_values: int | None

    def unfit(self, value: str) -> DropReason | None:
        if self.max_length is not None and len(value) > self.max_length:
            return DropReason.TOO_LONG
        if self.values is not None and value not in self.values:
            return DropReason.MALFORMED
        if self.syntax is not None and self.syntax.fullmatch(value) is None:
            return DropReason.MALFORMED
        return None


class AllowList(Mapping[str, int]):
    """The ranks of the keys that are known, 0 first; those under a prefix ("exp.*") have the prefix's.

    An exact key comes before a prefix, and of prefixes the longest counts. As a mapping it holds what was declared;
    `in` and `get` answer for the keys of members.
    """

    __slots__ = ("_exact", "_prefixes", "_ranks", "has_crowds")

    def __init__(self, allow: Sequence[str | BaggageKey]) -> None:
        rules = {each.key: _rule(rank, each) for rank, each in enumerate(map(spec_of, allow))}
        self._exact = {key: rule for key, rule in rules.items() if not key.endswith(PREFIX_MARK)}
        self._ranks: dict[str | None, int] = {key: rule.rank for key, rule in self._exact.items()}
        prefixes = [(key[:-1], rule) for key, rule in rules.items() if key.endswith(PREFIX_MARK)]
        self._prefixes = sorted(prefixes, key=lambda each: len(each[0]), reverse=True)
        self.has_crowds = any(rule.max_values is not None for rule in rules.values())

    def __getitem__(self, key: str) -> int:
        rule = self._rule(key)
        if rule is None:
            raise KeyError(key)
        return rule.rank

    def __contains__(self, key: object) -> bool:
        return key in self._exact or (isinstance(key, str) and self._rule(key) is not None)

    @overload
    def get(self, key: str, /) -> int | None: ...
    @overload
    def get(self, key: str, /, default: int | T) -> int | T: ...
    def get(self, key: str, /, default: int | T | None = None) -> int | T | None:
        """As any mapping's, without an exception for each key that is not known: a header may have many."""
        rule = self._exact.get(key) or (self._rule(key) if self._prefixes else None)
        return default if rule is None else rule.rank

    def ranks(self, keys: Sequence[str | None]) -> list[int | None]:
        """As `get` of each, for the cost of a few; None for None."""
        if self._prefixes:
            return [None if key is None else self.get(key) for key in keys]
        return list(map(self._ranks.get, keys))

    def __iter__(self) -> Iterator[str]:
        yield from self._exact
        for prefix, _ in self._prefixes:
            yield prefix + PREFIX_MARK

    def __len__(self) -> int:
        return len(self._exact) + len(self._prefixes)

    def unfit(self, key: str, value: str) -> DropReason | None:
        """Why a decoded value cannot stand under a key; None if it can, or nobody has declared the key."""
        rule = self._rule(key)
        return None if rule is None else rule.unfit(value)

    def unfit_to_set(self, key: str, value: str, *, takes_unknown: bool) -> DropReason | None:
        """Why our own code cannot set a member: also because it looks like a secret, which `leaks` tells.

        takes_unknown: whether keys that nobody has declared can be set.
        """
        rule = self._rule(key)
        if rule is None and not takes_unknown:
            return DropReason.UNKNOWN
        reason = None if rule is None else rule.unfit(value)
        return DropReason.UNSAFE if reason is None and leak_in(value) is not None else reason

    def crowd(self, key: str) -> tuple[str, int] | None:
        """The key as it was declared, and how many different values are expected under it; None: any number."""
        rule = self._rule(key)
        return None if rule is None or rule.max_values is None else (rule.key, rule.max_values)

    def _rule(self, key: str) -> _Rule | None:
        rule = self._exact.get(key)
        if rule is not None:
            return rule
        for prefix, declared in self._prefixes:
            if key.startswith(prefix):
                return declared
        return None


def _rule(rank: int, spec: BaggageKey) -> _Rule:
    return _Rule(
        spec.key,
        rank,
        None if spec.enum is None else frozenset(spec.enum),
        None if spec.syntax is None else re.compile(spec.syntax),
        spec.max_length,
        spec.max_values,
    )
