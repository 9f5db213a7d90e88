"""The cases of deadlines: which are taken, how long they can be, and what a call is told of them."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from pennon.clock import SYSTEM_CLOCK
from pennon.context import Deadline
from pennon.headers import DeadlineForm, DeadlinePolicy, Downstream
from pennon.headers.deadline import format_deadline, read_deadline
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Seen, Service, Setting

_S_NS: Final = 1_000_000_000
# Formats cut to whole milliseconds, and an absolute one is read by another clock.
_CUT_NS: Final = 5_000_000
_PART: Final = "deadline"
READ_S: Final = 0.4
"""A request is read within that time."""


def deadline_cases(setting: Setting) -> Iterator[Case]:
    """All of them; none where the contract declares no deadlines."""
    policy = setting.contract.deadline
    if policy is None:
        return
    make = partial(Case, setting, _PART)
    callers = setting.callers
    for caller in callers.each():
        role = "verified" if caller == callers.verified else "stranger"
        says = f"a request that says nothing has {policy.cap_s} s"
        yield make(f"cap_s/{role}", says, partial(_cap, caller), Needs.INSIDE)
        for form in DeadlineForm:
            taken = is_taken(policy, form, is_verified=role == "verified")
            rule = "accept" if role == "verified" else "from_strangers"
            says = f"a deadline in {form.value!r} {'counts' if taken else 'does not count'}, and never extends the cap"
            yield make(f"{rule}/{form.value}/{role}", says, partial(_form, caller, form), Needs.INSIDE)
    sender = callers.verified or callers.stranger
    assert sender is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    for downstream in setting.contract.downstreams:
        if downstream.host is None:
            continue
        told = "no deadline" if downstream.deadline is None else f"its deadline in {downstream.deadline.value!r}"
        check = partial(_told, sender, downstream)
        yield make(f"downstreams/{downstream.name}", f"{downstream.name!r} is told {told}", check, Needs.INSIDE)
        says = f"a call to {downstream.name!r} is not sent that has less than {policy.floor_s} s"
        if any(is_taken(policy, form, is_verified=sender == callers.verified) for form in DeadlineForm):
            yield make(f"floor_s/{downstream.name}", says, partial(_floor, sender, downstream), Needs.INSIDE)


def is_taken(policy: DeadlinePolicy, form: DeadlineForm, *, is_verified: bool) -> bool:
    """Whether such a caller's deadline in this form counts."""
    if form not in policy.accept:
        return False
    return is_verified or (policy.from_strangers and form is not DeadlineForm.ENVOY_MS)


def _policy(service: Service) -> DeadlinePolicy:
    policy = service.contract.deadline
    assert policy is not None  # noqa: S101  # else there are no cases
    return policy


def _cap(caller: Caller, service: Service) -> None:
    before_ns = SYSTEM_CLOCK.monotonic_ns()
    deadline = _deadline_of(service, service.serve(caller=caller))
    _expect_due(service, deadline, before_ns, _policy(service).cap_s)


def _form(caller: Caller, form: DeadlineForm, service: Service) -> None:
    policy = _policy(service)
    counts = is_taken(policy, form, is_verified=caller == service.callers.verified)
    for seconds in (policy.cap_s / 2, policy.cap_s * 2):
        before_ns = SYSTEM_CLOCK.monotonic_ns()
        deadline = _deadline_of(service, service.serve([said(form, seconds)], caller=caller))
        _expect_due(service, deadline, before_ns, min(seconds, policy.cap_s) if counts else policy.cap_s)


def _told(caller: Caller, downstream: Downstream, service: Service) -> None:
    policy = _policy(service)
    _expect_told(service, caller, downstream, (), policy.cap_s)
    is_verified = caller == service.callers.verified
    forms = [form for form in DeadlineForm if is_taken(policy, form, is_verified=is_verified)]
    # Half of it must be enough to be served, and for the call.
    if forms and policy.cap_s / 2 > policy.floor_s + policy.margin_s + READ_S:
        _expect_told(service, caller, downstream, [said(forms[0], policy.cap_s / 2)], policy.cap_s / 2)


def _expect_told(
    service: Service, caller: Caller, downstream: Downstream, lines: Sequence[tuple[str, str]], seconds: float
) -> None:
    """What a downstream is told in a request that has so many seconds."""
    before_ns = SYSTEM_CLOCK.monotonic_ns()
    reached = service.serve(lines, caller=caller, calling=[downstream.name]).reached[downstream.name]
    service.expect(reached, "a call reaches it", "none did")
    found = {form: reached[-1].headers[form.value] for form in DeadlineForm if form.value in reached[-1].headers}
    left = {form: _left_s(form, value) for form, value in found.items()}
    spent_s = (SYSTEM_CLOCK.monotonic_ns() - before_ns) / _S_NS
    wanted = set() if downstream.deadline is None else {downstream.deadline}
    names = ", ".join(sorted(form.value for form in wanted)) or "none"
    service.expect(set(found) == wanted, f"{names} arrives", ", ".join(sorted(found)) or "none")
    for form, value in found.items():
        is_utc = form is not DeadlineForm.ABSOLUTE or value.endswith("Z")
        service.expect(is_utc, "an absolute one is in UTC and says so", "it is not, or does not")
        most_s = seconds - _policy(service).margin_s
        service.expect(left[form] <= most_s + _CUT_NS / _S_NS, f"at most {most_s} s", "more")
        service.expect(left[form] >= most_s - spent_s - 2 * _CUT_NS / _S_NS, "what is left, less the margin", "less")


def _floor(caller: Caller, downstream: Downstream, service: Service) -> None:
    policy = _policy(service)
    is_verified = caller == service.callers.verified
    form = next(form for form in DeadlineForm if is_taken(policy, form, is_verified=is_verified))
    # Enough to be served, too little for a call: the margin is kept back from it.
    seconds = policy.floor_s + policy.margin_s / 2
    seen = service.ask([said(form, seconds)], caller=caller, calling=[downstream.name])
    service.expect(not seen.reached[downstream.name], "no call reaches it", "one did")


def said(form: DeadlineForm, seconds: float) -> tuple[str, str]:
    """The header that says so. seconds: from now on; negative in the absolute form alone."""
    passed_ns = round(max(-seconds, 0) * _S_NS)
    return form.value, format_deadline(form, round(seconds * _S_NS), now_ns=time.time_ns() - passed_ns).decode()


def _left_s(form: DeadlineForm, value: str) -> float:
    """What a deadline's header leaves from now on."""
    policy = DeadlinePolicy(accept=[form], cap_s=float(2**30))
    read = read_deadline(
        {form.value: [value.encode("latin-1")]}, policy, is_trusted=True, now_ns=time.time_ns(), monotonic_ns=0
    )
    return read.deadline.due_ns / _S_NS


def _deadline_of(service: Service, seen: Seen) -> Deadline:
    deadline = seen.context_here.deadline
    if deadline is None:
        service.fail("the request has a deadline", "it has none")
    return deadline


def _expect_due(service: Service, deadline: Deadline, before_ns: int, seconds: float) -> None:
    after_ns = SYSTEM_CLOCK.monotonic_ns()
    left_ns = round(seconds * _S_NS)
    is_late = deadline.due_ns > after_ns + left_ns + _CUT_NS
    # Between the reading of the one clock and of the other any of the time may have passed.
    is_early = deadline.due_ns < before_ns + left_ns - _CUT_NS - (after_ns - before_ns)
    service.expect(not (is_late or is_early), f"it is due in {seconds} s", "later" if is_late else "sooner")
