"""What is wrong with a baggage policy."""

from collections.abc import Iterator
from typing import Final

from pennon.errors import Fault
from pennon.headers.allowlist import PREFIX_MARK, spec_of
from pennon.headers.fields import PRIVATE, BaggageKey, BaggagePolicy, Classification, UnknownMembers
from pennon.headers.grammar import OWN_PREFIX, is_token
from pennon.headers.leaks import leak_in
from pennon.headers.values import is_unordered, members_of, naturals, pattern, rank_fault

_PATH: Final = "/baggage"
_STATUSES: Final = (400, 431)
# Of each value a hash is remembered: about 600 kB for so many.
MAX_VALUES: Final = 10_000


def baggage_faults(policy: BaggagePolicy) -> Iterator[Fault]:
    """Every fault, in the order of the declaration."""
    sizes = list(naturals(policy, _PATH, ("max_bytes", "max_members", "wire_max_bytes")))
    yield from sizes
    yield from members_of(policy, _PATH, {"on_unknown": UnknownMembers})
    if policy.refuse_status not in _STATUSES:
        yield Fault(f"{_PATH}/refuse_status", f"{policy.refuse_status!r} is not one of {_STATUSES}")
    if not sizes and policy.max_bytes > policy.wire_max_bytes:
        yield Fault(f"{_PATH}/max_bytes", f"{policy.max_bytes} is more than wire_max_bytes, {policy.wire_max_bytes}")
    if isinstance(policy.allow, str):
        yield Fault(f"{_PATH}/allow", f"{policy.allow!r} is one text; give a list of keys")
        return
    if is_unordered(policy.allow):
        yield rank_fault(f"{_PATH}/allow")
        return
    seen = set()
    for number, allowed in enumerate(policy.allow):
        each, path = spec_of(allowed), f"{_PATH}/allow/{number}"
        if not is_token(each.key):
            yield Fault(path, f"{each.key!r} is not a baggage key: a token of RFC 9110")
        elif each.key == PREFIX_MARK:
            yield Fault(path, f"{each.key!r} allows everything; a prefix has characters before its {PREFIX_MARK}")
        elif each.key.lower().startswith(OWN_PREFIX):
            yield Fault(path, f"{each.key!r}: keys that begin with 'pennon' are known in every contract")
        elif each.key in seen:
            yield Fault(path, f"{each.key!r} is listed twice")
        seen.add(each.key)
        yield from _spec(each, path, policy)


def _spec(each: BaggageKey, path: str, policy: BaggagePolicy) -> Iterator[Fault]:
    """What is wrong with what may stand under a key."""
    yield from members_of(each, path, {"classification": Classification})
    if each.classification in PRIVATE:
        message = f"{str(each.classification)!r} cannot travel in baggage, which goes to every service"
        yield Fault(f"{path}/classification", f"{message}; use an opaque hint of few values")
    if each.enum is not None and each.syntax is not None:
        yield Fault(f"{path}/syntax", "is given beside enum; give one of the two")
    if each.syntax is not None:
        yield from pattern(each, path, "syntax")
    if each.max_length is not None:
        faults = list(naturals(each, path, ("max_length",)))
        yield from faults
        if not faults and each.max_length > policy.max_bytes:
            yield Fault(f"{path}/max_length", f"{each.max_length} is more than max_bytes, {policy.max_bytes}")
    if each.max_values is not None:
        yield from _crowd(each, path)
    if isinstance(each.enum, str) or each.enum == ():
        yield Fault(f"{path}/enum", f"{each.enum!r} is not a list of at least one value")
    elif each.enum is not None:
        yield from _enum(each, path)


def _crowd(each: BaggageKey, path: str) -> Iterator[Fault]:
    faults = list(naturals(each, path, ("max_values",)))
    yield from faults
    if faults or each.max_values is None:
        return
    if each.max_values > MAX_VALUES:
        yield Fault(f"{path}/max_values", f"{each.max_values} is more than {MAX_VALUES}, which a process remembers")
    if each.enum is not None:
        yield Fault(f"{path}/max_values", "is given beside enum, which has as many values as it lists")


def _enum(each: BaggageKey, path: str) -> Iterator[Fault]:
    for place, value in enumerate(each.enum or ()):
        if (leak := leak_in(value)) is not None:
            # The value is not told: it may be what it looks like.
            yield Fault(f"{path}/enum/{place}", f"looks like a secret ({leak}); baggage goes to every service")
        elif each.max_length is not None and len(value) > each.max_length:
            yield Fault(f"{path}/enum/{place}", f"{value!r} is longer than max_length, {each.max_length}")
