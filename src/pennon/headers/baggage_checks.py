"""What is wrong with a baggage policy."""

from collections.abc import Iterator
from typing import Final

from pennon.errors import Fault
from pennon.headers.fields import BaggagePolicy, UnknownMembers
from pennon.headers.grammar import OWN_PREFIX, is_token
from pennon.headers.values import members_of, naturals

_PATH: Final = "/baggage"
_STATUSES: Final = (400, 431)


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
    seen = set()
    for number, key in enumerate(policy.allow):
        if not is_token(key):
            yield Fault(f"{_PATH}/allow/{number}", f"{key!r} is not a baggage key: a token of RFC 9110")
        elif key.lower().startswith(OWN_PREFIX):
            yield Fault(
                f"{_PATH}/allow/{number}", f"{key!r}: keys that begin with 'pennon' are known in every contract"
            )
        elif key in seen:
            yield Fault(f"{_PATH}/allow/{number}", f"{key!r} is listed twice")
        seen.add(key)
