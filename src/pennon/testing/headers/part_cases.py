"""The cases of the contract's parts: whether the door declares them alike, and what a guard makes of a call."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import fields, is_dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from pennon.errors import CircuitOpen
from pennon.headers import Downstream
from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Service, Setting

_SAYS: Final = "the door speaks of it as the contract does"
_PARTS: Final = ("unknown", "limits", "baggage", "budgets", "deadline", "proxies", "business_ids")
# More failures than this are not tried out.
_MANY: Final = 1_000


def part_cases(setting: Setting) -> Iterator[Case]:
    """All of them. What guards a call is asked where the libraries are."""
    make = partial(Case, setting)
    for part in _PARTS:
        yield make(part, "declared", _SAYS, partial(_alike, part), Needs.DOOR)
    for downstream in setting.contract.downstreams:
        name = downstream.name
        yield make("downstreams", f"{name}/declared", _SAYS, partial(_same_downstream, downstream), Needs.DOOR)
        if downstream.retries is not None and find_spec("stamina") is not None:
            says = f"a call to {name!r} that cannot be sent is tried {downstream.retries.attempts} times"
            yield make("downstreams", f"{name}/retries", says, partial(_tried, downstream), Needs.DOOR)
        breaker = downstream.breaker
        if breaker is not None and breaker.failures <= _MANY and find_spec("purgatory") is not None:
            says = f"after {breaker.failures} failures {name!r} is left alone"
            yield make("downstreams", f"{name}/breaker", says, partial(_left_alone, downstream), Needs.DOOR)


def _alike(part: str, service: Service) -> None:
    _expect_same(service, getattr(service.contract, part), getattr(service.spoken, part))


def _same_downstream(declared: Downstream, service: Service) -> None:
    spoken = _spoken(service, declared)
    service.expect(spoken, "the downstream is declared in the door's contract", "it is not")
    _expect_same(service, declared, spoken)


def _spoken(service: Service, declared: Downstream) -> Downstream | None:
    return next((each for each in service.spoken.downstreams if each.name == declared.name), None)


def _expect_same(service: Service, declared: Any, spoken: Any) -> None:
    if declared == spoken:
        return
    if not is_dataclass(declared) or type(declared) is not type(spoken):
        service.fail("the same declaration", "another")
    named = [each.name for each in fields(declared)]
    other = [name for name in named if getattr(declared, name) != getattr(spoken, name)]
    service.fail("the same declaration", f"it differs in: {', '.join(other)}")


def _tried(declared: Downstream, service: Service) -> None:
    retries = declared.retries
    assert retries is not None  # noqa: S101  # else there is no case
    limits = declared.breaker
    wanted = retries.attempts if limits is None else min(retries.attempts, limits.failures)
    found = _calls(service, declared, 1)
    service.expect(found == wanted, f"{wanted} attempts", f"{found}")


def _left_alone(declared: Downstream, service: Service) -> None:
    limits = declared.breaker
    assert limits is not None  # noqa: S101  # else there is no case
    found = _calls(service, declared, limits.failures + 1)
    service.expect(found == limits.failures, f"{limits.failures} attempts, and then none", f"{found}")


def _calls(service: Service, declared: Downstream, count: int) -> int:
    """How often so many guarded calls are tried that cannot be sent, by what the door's contract says."""
    import pennon.http

    spoken = _spoken(service, declared)
    if spoken is None or (spoken.retries is None and spoken.breaker is None):
        service.fail("the door's contract guards the call", "it does not")
    guard = pennon.http.Guard(service.spoken, declared.name)
    tried = 0

    def call() -> None:
        nonlocal tried
        tried += 1
        raise ConnectionRefusedError

    with _unhurried():
        for _ in range(count):
            try:
                guard.call(call)
            except (ConnectionRefusedError, CircuitOpen):
                continue
    return tried


def _unhurried() -> Any:
    """Nobody waits between attempts, and no attempt is left out."""
    if find_spec("stamina") is None:
        return nullcontext()
    import stamina

    return stamina.set_testing(True, attempts=_MANY, cap=True)
