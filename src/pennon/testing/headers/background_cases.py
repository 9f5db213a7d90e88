"""The cases of work that goes on after the response: nobody who asked acts in it any more."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from pennon.context import ActorType
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE
from pennon.headers.signed import SYSTEM_PREFIX
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import sample
from pennon.testing.headers.service import Needs, Service, Setting, Unseen

_SAYS: Final = "after the response no work is done as the user who asked"
# Work that begins later than this after its response, or lasts longer, is a scheduler's.
_LIMIT_S: Final = 5.0
_GIVE_A_USER: Final = (
    "nobody whom the suite knows acts as a user: the contract declares x-actor-id, or the boundary's identity says who "
    "asks; say one whom it verifies: verified=Caller(address, headers)"
)


def background_cases(setting: Setting, routes: Sequence[str]) -> Iterator[Case]:
    """One for each route, e.g. "POST /orders"."""
    for route in routes:
        yield Case(setting, "background", f"actor/{route}", _SAYS, partial(_nobody_acts, route), Needs.INSIDE)


def _nobody_acts(route: str, service: Service) -> None:
    caller, lines = _user(service)
    answer, seen = service.ask_and_watch(route, lines, caller=caller, limit_s=_LIMIT_S)
    service.expect(answer.raised is None and answer.status < 400, "the route serves it", f"status {answer.status}")
    # Else it would pass because nobody looked.
    service.expect(seen, "something reaches the spy, or probe.look(), after the response", "nothing did")
    acting = sorted({each.place for each in seen if _is_user(each.actor)})
    service.expect(not acting, "no user acts after the response", f"one does at {', '.join(acting)}")


def _user(service: Service) -> tuple[Caller, list[tuple[str, str]]]:
    """Who is taken for a user in a request, and what such a one says. Raises: Unseen if nobody is."""
    declared = {each.name.lower(): each for each in service.contract.fields}
    actor = sample(declared[ACTOR_ID]) if ACTOR_ID in declared else None
    who = [] if actor is None else [(ACTOR_ID, actor)]
    if ACTOR_TYPE in declared:
        who.append((ACTOR_TYPE, ActorType.HUMAN.value))
    for caller in service.callers.each():
        said = {name.lower() for name, _ in caller.headers}
        lines = [line for line in who if line[0] not in said]
        context = service.ask(lines, caller=caller).context
        if context is not None and _is_user(context.identity.actor):
            return caller, lines
    raise Unseen(_GIVE_A_USER)


def _is_user(actor: str | None) -> bool:
    return actor is not None and not actor.startswith(SYSTEM_PREFIX)
