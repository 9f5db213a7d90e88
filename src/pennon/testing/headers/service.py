"""The service under test: how a case asks it, what can be seen of it, and how it is told what it got wrong."""

from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from enum import StrEnum
from queue import Empty
from typing import Any, Final, NoReturn, cast

import msgspec

from pennon.context import RequestContext
from pennon.headers import Boundary, Contract, Downstream
from pennon.headers.fields import TOO_LARGE_STATUS, Limits
from pennon.http.arriving import Door
from pennon.testing.headers.callers import Caller, Callers
from pennon.testing.headers.driving import After, Answer, App, drive, is_asgi
from pennon.testing.headers.probing import Probe, Sighting
from pennon.testing.headers.spy import Reached

_FAILED_STATUS: Final = 500
_REFUSED: Final = range(400, 500)

# With which headers over a limit are refused; any other status is the application's own.
_LIMITS: Final = (400, TOO_LARGE_STATUS)

# No server lets a request through without it.
_HOST: Final = ("host", "service.test")


class Needs(StrEnum):
    """Where one must look to see whether a rule is kept."""

    ANSWERS = "answers"
    """At the responses: any application will do."""
    INSIDE = "inside"
    """At what the application sees behind the door: the door itself is given, or a probe has a path in it."""
    DOOR = "door"
    """At the door's own contract: the door itself is given."""


class Seen(msgspec.Struct, frozen=True):
    """One request, from outside and from inside.

    context, inside: None where the application was not called. inside: the headers that it saw.
    reached: by downstream, what the calls brought there. is_probed: whether a probe was to be asked.
    """

    answer: Answer
    context: RequestContext | None
    inside: tuple[tuple[str, str], ...] | None
    reached: dict[str, list[Reached]]
    is_probed: bool = True

    @property
    def was_served(self) -> bool:
        """Whether the application was called, in a request context."""
        return self.context is not None

    @property
    def was_refused(self) -> bool:
        """Whether it was turned away as the caller's mistake."""
        return not self.was_served and self.answer.status in _REFUSED

    @property
    def has_failed(self) -> bool:
        """Whether it was answered as the service's own mistake."""
        return self.answer.status >= _FAILED_STATUS

    @property
    def context_here(self) -> RequestContext:
        """The context of a request that was served. Raises: Unmet if it was not."""
        if self.context is None:
            raise Unmet(f"expected: the request is served\ncame: {self.answered}")
        return self.context

    @property
    def answered(self) -> str:
        """How, in words."""
        raised = "" if self.answer.raised is None else f", the application raised {self.answer.raised}"
        is_elsewhere = self.is_probed and not (self.was_served or self.has_failed or self.answer.status in _LIMITS)
        return f"status {self.answer.status}{raised}{', and nothing came to the probe' if is_elsewhere else ''}"

    def taken(self, name: str) -> str | None:
        """What the context holds of a declared field, as text; None if nothing."""
        if self.context is None:
            return None
        fields = dict(self.context.fields)
        if name in fields:
            return fields[name]
        held = getattr(self.context.identity, _IDENTITY[name]) if name in _IDENTITY else None
        return None if held is None else str(held)

    def inside_lines(self, name: str) -> list[str]:
        """The lines of a header that the application saw."""
        return [value for key, value in self.inside or () if key == name]


# Which part of the identity a header's value becomes.
_IDENTITY: Final = {
    "x-tenant-id": "tenant",
    "x-actor-id": "actor",
    "x-actor-type": "actor_type",
    "x-on-behalf-of": "on_behalf_of",
}


class Setting(msgspec.Struct, frozen=True):
    """What the cases of one suite have in common.

    callers: those who can be served. turned_away: a stranger who cannot set what every request must have.
    brought: what they all bring along, because it is required; names lower-case.
    """

    contract: Contract
    boundary: Boundary
    callers: Callers
    turned_away: Caller | None = None
    brought: tuple[tuple[str, str], ...] = ()

    @property
    def enforces(self) -> bool:
        """Whether what breaks a limit is refused."""
        return self.contract.limits is Limits.ENFORCE

    def fate(self, status: int = TOO_LARGE_STATUS) -> str:
        """What becomes of a request that breaks a limit, for which it would be refused with this status."""
        return f"refused with {status}" if self.enforces else "served, as limits are only observed"


class Service:
    """The application under test, as a case asks it: it remembers what was sent, by name and size, to tell of it."""

    def __init__(self, app: App, setting: Setting, *, probe: Probe | None, path: str) -> None:
        self.setting = setting
        self.contract = setting.contract
        self.callers = setting.callers
        self.door = door_in(app)
        self._path = path
        self._sent = "nothing"
        self._probe, self.app = probed(app, probe)

    def ask(
        self,
        headers: Iterable[tuple[str, str]] = (),
        *,
        caller: Caller,
        calling: Sequence[str] = (),
        copied: Sequence[tuple[str, str]] = (),
        answering: Sequence[tuple[str, str]] = (),
        without: str = "",
    ) -> Seen:
        """Send a request. without: a header that it does not have, although it is required.

        calling: downstreams that are called in it. copied: what those calls bring along by hand. answering: the headers
        with which they are answered.
        """
        own = list(headers)
        said = {name.lower() for name, _ in own}
        lines = [line for line in self.lines(caller, besides=said) if line[0].lower() != without] + own
        self._sent = self._told([line for line in lines if line[0].lower() != _HOST[0]], caller)
        probe = self._probe
        if probe is None:
            return Seen(
                drive(self.app, lines, address=caller.address, path=self._path), None, None, {}, is_probed=False
            )
        probe.noted.clear()
        probe.spy.watch(self.contract).clear()
        probe.calling = tuple([(name, self._downstream(name)) for name in calling])
        probe.copied, probe.spy.answering = tuple(copied), tuple(answering)
        answer = drive(self.app, lines, address=caller.address, path=self._path)
        noted = probe.noted[-1] if probe.noted else None
        reached = {name: list(probe.spy[name]) for name in calling}
        if noted is None:
            return Seen(answer, None, None, reached)
        return Seen(answer, noted.context, noted.lines, reached)

    def ask_and_watch(
        self, route: str, headers: Iterable[tuple[str, str]], *, caller: Caller, limit_s: float
    ) -> tuple[Answer, list[Sighting]]:
        """Send a request to a route of the service's own; the answer, and who acted once that was over.

        limit_s: so many seconds at most somebody is waited for.
        """
        own = list(headers)
        lines = self.lines(caller, besides={name.lower() for name, _ in own}) + own
        self._sent = f"{route} with {self._told(own, caller)}"
        method, _, path = route.partition(" ")
        assert self._probe is not None  # noqa: S101  # a case that needs to look inside has one
        with self._probe.watching() as is_over:
            after = After(is_over, limit_s)
            answer = drive(self.app, lines, address=caller.address, path=path, method=method, after=after)
            seen: list[Sighting] = []
            with suppress(Empty):
                seen.append(self._probe.sightings.get(timeout=limit_s))
                while True:
                    seen.append(self._probe.sightings.get_nowait())
        return answer, seen

    def serve(self, headers: Iterable[tuple[str, str]] = (), *, caller: Caller, calling: Sequence[str] = ()) -> Seen:
        """Send a request that is to be served."""
        seen = self.ask(headers, caller=caller, calling=calling)
        self.expect(seen.was_served and seen.answer.raised is None, "the request is served", seen.answered)
        return seen

    def lines(self, caller: Caller, *, besides: Container[str] = ()) -> list[tuple[str, str]]:
        """The headers that every request of this caller has. besides: names, lower-case, of what it says itself."""
        proven = {name.lower() for name, _ in caller.headers}
        brought = [line for line in self.setting.brought if line[0] not in proven and line[0] not in besides]
        return [*([] if _HOST[0] in proven else [_HOST]), *caller.headers, *brought]

    def expect_refused(self, seen: Seen, *, is_over: bool, status: int = TOO_LARGE_STATUS) -> None:
        """Fail the case unless it was refused if it was over a limit that is enforced, and not else."""
        if is_over and self.setting.enforces:
            self.expect(seen.answer.status == status, f"status {status}", seen.answered)
            self.expect(not seen.was_served, "the application is not called", "it is")
        else:
            self.expect(seen.answer.status not in _LIMITS, "no refusal", seen.answered)

    def expect(self, is_met: object, expected: str, came: str) -> None:
        """Fail the case unless this holds. Both texts name things and never hold values."""
        if not is_met:
            self.fail(expected, came)

    def fail(self, expected: str, came: str) -> NoReturn:
        """Fail the case."""
        raise Unmet(f"sent: {self._sent}\nexpected: {expected}\ncame: {came}")

    @property
    def spoken(self) -> Contract:
        """The contract that the door speaks. Raises: Unseen if the door is not known."""
        if self.door is None:
            raise Unseen(_GIVE_THE_DOOR)
        return self.door.contract

    def look(self, needs: Needs) -> None:
        """Raises: Unseen if there is no way to look where a rule can be seen."""
        if needs is Needs.INSIDE and self._probe is None:
            raise Unseen(f"{_GIVE_THE_DOOR}, or a Probe that has a path in the application")
        if needs is Needs.DOOR and self.door is None:
            raise Unseen(_GIVE_THE_DOOR)

    def _downstream(self, name: str) -> Downstream | None:
        """The declared one of this name; None for what is not declared."""
        return next((each for each in self.contract.downstreams if each.name == name), None)

    def _told(self, lines: Sequence[tuple[str, str]], caller: Caller) -> str:
        shown = ", ".join(f"{_printable(name)} ({len(value)} bytes)" for name, value in lines[:_SHOWN_LIMIT_COUNT])
        more = len(lines) - _SHOWN_LIMIT_COUNT
        rest = f" and {more} more" if more > 0 else ""
        who = "a verified caller" if caller == self.callers.verified else "a stranger"
        return f"{shown or 'no headers'}{rest}, by {who}"


# How middlewares call what they lead to; and so many stand around a door at most.
_INNER: Final = ("app", "wsgi_app", "application")
_DEPTH_LIMIT_COUNT: Final = 32
_GIVE_THE_DOOR: Final = "give the door itself (what pennon.http.asgi or wsgi returned)"
_SHOWN_LIMIT_COUNT: Final = 6
_NAME_LIMIT_CHARS: Final = 64


class Unmet(Exception):
    """A rule is broken."""


class Unseen(Exception):
    """A rule cannot be seen from where the suite stands; what to give it instead."""


def probed(
    app: App, probe: Probe | None, spoken: Callable[[Contract], Contract] = lambda contract: contract
) -> tuple[Probe | None, App]:
    """The probe and the application that is asked: a copy of a door leads to a probe of its own.

    spoken: the contract under which that probe calls, made of the door's.
    """
    door = door_in(app)
    if probe is not None or door is None:
        return probe, app
    own = Probe(spoken(door.contract))
    within: Any = door.before(own.asgi if is_asgi(cast("App", door)) else own.wsgi)
    return own, within


def door_in(app: object) -> Door[Any] | None:
    """The door, if the application is one. Of Flask's it is the `wsgi_app`, to which all requests are handed."""
    return next((each for each in (app, getattr(app, "wsgi_app", None)) if isinstance(each, Door)), None)


def door_within(app: object) -> Door[Any] | None:
    """The door that is this application or stands in it, where what stands around it tells what it leads to."""
    for _ in range(_DEPTH_LIMIT_COUNT):
        if app is None or isinstance(app, Door):
            break
        # Starlette makes its middlewares of what it was told of them when the first request comes.
        builds = getattr(app, "build_middleware_stack", None)
        app = (
            builds() if builds is not None else next(filter(None, (getattr(app, name, None) for name in _INNER)), None)
        )
    return app if isinstance(app, Door) else None


def _printable(name: str) -> str:
    return ascii(name)[1:-1][:_NAME_LIMIT_CHARS]
