"""The case of a mesh's verifier: whether there is anybody whom it does not believe."""

from collections.abc import Iterator
from typing import Final

from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Service, Setting

_SAYS: Final = "not everybody is believed"


def boundary_cases(setting: Setting) -> Iterator[Case]:
    """One, where there is a verifier: a boundary without one believes nobody."""
    if not setting.boundary.is_public and setting.boundary.verify is not None:
        yield Case(setting, "boundary", "not-everybody", _SAYS, _somebody_is_a_stranger, Needs.ANSWERS)


def _somebody_is_a_stranger(service: Service) -> None:
    # Without a stranger nobody asks what strangers may not: those cases would be missing, and all others pass.
    is_known = service.callers.stranger is not None or service.setting.turned_away is not None
    told = "it verifies an address that nobody has; if it is right to, say who is a stranger: stranger=Caller(address)"
    service.expect(is_known, "the boundary does not verify a stranger", told)
