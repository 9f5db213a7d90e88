"""Which headers of a request the application sees as they came."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from pennon.headers.fields import UnknownHeaders
from pennon.headers.grammar import OWN_PREFIX

if TYPE_CHECKING:
    from pennon.headers.contract import Contract
    from pennon.headers.reading import Way

_OWN: Final = f"{OWN_PREFIX}-".encode()


class Shown(dict[bytes, bool]):
    """Whether the application sees a header as it came, by its name: not what is written anew, nor what is ours.

    Of a stranger it does not see the trace either: an instrumentation inside would take the parent, and the decision
    to sample, from it. Names that differ in case are one; what nobody knows is worked out when it is asked for.
    """

    def __init__(self, contract: "Contract", way: "Way") -> None:
        super().__init__(dict.fromkeys(way.slots, True) | dict.fromkeys(way.hidden, False))
        self._shows_unknown = contract.unknown is not UnknownHeaders.DROP
        self._wires = contract.reading.wires

    def __missing__(self, name: bytes) -> bool:
        low = name.lower()
        shown = self.get(low)
        if shown is not None:
            return shown
        # A WSGI application within, and CGI, make - and _ one (PEP 3333): what is hidden is hidden in both spellings.
        twin = low.replace(b"_", b"-")
        # A slice, not `startswith`: a stranger may have sent a hundred of them.
        return self._shows_unknown and twin[: len(_OWN)] != _OWN and self.get(twin, True)

    def without(self, spoiled: Sequence[str]) -> "Shown":
        """The same, but for headers that were dropped for what they said."""
        # `copy` would put the names in one by one, at five times the cost.
        less = Shown.__new__(Shown)
        dict.update(less, self)
        vars(less).update(vars(self))
        less.update((wire, False) for name in spoiled for wire in self._wires.get(name, ()))
        return less
