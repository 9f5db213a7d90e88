"""What the members of a document mean to each other: every fault beyond the shape of single members.

The functions look at decoded JSON, not at drafts, and pass over what has the wrong shape: a document with a fault of
either sort is told all of both.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from pennon.control.prerequisites import CHAIN_LIMIT_COUNT, Neighbours, cycle_of, longest_chain
from pennon.control.reading import Place, found, pointer
from pennon.control.values import PREREQUISITES_LIMIT_COUNT, is_integer, is_key, is_number
from pennon.errors import Fault
from pennon.flags import BUCKETS


class Surroundings(msgspec.Struct, frozen=True):
    """What settings may refer to.

    flag: its key. variants: the flag's, by key. unit: the kind the flag buckets by. segments: key -> unit kind, of the
    environment. neighbours: the other flags that the settings name, and all that ask for each other around them.
    """

    flag: str
    variants: tuple[str, ...]
    unit: str
    segments: Mapping[str, str]
    neighbours: Neighbours


def flag_faults(flag: object) -> Iterator[Fault]:
    """Of a flag: variants that share a key, values that are not of the flag's type, tags named twice."""
    if not isinstance(flag, dict):
        return
    variants = _list(flag, "variants")
    yield from _repeated((("variants", i, "key"), _member(variant, "key")) for i, variant in enumerate(variants))
    yield from _repeated((("tags", i), tag) for i, tag in enumerate(_list(flag, "tags")))
    check = _OF_TYPE.get(flag["type"]) if isinstance(flag.get("type"), str) else None
    if check is None:
        return
    is_of_type, phrase = check
    for i, variant in enumerate(variants):
        if isinstance(variant, dict) and "value" in variant and not is_of_type(variant["value"]):
            message = f"{found(variant['value'])} found, must be {phrase}: the flag's type is '{flag['type']}'"
            yield Fault(pointer(("variants", i, "value")), message)


def settings_faults(settings: object, surroundings: Surroundings) -> Iterator[Fault]:
    """Of settings: unknown variants, flags and segments, cycles, weights that do not add up, shared ids and salts."""
    if not isinstance(settings, dict):
        return
    yield from _variant_faults(("off",), settings.get("off"), surroundings.variants)
    yield from _prerequisite_faults(_list(settings, "prerequisites")[:PREREQUISITES_LIMIT_COUNT], surroundings)
    rules = _list(settings, "rules")
    yield from _repeated((("rules", i, "id"), _member(rule, "id")) for i, rule in enumerate(rules))
    for i, rule in enumerate(rules):
        yield from _segment_faults(("rules", i, "clauses"), rule, surroundings)
    serves = list(_serves(settings))
    for place, serve in serves:
        yield from _serve_faults(place, serve, surroundings)
    yield from _shared_salts(serves)


def segment_faults(segment: object) -> Iterator[Fault]:
    """Of a segment: members named twice."""
    if isinstance(segment, dict):
        yield from _repeated((("members", i), member) for i, member in enumerate(_list(segment, "members")))


def _prerequisite_faults(asked: list[Any], surroundings: Surroundings) -> Iterator[Fault]:
    yield from _repeated((("prerequisites", i, "flag"), _member(one, "flag")) for i, one in enumerate(asked))
    for i, one in enumerate(asked):
        place: Place = ("prerequisites", i)
        named = [((*place, "variants", j), variant) for j, variant in enumerate(_list(one, "variants"))]
        yield from _repeated(named)
        flag = _member(one, "flag")
        if not is_key(flag):
            continue
        neighbour = surroundings.neighbours.get(flag)
        if fault := _asked_fault(flag, surroundings):
            yield Fault(pointer((*place, "flag")), f"{found(flag)} found, {fault}")
        elif neighbour is not None:
            for where, variant in named:
                yield from _variant_faults(where, variant, neighbour.variants, of=f"flag '{flag}'")


def _asked_fault(flag: str, surroundings: Surroundings) -> str | None:
    """Why these settings may not ask for that flag; None if they may."""
    if flag == surroundings.flag:
        return "must be another flag than this one"
    neighbour = surroundings.neighbours.get(flag)
    if neighbour is None:
        return "must be a flag of this project"
    if neighbour.is_archived:
        return "must be a flag that is not archived"
    if cycle := cycle_of(surroundings.flag, flag, surroundings.neighbours):
        return f"must not lead back to this flag: {_arrows(cycle)}"
    chain = longest_chain(surroundings.flag, flag, surroundings.neighbours)
    if len(chain) > CHAIN_LIMIT_COUNT:
        return f"must not make a chain of more than {CHAIN_LIMIT_COUNT} flags: {_arrows(chain)}"
    return None


def _arrows(flags: Iterable[str]) -> str:
    return " → ".join(flags)


def _serves(settings: dict[str, Any]) -> Iterator[tuple[Place, dict[str, Any]]]:
    for i, rule in enumerate(_list(settings, "rules")):
        serve = _member(rule, "serve")
        if isinstance(serve, dict):
            yield ("rules", i, "serve"), serve
    if isinstance(settings.get("fallthrough"), dict):
        yield ("fallthrough",), settings["fallthrough"]


def _serve_faults(place: Place, serve: dict[str, Any], surroundings: Surroundings) -> Iterator[Fault]:
    variant, split = serve.get("variant"), serve.get("split")
    if variant is not None and split is not None:
        yield Fault(pointer(place), "both 'variant' and 'split' found, must be one of them; set the other to null")
    if variant is None and split is None:
        yield Fault(pointer(place), "neither 'variant' nor 'split' found, must be one of them")
    yield from _variant_faults((*place, "variant"), variant, surroundings.variants)
    if isinstance(split, dict):
        yield from _split_faults((*place, "split"), split, surroundings)


def _split_faults(place: Place, split: dict[str, Any], surroundings: Surroundings) -> Iterator[Fault]:
    weights = _list(split, "weights")
    named = [((*place, "weights", i, "variant"), _member(weight, "variant")) for i, weight in enumerate(weights)]
    for where, variant in (*named, ((*place, "rest"), split.get("rest"))):
        yield from _variant_faults(where, variant, surroundings.variants)
    yield from _repeated(named)
    shares = [_member(weight, "weight") for weight in weights]
    if shares and all(map(is_integer, shares)) and sum(shares) != BUCKETS:
        yield Fault(pointer((*place, "weights")), f"weights sum to {sum(shares)}, must be {BUCKETS}")


def _variant_faults(
    place: Place, variant: object, variants: tuple[str, ...], *, of: str = "the flag"
) -> Iterator[Fault]:
    if is_key(variant) and variant not in variants:
        allowed = ", ".join(f"'{key}'" for key in variants)
        yield Fault(pointer(place), f"{found(variant)} found, must be a variant of {of}: {allowed}")


def _segment_faults(place: Place, rule: object, surroundings: Surroundings) -> Iterator[Fault]:
    for i, clause in enumerate(_list(rule, "clauses")):
        segment = _member(clause, "segment")
        if _member(clause, "op") != "segment" or not is_key(segment):
            continue
        unit, where = surroundings.segments.get(segment), pointer((*place, i, "segment"))
        if unit is None:
            yield Fault(where, f"{found(segment)} found, must be a segment of this environment")
        elif unit != surroundings.unit:
            yield Fault(where, f"segment '{segment}' is of unit '{unit}', must be of the flag's: '{surroundings.unit}'")


def _shared_salts(serves: Iterable[tuple[Place, dict[str, Any]]]) -> Iterator[Fault]:
    first: dict[str, Place] = {}
    for place, serve in serves:
        salt = _member(serve.get("split"), "salt")
        if not isinstance(salt, str):
            continue
        earlier = first.setdefault(salt, place)
        if earlier != place:
            message = f"{found(salt)} is also the salt of {pointer(earlier)}, must be the split's own"
            yield Fault(pointer((*place, "split", "salt")), message)


def _repeated(named: Iterable[tuple[Place, object]]) -> Iterator[Fault]:
    seen: dict[str, Place] = {}
    for place, name in named:
        if not isinstance(name, str):
            continue
        earlier = seen.setdefault(name, place)
        if earlier != place:
            yield Fault(pointer(place), f"{found(name)} stands at {pointer(earlier)} already, must be unique")


def _list(holder: object, name: str) -> list[Any]:
    value = _member(holder, name)
    return value if isinstance(value, list) else []


def _member(holder: object, name: str) -> Any:
    return holder.get(name) if isinstance(holder, dict) else None


_OF_TYPE: Final[dict[str, tuple[Any, str]]] = {
    "boolean": (lambda value: isinstance(value, bool), "true or false"),
    "string": (lambda value: isinstance(value, str), "a text"),
    "integer": (is_integer, "an integer"),
    "float": (is_number, "a number"),
    "json": (lambda _: True, "JSON"),
}
