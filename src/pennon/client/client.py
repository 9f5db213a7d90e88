"""The client: what a flag answers, here and now, without ever raising into the caller.

Each typed call is one flat function with a shortest path: no request, a text unit, a flag that the long way has found
plain (`live.Live`). Everything else takes the long way (`asking.Asker`). What cannot be answered, or is of another type
than was asked for, is the caller's default.
"""

import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self, TypeVar

from pennon.ambient import CURRENT
from pennon.client.asking import Asker, failed
from pennon.client.comparing import Comparing
from pennon.client.evaluation import Asked, Evaluation, evaluation_of
from pennon.client.exposures import Buffer
from pennon.client.link import Link
from pennon.client.reports import Reports
from pennon.client.spans import Spans
from pennon.client.state import Listener, State
from pennon.client.status import Status
from pennon.client.unit_flags import UnitFlags
from pennon.client.units import Attributes, UnitLike
from pennon.clock import Clock
from pennon.context import ErrorCode
from pennon.counters import Count, count
from pennon.errors import Fault, SettingInvalid
from pennon.flags import FlagType

OptionalUnit = UnitLike | None
# Within the class `float` is a typed call.
_Float = float

_BOOLEAN: Final = (FlagType.BOOLEAN,)
_STRING: Final = (FlagType.STRING,)
_INTEGER: Final = (FlagType.INTEGER,)
_FLOAT: Final = (FlagType.FLOAT, FlagType.INTEGER)
_JSON: Final = (FlagType.JSON,)
_TYPES: Final[Mapping[FlagType | None, tuple[FlagType, ...]]] = {
    None: tuple(FlagType),
    FlagType.BOOLEAN: _BOOLEAN,
    FlagType.STRING: _STRING,
    FlagType.INTEGER: _INTEGER,
    FlagType.FLOAT: _FLOAT,
    FlagType.JSON: _JSON,
}

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
_request: Final = CURRENT.get

_Default = TypeVar("_Default")


class Client:
    """Answers flags in this process from a ruleset that follows the server. Share it: threads, asyncio, fork.

    Made by `pennon.connect`. A context manager; one that is dropped without `close()` says so with a ResourceWarning.

    The typed calls take the flag's key, and by name: `unit` (a key of the kind "user" as text or integer, or a `Unit`;
    left out: the request's unit of the flag's kind), `attributes` for rules (over the request's, if the unit is the
    request's own) and `default`, which is answered on any trouble. They raise nothing.
    """

    __slots__ = ("__weakref__", "_ask", "_enter", "_link", "_state")

    def __init__(
        self,
        state: State,
        link: Link | None,
        clock: Clock,
        *,
        spans: Spans,
        divergence: _Float,
        sample: Callable[[], _Float],
    ) -> None:
        """For `pennon.connect`. link: None for a client that has nowhere to connect to. sample: uniform in [0, 1)."""
        self._state = state
        self._link = link
        reports = Reports() if link is None else link.reports
        asker = Asker(
            state,
            Buffer() if link is None else link.buffer,
            reports,
            Comparing(reports, divergence, sample),
            spans,
            now_ns=clock.now_ns,
            noted=_ignore if link is None else link.noted,
            hurry=_ignore if link is None else link.hurry,
        )
        self._ask = asker.ask
        self._enter = asker.enter

    def is_on(
        self, flag: str, *, unit: OptionalUnit = None, attributes: Attributes = None, default: bool = False
    ) -> bool:
        """The value of a boolean flag."""
        try:
            value: Any = None
            context = _request()
            if context is None:
                answer_of = self._state.live.get(flag)
                if answer_of is not None and unit.__class__ is str and unit:
                    value = answer_of(unit, _NONE if attributes is None else attributes, _NONE).value
            else:
                value_of = self._state.live.within.get(flag)
                if value_of is not None:
                    value = value_of(context, unit, attributes)
            if value is True or value is False:
                return value
            value = self._ask(flag, unit, attributes, _BOOLEAN).value
        except Exception:  # noqa: BLE001 - the promise of this room: nothing is raised into the caller
            return _failed(default)
        return default if value is None else value

    def string(self, flag: str, *, unit: OptionalUnit = None, attributes: Attributes = None, default: str) -> str:
        """The value of a string flag."""
        try:
            value: Any = None
            context = _request()
            if context is None:
                answer_of = self._state.live.get(flag)
                if answer_of is not None and unit.__class__ is str and unit:
                    value = answer_of(unit, _NONE if attributes is None else attributes, _NONE).value
            else:
                value_of = self._state.live.within.get(flag)
                if value_of is not None:
                    value = value_of(context, unit, attributes)
            if value.__class__ is str:
                return value
            value = self._ask(flag, unit, attributes, _STRING).value
        except Exception:  # noqa: BLE001 - as above
            return _failed(default)
        return default if value is None else value

    def integer(self, flag: str, *, unit: OptionalUnit = None, attributes: Attributes = None, default: int) -> int:
        """The value of an integer flag."""
        try:
            value: Any = None
            context = _request()
            if context is None:
                answer_of = self._state.live.get(flag)
                if answer_of is not None and unit.__class__ is str and unit:
                    value = answer_of(unit, _NONE if attributes is None else attributes, _NONE).value
            else:
                value_of = self._state.live.within.get(flag)
                if value_of is not None:
                    value = value_of(context, unit, attributes)
            if value.__class__ is int:
                return value
            value = self._ask(flag, unit, attributes, _INTEGER).value
        except Exception:  # noqa: BLE001 - as above
            return _failed(default)
        return default if value is None else value

    def float(self, flag: str, *, unit: OptionalUnit = None, attributes: Attributes = None, default: float) -> float:
        """The value of a float flag; an integer flag's counts as one."""
        try:
            value = self._ask(flag, unit, attributes, _FLOAT).value
            return default if value is None else float(value)
        except Exception:  # noqa: BLE001 - as above
            return _failed(default)

    def json(
        self, flag: str, *, unit: OptionalUnit = None, attributes: Attributes = None, default: _Default
    ) -> Any | _Default:
        """The value of a JSON flag, as a copy that is the caller's own."""
        try:
            answer = self._ask(flag, unit, attributes, _JSON)
            return default if answer.error is not None else deepcopy(answer.value)
        except Exception:  # noqa: BLE001 - as above
            return _failed(default)

    def decision(
        self,
        flag: str,
        *,
        unit: OptionalUnit = None,
        attributes: Attributes = None,
        type: FlagType | None = None,  # noqa: A002 - the word that flags use
    ) -> Evaluation:
        """What a flag answers, and why: see `Evaluation.explain`.

        type: what is needed; a flag of another type is then an error, and exposes nobody. None: whatever it is.
        """
        return self._evaluation(flag, unit, attributes, type, exposes=True)

    def peek(
        self,
        flag: str,
        *,
        unit: OptionalUnit = None,
        attributes: Attributes = None,
        type: FlagType | None = None,  # noqa: A002 - as above
    ) -> Evaluation:
        """The same without exposing the unit to an experiment; it enters the ledger all the same."""
        return self._evaluation(flag, unit, attributes, type, exposes=False)

    def for_unit(self, unit: UnitLike, attributes: Attributes = None) -> UnitFlags:
        """The same calls for this unit, with these attributes under those that a call names."""
        return UnitFlags(self, unit, attributes)

    def decide_at_ingress(self, *keys: str) -> Callable[[], None]:
        """For a door's `decide`: decides these flags when a request comes in, for its own units, exposing nobody.

        A flag by whose kind the request has no unit is left out; a key that no flag has is counted at each request.
        Raises: SettingInvalid with every key that is no text.
        """
        faults = _key_faults(keys)
        if faults:
            raise SettingInvalid(faults)
        return lambda: self._enter(keys)

    def decide_at_publish(self) -> None:
        """For a producer's `decide`: decides the flags that are marked `at: publish`, as `decide_at_ingress` does."""
        ruleset = self._state.live.ruleset
        if ruleset is not None and ruleset.published:
            self._enter(ruleset.published)

    def wait_ready(self, timeout_s: _Float) -> bool:
        """Whether there is a ruleset to answer from, now or within timeout_s."""
        return self._state.wait_ready(timeout_s)

    @property
    def status(self) -> Status:
        """NOT_READY, READY, STALE or CLOSED."""
        return self._state.status

    @property
    def status_detail(self) -> str:
        """Why the status is what it is, in words: what went wrong last, or how the server is followed."""
        return self._state.detail

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call it with a `Notice` at each change of status or of flags; the way to end that.

        It is called in the thread that made the change, and delays it: hand on, do not wait.
        """
        self._state.listen(listener)
        return lambda: self._state.forget(listener)

    def close(self) -> None:
        """Send the exposures that wait, end the threads, and answer defaults from now on; again does nothing.

        Takes at most `Timing.close_s`.
        """
        if self._state.close() and self._link is not None:
            self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if self._state.close():
            if self._link is not None:
                self._link.stop()
            warnings.warn("a pennon client was not closed", ResourceWarning, stacklevel=2, source=self)

    def __repr__(self) -> str:
        return f"<pennon.Client {self.status}: {self.status_detail}>"

    def _evaluation(
        self, flag: str, unit: OptionalUnit, attributes: Attributes, flag_type: FlagType | None, *, exposes: bool
    ) -> Evaluation:
        asked: list[Asked] = []
        try:
            answer = self._ask(flag, unit, attributes, _TYPES[flag_type], exposes, asked)
            return evaluation_of(answer, *asked, as_float=flag_type is FlagType.FLOAT)
        except Exception:  # noqa: BLE001 - as above
            return evaluation_of(failed(flag, ErrorCode.GENERAL), *asked)


def _key_faults(keys: tuple[object, ...]) -> list[Fault]:
    return [
        Fault(f"keys/{at}", f"{key!r} is of type {type(key).__name__}; must be a flag's key, as text")
        for at, key in enumerate(keys)
        if not isinstance(key, str)
    ]


def _failed(default: _Default) -> _Default:
    count(Count.EVALUATION_ERRORS, ErrorCode.GENERAL)
    return default


def _ignore(*_: object) -> None:
    """For a client without a server: nobody to tell."""
