"""The shortest path in a request, one function per flag: the ledger's decision, or the first one.

It says what the long way would say (a test holds it to that), or None where it would have to think: a decision about
the flag arrived and was not used yet, an override token, a full or sealed ledger, a span to record, a unit that is not
the request's, an error, a ruleset that has changed since the request's first decision. A flag comes here once the long
way has found it plain: not killed, exposing nothing, needing no other flag.

This is the second most expensive line of a service's profile, so it is written for the interpreter: what is known of
the flag stands in cells, which read faster than attributes, and nothing is called that need not be.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from pennon.client.spans import SDK, Spans, loaded_modules
from pennon.context import DEFAULT_UNIT_KIND, LEDGER_LIMIT_COUNT, Decision, RequestContext
from pennon.flags import Flag, Ruleset

# The value for (request, unit, attributes), by position; None: take the long way.
ValueWithin = Callable[[RequestContext, object, Mapping[str, object] | None], Any]

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


class CoarseClock(Protocol):
    """Something that knows the wall clock to within seconds without asking for it."""

    coarse_now_ns: int


def value_within(flag: Flag, ruleset: Ruleset, spans: Spans, clock: CoarseClock) -> ValueWithin:
    """The function of one flag.

    ruleset: the flag's.
    clock: reading the exact time costs as much as the whole of a static flag, and the wire knows minutes.
    """
    scope, kind, answer_of, constant = flag.scope, flag.unit_kind, flag.answer, flag.constant
    scope_key = scope.key
    # Where decisions about it arrive.
    carried_place = (scope.environment.id, scope.flag_id)
    # All answers of a flag bear one revision.
    revision = max(flag.off_answer.revision, scope.floor)
    is_default_kind = kind == DEFAULT_UNIT_KIND
    modules = loaded_modules if spans is not Spans.NEVER else _NONE

    def value(context: RequestContext, unit: object, attributes: Mapping[str, object] | None) -> Any:
        ledger = context.ledger
        identity = context.identity
        units = identity.units
        key = units.get(kind)
        if unit is not None and not (is_default_kind and unit == key):
            return None
        made = ledger.made
        place = (scope_key, key)
        if made:
            decision = made.get(place)
            if decision is not None:
                # Sealed, or with a token that each use must ask about.
                return decision.answer.value if ledger.override is None else None
            # What was made by another ruleset may have become void since; the long way looks, and counts it.
            if ledger.ruleset is not ruleset or len(made) >= LEDGER_LIMIT_COUNT:
                return None
        else:
            ledger.ruleset = ruleset
        if ledger.override is not None or SDK in modules:
            return None
        # Of a request with which decisions arrived, the long way samples the first of all, and what may have been cut.
        if ledger.arrived and (not made or ledger.was_cut or carried_place in ledger.arrived):
            return None
        found = identity.attributes if attributes is None else {**identity.attributes, **attributes}
        answer = constant or answer_of(key, found, units)
        origin = answer.origin
        if origin is None:
            return None
        decision = Decision(answer, scope, key, clock.coarse_now_ns, origin, revision)
        held = made.setdefault(place, decision)
        if ledger.arrived and carried_place in ledger.arrived:
            # Another thread has taken a response meanwhile, and it may be a kill that did not find this to take away.
            ledger.withdraw(decision)
            return None
        return held.answer.value

    return value
