"""Deadlines: until when whoever asked will wait, in every form in which it travels.

Rules:
- Inside it is monotonic: a wall clock that is set does not move it. It only ever comes closer: of several the soonest
  counts, the service's cap ends it at the latest, nothing extends it. Digits that we cut, we cut towards sooner.
- So it is with lines of one form that disagree: if they took each other away, whoever adds one would gain time.
- Absolute (`X-Request-Deadline`): RFC 3339 with "Z" or an offset; a time without one is nobody's. Remaining:
  milliseconds (`X-Request-Timeout-Ms`, Envoy's `x-envoy-expected-rq-timeout-ms`), or `grpc-timeout`.
- 0 left is a deadline too, and it has come.
- An absolute one needs two clocks that agree. One that had passed by more than `max_skew_s` when it came in tells of
  the clocks, not of the request, and is not believed; by less, it has passed.
- A stranger's counts where the contract says so; Envoy's header never does, Envoy itself takes it off such requests.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import msgspec

from pennon.context import Deadline
from pennon.errors import Fault
from pennon.headers.grammar import OWS
from pennon.headers.report import Drop, DropReason
from pennon.headers.times import (
    MS_NS,
    S_NS,
    format_grpc_timeout,
    format_rfc3339,
    parse_grpc_timeout_ns,
    parse_ms_ns,
    parse_rfc3339_ns,
)
from pennon.headers.values import is_finite, listed

# A date-time with 30 digits of fraction and an offset is 56 characters long; no other form is longer than 15.
VALUE_LIMIT_BYTES: Final = 64
# A day: nobody waits longer. PostgreSQL takes 24 days as a limit; an RFC 3339 time ends with the year 9999.
_CAP_LIMIT_S: Final = 86_400


class DeadlineForm(StrEnum):
    """A way to say a deadline; the value is the header's name."""

    ABSOLUTE = "x-request-deadline"
    TIMEOUT_MS = "x-request-timeout-ms"
    GRPC = "grpc-timeout"
    ENVOY_MS = "x-envoy-expected-rq-timeout-ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePolicy:
    """Which deadlines a service takes, and what it makes of them. `deadline_faults` checks it.

    accept: the forms that are read. cap_s: how long a request may take here at most, also if it says nothing; a day at
        most itself.
    floor_s: with less left than this a call is not worth sending. margin_s: kept back from every call, for our own work
        after it. max_skew_s: by how much the clocks of sender and receiver may differ.
    from_strangers: whether an unverified caller's deadline counts; the cap holds for it in any case.
    max_refused_share: the share of the last seconds' requests that is refused at most because a deadline is over or
        leaves less than floor_s, 0 to 1; the others of them are served. If more than one in ten comes too late, it is
        clocks or a caller that are wrong, or we are the slow ones: to turn everybody away would then be the outage.
    """

    accept: Sequence[DeadlineForm | str]
    cap_s: float
    floor_s: float = 0.05
    margin_s: float = 0.025
    max_skew_s: float = 2.0
    from_strangers: bool = False
    max_refused_share: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.accept, str):
            object.__setattr__(self, "accept", tuple(map(_form, listed(self.accept))))


class CallTimeout(msgspec.Struct, frozen=True, gc=False):
    """How long one call may take.

    timeout_ns: 0 or more. is_too_short: do not send it, the deadline is as good as over.
    """

    timeout_ns: int
    is_too_short: bool

    @property
    def timeout_s(self) -> float:
        """The same in seconds, as clients want it."""
        return self.timeout_ns / S_NS


def capped(deadline: Deadline, cap_s: float, monotonic_ns: int) -> Deadline:
    """This one, or the one in cap_s from now if that is sooner."""
    due_ns = monotonic_ns + round(cap_s * S_NS)
    return deadline if deadline.due_ns <= due_ns else Deadline(due_ns, deadline.form, is_capped=True)


def for_call(deadline: Deadline, monotonic_ns: int, *, margin_s: float, floor_s: float) -> CallTimeout:
    """How long a call may take that begins now: what is left without the margin; too short if below the floor."""
    timeout_ns = max(0, deadline.remaining_ns(monotonic_ns) - round(margin_s * S_NS))
    return CallTimeout(timeout_ns, is_too_short=timeout_ns == 0 or timeout_ns < round(floor_s * S_NS))


class ReadDeadline(msgspec.Struct, frozen=True):
    """A deadline as it came in. took: the headers that counted, lower-case. dropped: those that did not, and why.

    One whose lines disagree is in both, if any of them can be read.
    """

    deadline: Deadline
    took: tuple[str, ...] = ()
    dropped: tuple[Drop, ...] = ()


def read_deadline(
    found: Mapping[str, Sequence[bytes]],
    policy: DeadlinePolicy,
    *,
    is_trusted: bool,
    now_ns: int,
    monotonic_ns: int,
) -> ReadDeadline:
    """The soonest of the accepted deadlines, capped. There always is one: without any it is the cap.

    found: lower-case name -> the values of its lines; what is not accepted is not looked at.
    is_trusted: the sender has been verified as one of ours. now_ns: wall clock, since 1970.
    """
    said: list[tuple[DeadlineForm, int]] = []
    dropped: list[Drop] = []
    for form in policy.accept:
        lines = found.get(form)
        if lines is None or not isinstance(form, DeadlineForm):
            continue
        if not (is_trusted or (policy.from_strangers and form is not DeadlineForm.ENVOY_MS)):
            dropped.append(Drop(str(form), DropReason.NOT_TRUSTED))
            continue
        read = [left_ns(form, line, now_ns, round(policy.max_skew_s * S_NS)) for line in set(lines)]
        said += [(form, left) for left in read if not isinstance(left, DropReason)]
        if len(read) > 1:
            dropped.append(Drop(str(form), DropReason.REPEATED))
        elif isinstance(read[0], DropReason):
            dropped.append(Drop(str(form), read[0]))
    deadline = soonest(said, round(policy.cap_s * S_NS), monotonic_ns)
    return ReadDeadline(deadline, tuple(dict.fromkeys([str(form) for form, _ in said])), tuple(dropped))


def soonest(said: Sequence[tuple[DeadlineForm, int]], cap_ns: int, monotonic_ns: int) -> Deadline:
    """The deadline that comes first: the first of those that were said, with what each leaves, or the cap."""
    if not said:
        return Deadline(monotonic_ns + cap_ns)
    form, remaining_ns = said[0] if len(said) == 1 else min(said, key=lambda each: each[1])
    if remaining_ns > cap_ns:
        return Deadline(monotonic_ns + cap_ns, form, is_capped=True)
    return Deadline(monotonic_ns + remaining_ns, form)


def left_ns(form: DeadlineForm, value: bytes, now_ns: int, max_skew_ns: int) -> int | DropReason:
    """How much time one deadline leaves, or why it does not count. now_ns: wall clock, since 1970."""
    value = value.strip(OWS)
    if len(value) > VALUE_LIMIT_BYTES:
        return DropReason.TOO_LONG
    if form is not DeadlineForm.ABSOLUTE:
        remaining_ns = _PARSERS[form](value)
        return DropReason.MALFORMED if remaining_ns is None else remaining_ns
    return left_until(parse_rfc3339_ns(value), now_ns, max_skew_ns)


def left_until(due_ns: int | None, now_ns: int, max_skew_ns: int) -> int | DropReason:
    """As `left_ns`, of an absolute deadline. due_ns: since 1970; None: it is no time."""
    if due_ns is None:
        return DropReason.MALFORMED
    return DropReason.SKEWED if due_ns < now_ns - max_skew_ns else due_ns - now_ns


# A valve looks back so far. Shorter: a second of late requests closes it for good ones' sake; longer: a minute of good
# ones lets it refuse a whole burst.
VALVE_SPAN_S: Final = 10


class Valve(msgspec.Struct, frozen=True, gc=False):
    """What came in the last seconds, and how much of it was refused for its deadline: a share that never gets too big.

    second: the one that is counted in, by the monotonic clock; -1 before the first. seen, refused: in it.
    before: the same for the seconds before it that still count, oldest first; without empty ones.
    """

    second: int = -1
    seen: int = 0
    refused: int = 0
    before: tuple[tuple[int, int, int], ...] = ()

    def after(self, monotonic_ns: int, *, is_late: bool, max_share: float) -> "tuple[Valve, bool]":
        """The valve after one more request, and whether that is refused. is_late: its deadline is as good as over."""
        valve = self.seeing(monotonic_ns // S_NS, 1)
        refused = valve.refused + sum([each[2] for each in valve.before])
        seen = valve.seen + sum([each[1] for each in valve.before])
        if not is_late or refused + 1 > max_share * seen:
            return valve, False
        return Valve(valve.second, valve.seen, valve.refused + 1, valve.before), True

    def seeing(self, second: int, count: int) -> "Valve":
        """The valve after so many more requests of one second, none of them refused."""
        valve = self if second == self.second else self._moved_to(second)
        return Valve(second, valve.seen + count, valve.refused, valve.before)

    def _moved_to(self, second: int) -> "Valve":
        counted = (*self.before, (self.second, self.seen, self.refused)) if self.seen else self.before
        return Valve(second, before=tuple([each for each in counted if each[0] > second - VALVE_SPAN_S]))


def format_deadline(form: DeadlineForm, timeout_ns: int, *, now_ns: int) -> bytes:
    """The header's value for a call that may take this long from now; cut towards sooner.

    timeout_ns: 0 if negative. now_ns: wall clock, since 1970, for the absolute form.
    """
    timeout_ns = max(0, timeout_ns)
    if form == _ABSOLUTE:
        return format_rfc3339(now_ns + timeout_ns)
    if form == _GRPC:
        return format_grpc_timeout(timeout_ns)
    return b"%d" % (timeout_ns // MS_NS)


def deadline_faults(policy: DeadlinePolicy, path: str) -> Iterator[Fault]:
    """Everything that is wrong with a policy."""
    if isinstance(policy.accept, str):
        yield Fault(f"{path}/accept", f"{policy.accept!r} is one text; give a list of forms")
    else:
        allowed = ", ".join(DeadlineForm)
        for number, form in enumerate(policy.accept):
            if not isinstance(form, DeadlineForm):
                yield Fault(f"{path}/accept/{number}", f"{form!r} is not one of {allowed}")
            elif form in policy.accept[:number]:
                yield Fault(f"{path}/accept/{number}", f"{form.value!r} is listed twice")
    share = policy.max_refused_share
    if not _is_span(share) or share > 1:
        yield Fault(f"{path}/max_refused_share", f"{share!r} is not a number from 0 to 1")
    spans = {name: getattr(policy, name) for name in ("cap_s", "floor_s", "margin_s", "max_skew_s")}
    wrong = {name for name, span_s in spans.items() if not _is_span(span_s)}
    for name in sorted(wrong):
        yield Fault(f"{path}/{name}", f"{spans[name]!r} is not a finite number of seconds, 0 or more")
    if "cap_s" not in wrong and policy.cap_s > _CAP_LIMIT_S:
        yield Fault(f"{path}/cap_s", f"{policy.cap_s} must be at most {_CAP_LIMIT_S}, a day")
    if not wrong and policy.cap_s <= policy.floor_s + policy.margin_s:
        least_s = policy.floor_s + policy.margin_s
        yield Fault(f"{path}/cap_s", f"{policy.cap_s} must be more than floor_s and margin_s together, {least_s}")


def _form(given: DeadlineForm | str) -> DeadlineForm | str:
    """The form of this name; what names none stays as it is, for `deadline_faults` to report."""
    try:
        return DeadlineForm(given)
    except ValueError:
        return given


def _is_span(given: object) -> bool:
    return is_finite(given) and given >= 0


# Looked up once: through its class a member costs more than it is compared for.
_ABSOLUTE: Final = DeadlineForm.ABSOLUTE
_GRPC: Final = DeadlineForm.GRPC
_PARSERS: Final[Mapping[DeadlineForm, Callable[[bytes], int | None]]] = {
    DeadlineForm.TIMEOUT_MS: parse_ms_ns,
    DeadlineForm.ENVOY_MS: parse_ms_ns,
    DeadlineForm.GRPC: parse_grpc_timeout_ns,
}
