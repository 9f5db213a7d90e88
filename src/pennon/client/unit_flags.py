"""A client's typed calls with the unit said once: for work that is done for somebody else, follower by follower."""

from typing import TYPE_CHECKING, Any, Final, TypeVar

from pennon.client.evaluation import Evaluation
from pennon.client.units import Attributes, UnitLike
from pennon.flags import FlagType

if TYPE_CHECKING:
    from pennon.client.client import Client

_Default = TypeVar("_Default")


class UnitFlags:
    """What flags answer for one unit. Made by `Client.for_unit`; holds nothing but its arguments, make one per unit.

    The calls are the client's, without `unit`; attributes given to a call lie over those given to `for_unit`. In a
    request the same rules hold: nothing of the request is seen by a unit that is not its own.
    """

    __slots__ = ("_attributes", "_client", "unit")

    def __init__(self, client: "Client", unit: UnitLike, attributes: Attributes) -> None:
        """For `Client.for_unit`."""
        self._client = client
        self.unit: Final = unit
        self._attributes = attributes

    def is_on(self, flag: str, *, attributes: Attributes = None, default: bool = False) -> bool:
        """The value of a boolean flag."""
        return self._client.is_on(flag, unit=self.unit, attributes=self._laid_under(attributes), default=default)

    def string(self, flag: str, *, attributes: Attributes = None, default: str) -> str:
        """The value of a string flag."""
        return self._client.string(flag, unit=self.unit, attributes=self._laid_under(attributes), default=default)

    def integer(self, flag: str, *, attributes: Attributes = None, default: int) -> int:
        """The value of an integer flag."""
        return self._client.integer(flag, unit=self.unit, attributes=self._laid_under(attributes), default=default)

    def float(self, flag: str, *, attributes: Attributes = None, default: float) -> float:
        """The value of a float flag; an integer flag's counts as one."""
        return self._client.float(flag, unit=self.unit, attributes=self._laid_under(attributes), default=default)

    def json(self, flag: str, *, attributes: Attributes = None, default: _Default) -> Any | _Default:
        """The value of a JSON flag, as a copy that is the caller's own."""
        return self._client.json(flag, unit=self.unit, attributes=self._laid_under(attributes), default=default)

    def decision(
        self,
        flag: str,
        *,
        attributes: Attributes = None,
        type: FlagType | None = None,  # noqa: A002 - the word that flags use
    ) -> Evaluation:
        """What a flag answers, and why."""
        return self._client.decision(flag, unit=self.unit, attributes=self._laid_under(attributes), type=type)

    def peek(
        self,
        flag: str,
        *,
        attributes: Attributes = None,
        type: FlagType | None = None,  # noqa: A002 - as above
    ) -> Evaluation:
        """The same without exposing the unit to an experiment."""
        return self._client.peek(flag, unit=self.unit, attributes=self._laid_under(attributes), type=type)

    def __repr__(self) -> str:
        return f"<pennon.client.UnitFlags for {self.unit!r}>"

    def _laid_under(self, attributes: Attributes) -> Attributes:
        if attributes is None or self._attributes is None:
            return self._attributes if attributes is None else attributes
        try:
            return {**self._attributes, **attributes}
        except Exception:  # noqa: BLE001 - no mapping at all; the client is given it, and answers for it
            return attributes
