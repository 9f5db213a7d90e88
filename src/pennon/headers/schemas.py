"""What the documents say of a contract's headers: which there are, and each as a JSON schema."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, count
from typing import Any, Final

from pennon.headers.contract import Contract
from pennon.headers.fields import Field
from pennon.headers.standard import Direction, HeaderScope, StandardField
from pennon.headers.std import (
    BAGGAGE,
    BY_NAME,
    CONTEXT,
    CORRELATION_ID,
    FORWARDING,
    REQUEST_ID,
    TRACEPARENT,
    TRACESTATE,
)

_ALWAYS: Final = (TRACEPARENT, TRACESTATE, BAGGAGE, REQUEST_ID, CORRELATION_ID)
# What OpenAPI and AsyncAPI let a component be called.
_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9._\-]")
# Constructs that ECMA 262, whose expressions JSON Schema means, has not, or means differently.
_PYTHON_ONLY: Final = re.compile(r"\(\?[^:=!<]|\(\?<[^=!]|\\[AZ]")
_ATOM: Final = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)
_QUANTIFIER: Final = re.compile(r"[*+?]|\{[0-9]*(?:,[0-9]*)?\}")


def documented(contract: Contract) -> tuple[Field, ...]:
    """Every header that the contract governs: the declared fields, then what codecs read and write all the same."""
    declared = {each.name.lower(): each for each in contract.fields}
    return (*contract.fields, *(each for each in _implied(contract) if each.name not in declared))


def direction_of(each: Field) -> Direction:
    """In which messages the field stands; a field of your own in requests."""
    return each.direction if isinstance(each, StandardField) else Direction.REQUEST


def is_end_to_end(each: Field) -> bool:
    """Whether the field says something to who handles the request, and not to the next hop alone."""
    return not isinstance(each, StandardField) or each.scope is HeaderScope.END_TO_END


def component_keys(names: Iterable[str]) -> dict[str, str]:
    """Names -> their keys as components, each with its own: those that would have one in common are numbered."""
    keys: dict[str, str] = {}
    for name in names:
        plain = _NOT_IN_A_KEY.sub("_", name)
        numbered = (f"{plain}-{number}" for number in count(1))
        keys[name] = next(key for key in chain([plain], numbered) if key not in keys.values())
    return keys


def schema_of(each: Field) -> dict[str, Any]:
    """The value as a JSON schema. A syntax that ECMA 262 cannot say is left out."""
    schema: dict[str, Any] = {"type": "string", "maxLength": each.max_length}
    pattern = ecma_pattern(each.syntax)
    if pattern is not None:
        schema["pattern"] = pattern
    return schema


def ecma_pattern(syntax: str) -> str | None:
    """The syntax as an anchored pattern of ECMA 262; None if it cannot be said there.

    Possessive quantifiers become plain ones: what matches is the same for a syntax that does not rely on them.
    """
    if _PYTHON_ONLY.search(syntax):
        return None
    return f"^(?:{''.join(_unpossessed(syntax))})$"


def terms_of(each: Field) -> dict[str, str]:
    """What the contract says of a field beyond its value, for an extension of the document."""
    return {
        "category": each.category.value,
        "owner": each.owner,
        "trust": each.trust.value,
        "propagate": each.propagate.value,
        "log": each.log.value,
        "classification": each.classification.value,
    }


def _implied(contract: Contract) -> Iterator[Field]:
    yield from _ALWAYS
    if contract.deadline is not None:
        yield from (BY_NAME[form] for form in contract.deadline.accept)
    if contract.proxies is not None:
        yield from (BY_NAME[name] for name in FORWARDING)
    if any(each.audience is not None for each in contract.downstreams):
        yield CONTEXT


def _unpossessed(syntax: str) -> Iterator[str]:
    place = 0
    while place < len(syntax):
        quantifier = _QUANTIFIER.match(syntax, place) if place else None
        if quantifier is not None:
            yield quantifier[0]
            place = quantifier.end()
            place += syntax[place : place + 1] == "+"
            continue
        atom = _ATOM.match(syntax, place)
        assert atom is not None  # noqa: S101  # any character is an atom
        yield atom[0]
        place = atom.end()
