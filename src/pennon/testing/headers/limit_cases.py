"""The cases of budgets: what is too much is refused before it is read, and what just fits is not."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.headers import UnknownHeaders
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import is_a_standards, takes_from
from pennon.testing.headers.samples import longest
from pennon.testing.headers.service import Needs, Service, Setting

UNKNOWN: Final = "x-kit-unknown"
# A header that every contract knows: where unknown ones are refused, the size alone must be what counts.
_KNOWN: Final = "accept"
_SECRET: Final = "kit-value-that-nobody-repeats"  # noqa: S105  # it stands for one


def limit_cases(setting: Setting) -> Iterator[Case]:
    """All of them; asked by the caller that is believed most."""
    callers = setting.callers
    caller = callers.verified or callers.stranger
    assert caller is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    make = partial(Case, setting)
    budgets = setting.contract.budgets
    unknown = setting.contract.unknown
    if unknown is not UnknownHeaders.REJECT or not setting.enforces:
        says = f"{budgets.total_count} headers are served, one more is {setting.fate()}"
        yield make("budgets", "total_count", says, partial(_counted, caller), Needs.ANSWERS)
    says = f"{budgets.total_bytes} bytes of headers are served, one more is {setting.fate()}"
    yield make("budgets", "total_bytes", says, partial(_weighed, caller), Needs.ANSWERS)
    if _weight(_custom(setting, caller)) > budgets.custom_bytes:
        says = f"a request whose fields of your own are over their budget together is {setting.fate()}"
        yield make("budgets", "custom_bytes", says, partial(_own_fields, caller), Needs.ANSWERS)
    for who in callers.each():
        role = "verified" if who == callers.verified else "stranger"
        says = f"headers that nobody has declared: {unknown.value}"
        yield make("unknown", role, says, partial(_unknown, who), Needs.INSIDE)


def _counted(caller: Caller, service: Service) -> None:
    most = service.contract.budgets.total_count
    room = most - len(service.lines(caller))
    for count in (room, room + 1):
        seen = service.ask([(f"x-kit-{number}", "v") for number in range(count)], caller=caller)
        service.expect_refused(seen, is_over=count > room)


def _weighed(caller: Caller, service: Service) -> None:
    room = service.contract.budgets.total_bytes - _weight(service.lines(caller)) - len(_KNOWN)
    for size in (room, room + 1):
        seen = service.ask([(_KNOWN, "a" * size)], caller=caller)
        service.expect_refused(seen, is_over=size > room)
        service.expect(b"aaaaaaaa" not in seen.answer.body, "the response does not repeat the value", "it does")


def _own_fields(caller: Caller, service: Service) -> None:
    most = service.contract.budgets.custom_bytes
    fields = _custom(service.setting, caller)
    fitting: list[tuple[str, str]] = []
    for field in fields:
        if _weight([*fitting, field]) <= most:
            fitting.append(field)
    service.expect_refused(service.ask(fitting, caller=caller), is_over=False)
    service.expect_refused(service.ask(fields, caller=caller), is_over=True)


def _unknown(caller: Caller, service: Service) -> None:
    policy = service.contract.unknown
    seen = service.ask([(UNKNOWN, _SECRET)], caller=caller)
    if policy is UnknownHeaders.REJECT and service.setting.enforces:
        service.expect(seen.was_refused, "the request is refused", seen.answered)
    else:
        service.expect(seen.was_served, "the request is served", seen.answered)
        is_shown = bool(seen.inside_lines(UNKNOWN))
        wanted = policy is not UnknownHeaders.DROP
        told = "the application sees it" if wanted else "the application does not see it"
        service.expect(is_shown is wanted, told, "the opposite")
    service.expect(_SECRET.encode() not in seen.answer.body, "the response does not repeat the value", "it does")


def _custom(setting: Setting, caller: Caller) -> list[tuple[str, str]]:
    """The longest values of all fields that no standard defines and that this caller may set, required ones first."""
    own = [each for each in setting.contract.fields if not is_a_standards(each)]
    own.sort(key=lambda each: not each.required)
    values = [(each, longest(each.syntax, each.max_length)) for each in own if takes_from(setting, each, caller)]
    return [(each.name.lower(), value) for each, value in values if value is not None]


def _weight(lines: list[tuple[str, str]]) -> int:
    return sum(len(name) + len(value) for name, value in lines)
