"""The cases of a boundary: whether there is anybody whom it does not believe, and what it tells such."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.headers.grammar import BAGGAGE, OWN_PREFIX
from pennon.headers.identity import IDENTITY_NAMES
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Service, Setting

_SAYS: Final = "not everybody is believed"


def boundary_cases(setting: Setting) -> Iterator[Case]:
    """Both, where there is a verifier: a boundary without one believes nobody."""
    stranger = setting.callers.stranger or setting.turned_away
    if stranger is not None:
        says = "a response tells a stranger nothing that is ours: no decisions, no baggage, not who asks"
        yield Case(setting, "boundary", "tells-nothing", says, partial(_tells_nothing, stranger), Needs.ANSWERS)
    if not setting.boundary.is_public and setting.boundary.verify is not None:
        yield Case(setting, "boundary", "not-everybody", _SAYS, _somebody_is_a_stranger, Needs.ANSWERS)


def _somebody_is_a_stranger(service: Service) -> None:
    # Without a stranger nobody asks what strangers may not: those cases would be missing, and all others pass.
    is_known = service.callers.stranger is not None or service.setting.turned_away is not None
    told = "it verifies an address that nobody has; if it is right to, say who is a stranger: stranger=Caller(address)"
    service.expect(is_known, "the boundary does not verify a stranger", told)


def _tells_nothing(stranger: Caller, service: Service) -> None:
    names = {name for name, _ in service.ask(caller=stranger).answer.headers}
    told = sorted(name for name in names if name.startswith(OWN_PREFIX) or name in (BAGGAGE, *IDENTITY_NAMES))
    service.expect(not told, "the response has none of them", f"it has {', '.join(told)}")
