"""The cases of trace and ids: who may name a request, who only a conversation, and whose trace goes on."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.headers import parse_id
from pennon.headers.grammar import CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.headers.ids import ID_LIMIT_CHARS
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.samples import values_of
from pennon.testing.headers.service import Needs, Service, Setting

TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN_ID: Final = "00f067aa0ba902b7"
PARENT: Final = (TRACEPARENT, f"00-{TRACE_ID}-{SPAN_ID}-01")
# Of the shape in which we make them: a contract's patterns of business ids are not found in such.
GIVEN_ID: Final = "req_0123456789abcdef0123456789abcdef"
CONVERSATION: Final = "corr_0123456789ABCDEFGHJKMNPQRS"

_SAMPLED: Final = 1
# An id is 1 to 128 of A-Z a-z 0-9 . _ : -, as a whole: "$" would let a newline pass.
_BROKEN_IDS: Final = ("two words", "", "x" * 129, "line\n", "line\r\nset-cookie: a=b", "\xe9", "<b>", "a,b", "nul\0")


def id_cases(setting: Setting) -> Iterator[Case]:
    """All of them, for whoever may ask."""
    verified, stranger = setting.callers.verified, setting.callers.stranger
    anybody = setting.callers.each()
    make = partial(Case, setting)
    yield make(REQUEST_ID, "generated", "a request without an id gets one", partial(_generated, anybody), Needs.ANSWERS)
    says = "what is no id is not taken for one"
    yield make(REQUEST_ID, "malformed", says, partial(_malformed, REQUEST_ID, anybody), Needs.ANSWERS)
    yield make(CORRELATION_ID, "malformed", says, partial(_malformed, CORRELATION_ID, anybody), Needs.ANSWERS)
    if setting.contract.business_ids:
        says = "an id that holds one of the business is nobody's"
        for name in (REQUEST_ID, CORRELATION_ID):
            yield make(name, "business_ids", says, partial(_opaque, name, anybody), Needs.ANSWERS)
    says = "a conversation's id goes on as it came"
    yield make(CORRELATION_ID, "kept", says, partial(_conversation_kept, anybody), Needs.ANSWERS)
    if verified is not None:
        says = "a verified caller's id is kept"
        yield make(REQUEST_ID, "verified", says, partial(_id_kept, verified), Needs.ANSWERS)
        yield make(TRACEPARENT, "verified", "its trace goes on", partial(_continued, verified), Needs.INSIDE)
        says = "whole members are kept, as many as the budget holds"
        yield make("budgets", "trace_bytes", says, partial(_state_cut, verified), Needs.INSIDE)
    if stranger is not None:
        says = "a stranger's id is noted and does not count"
        yield make(REQUEST_ID, "stranger", says, partial(_id_replaced, stranger), Needs.ANSWERS)
        says = "a stranger's trace does not go on, and is not sampled for its sake"
        yield make(TRACEPARENT, "stranger", says, partial(_restarted, stranger), Needs.INSIDE)


def _generated(callers: tuple[Caller, ...], service: Service) -> None:
    found = set()
    for caller in callers:
        for _ in range(2):
            seen = service.ask(caller=caller)
            lines = seen.answer.lines(REQUEST_ID)
            service.expect(len(lines) == 1, "the response names it once", f"{len(lines)} lines, {seen.answered}")
            service.expect(parse_id(lines[0].encode("latin-1")), "1 to 128 of A-Z a-z 0-9 . _ : -", "something else")
            found.add(lines[0])
    service.expect(len(found) == 2 * len(callers), "each request gets one of its own", "one came twice")


def _malformed(name: str, callers: tuple[Caller, ...], service: Service) -> None:
    for caller in callers:
        for broken in _BROKEN_IDS:
            seen = service.ask([(name, broken)], caller=caller)
            service.expect(not seen.has_failed, "no failure of the service", seen.answered)
            service.expect(broken not in seen.answer.lines(name), "the response does not name it", "it does")


def _opaque(name: str, callers: tuple[Caller, ...], service: Service) -> None:
    for branch in "|".join(service.contract.business_ids).split("|"):
        begins, ends = branch.startswith("^"), branch.endswith("$")
        for value in values_of(branch.removeprefix("^").removesuffix("$"), ID_LIMIT_CHARS // 2):
            text = f"{'' if begins else 'kit.'}{value}{'' if ends else '.kit'}"
            if parse_id(text.encode("latin-1")) is None:
                continue
            for caller in callers:
                lines = service.ask([(name, text)], caller=caller).answer.lines(name)
                service.expect(text not in lines, "the response does not name it", "it does")


def _conversation_kept(callers: tuple[Caller, ...], service: Service) -> None:
    for caller in callers:
        seen = service.ask([(CORRELATION_ID, CONVERSATION)], caller=caller)
        lines = seen.answer.lines(CORRELATION_ID)
        service.expect(lines == [CONVERSATION], "the response names it once", f"{len(lines)} lines, or another")


def _id_kept(caller: Caller, service: Service) -> None:
    lines = service.ask([(REQUEST_ID, GIVEN_ID)], caller=caller).answer.lines(REQUEST_ID)
    service.expect(lines == [GIVEN_ID], "the response names it once", f"{len(lines)} lines, or another")


def _id_replaced(caller: Caller, service: Service) -> None:
    seen = service.ask([(REQUEST_ID, GIVEN_ID)], caller=caller)
    service.expect(GIVEN_ID not in seen.answer.lines(REQUEST_ID), "the response names another", "it names the same")
    if seen.context is not None:
        kept = seen.context.caller_request_id == GIVEN_ID
        service.expect(kept, "the context holds it as the caller's, for logs", "it does not")


def _continued(caller: Caller, service: Service) -> None:
    context = service.serve([PARENT, (TRACESTATE, "kit=1")], caller=caller).context_here
    trace = context.trace
    service.expect(trace.trace_id == TRACE_ID, "the same trace", "another")
    service.expect(trace.parent_span_id == SPAN_ID, "the caller's span is the parent", "it is not")
    service.expect(trace.span_id != SPAN_ID, "a span of its own", "the caller's")
    service.expect(trace.state == "kit=1", "the same tracestate", "another")


def _restarted(caller: Caller, service: Service) -> None:
    seen = service.serve([PARENT, (TRACESTATE, "kit=1")], caller=caller)
    trace = seen.context_here.trace
    service.expect(trace.trace_id != TRACE_ID, "another trace", "the same")
    service.expect(not trace.flags & _SAMPLED, "not sampled", "sampled")
    service.expect(not trace.state, "no tracestate", "the stranger's")
    shown = [name for name in (TRACEPARENT, TRACESTATE) if seen.inside_lines(name)]
    service.expect(not shown, "the application sees neither header", f"it sees {', '.join(shown)}")


def _state_cut(caller: Caller, service: Service) -> None:
    most = service.contract.budgets.trace_bytes
    for count in (1, 2):
        # Members of up to 128 characters are cut from the end; two of these are just over the budget, or just within.
        members = _members_of(most + count - 1)
        state = ",".join(members)
        kept = service.serve([PARENT, (TRACESTATE, state)], caller=caller).context_here.trace.state
        wanted = state if len(state) <= most else ",".join(members[:-1])
        service.expect(kept == wanted, f"{len(wanted)} of {len(state)} bytes", f"{len(kept)} bytes")


def _members_of(total: int) -> list[str]:
    """Members of a tracestate, together this long, none over 128 characters."""
    members: list[str] = []
    while total > 0:
        # Never a rest that is too short for a member of its own.
        length = total if total <= _MEMBER_MAX else min(_MEMBER_MAX, total - _MEMBER_MIN - 1)
        key = f"k{len(members):02}="
        members.append(key + "v" * (length - len(key)))
        total -= length + 1
    return members


_MEMBER_MAX: Final = 128
_MEMBER_MIN: Final = 5
