"""The cases of requests that come too late: how many are turned away, and when clocks are to blame."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.clock import SYSTEM_CLOCK
from pennon.headers import DeadlineForm, DeadlinePolicy
from pennon.headers.deadline import Valve
from pennon.headers.report import LATE_STATUS
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.deadline_cases import READ_S, is_taken, said
from pennon.testing.headers.service import Needs, Service, Setting

_PART: Final = "deadline"
# Of so many, a share that differs by a fortieth shows.
_COUNT: Final = 40
_NEARER, _FARTHER = 0.75, 1.25


def late_cases(setting: Setting) -> Iterator[Case]:
    """All of them, of the caller that is believed most; none where the contract takes no deadlines of it."""
    policy = setting.contract.deadline
    sender = setting.callers.verified or setting.callers.stranger
    assert sender is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    if policy is None:
        return
    taken = [form for form in DeadlineForm if is_taken(policy, form, is_verified=sender == setting.callers.verified)]
    if not taken:
        return
    make = partial(Case, setting, _PART)
    check = partial(_refused, sender, policy, taken[0])
    left = f"with less than {policy.floor_s} s left"
    says = f"{left}, {policy.max_refused_share:.0%} of the requests at most are {setting.fate(LATE_STATUS)}"
    yield make("max_refused_share", says, check, Needs.DOOR)
    # A skew below the time in which a request is read cannot be told from nothing.
    if DeadlineForm.ABSOLUTE in taken and policy.max_skew_s * (1 - _NEARER) >= READ_S:
        says = f"a deadline that passed {policy.max_skew_s} s ago tells of clocks, and is not believed"
        yield make("max_skew_s", says, partial(_skewed, sender, policy), Needs.INSIDE)


def _refused(caller: Caller, policy: DeadlinePolicy, form: DeadlineForm, service: Service) -> None:
    seen = service.ask([said(form, policy.floor_s + READ_S)], caller=caller)
    service.expect(seen.was_served, f"a request with more than {policy.floor_s} s left is served", seen.answered)
    valve, _ = Valve().after(0, is_late=False, max_share=policy.max_refused_share)
    refused = wanted = 0
    for _ in range(_COUNT):
        seen = service.ask([said(form, policy.floor_s / 2)], caller=caller)
        valve, is_refused = valve.after(0, is_late=policy.floor_s > 0, max_share=policy.max_refused_share)
        wanted += is_refused and service.setting.enforces
        refused += seen.answer.status == LATE_STATUS and not seen.was_served
    service.expect(refused == wanted, f"{wanted} of {_COUNT} are refused with {LATE_STATUS}", f"{refused} are")


def _skewed(caller: Caller, policy: DeadlinePolicy, service: Service) -> None:
    for share, is_believed in ((_NEARER, True), (_FARTHER, False)):
        seen = service.ask([said(DeadlineForm.ABSOLUTE, -share * policy.max_skew_s)], caller=caller)
        deadline = None if seen.context is None else seen.context.deadline
        has_passed = deadline is None or deadline.due_ns <= SYSTEM_CLOCK.monotonic_ns()
        told = "is over" if is_believed else "is nobody's"
        service.expect(
            has_passed is is_believed, f"what passed {share * policy.max_skew_s} s ago {told}", "the opposite"
        )
