"""The habits by which headers go wrong, each as a rule that a service keeps or breaks while it runs."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.context import RequestContext
from pennon.headers import Field, Propagate
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, REQUEST_ID
from pennon.headers.identity import IDENTITY_NAMES
from pennon.headers.standard import StandardField
from pennon.headers.std import IDEMPOTENCY_KEY
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import sample, takes_from
from pennon.testing.headers.id_cases import CONVERSATION, GIVEN_ID
from pennon.testing.headers.listening import listening
from pennon.testing.headers.service import Needs, Service, Setting
from pennon.testing.headers.spy import UNDECLARED

_PART: Final = "rule"
# One word in every value that nobody may pass on, write or repeat.
_MARK: Final = "kit-marked"
_SENSITIVE: Final = ("authorization", "cookie", "proxy-authorization", "x-api-key", "x-csrf-token", "x-session-id")
_UNKNOWN: Final = ("x-kit-unknown", "x-debug", "x-case-state", "x-http-method-override")
# By which gateways and older services name who asks.
_WHO: Final = (
    *("x-tenant", "x-account-id", "x-org-id", "x-customer-id", "x-workspace-id"),
    *("x-user", "x-user-id", "x-actor", "x-remote-user", "x-forwarded-user", "x-forwarded-email", "x-auth-user"),
    *("x-auth-request-user", "x-authenticated-userid", "x-ms-client-principal-id", "x-amzn-oidc-identity"),
    *("x-goog-authenticated-user-id", "x-roles", "x-scopes", "x-is-admin", "x-original-user"),
)
_BLOBS: Final = ('{"a":1}', '{"state":"open","items":[1]}', '[{"id":1}]')


def rule_cases(setting: Setting) -> Iterator[Case]:
    """All of them."""
    callers = setting.callers
    most_believed = callers.verified or callers.stranger
    assert most_believed is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    make = partial(Case, setting, _PART)
    says = "inbound headers are not sent on because they came"
    yield make("no-forward-all", says, partial(_forwards, most_believed), Needs.INSIDE)
    says = "a header that nobody has declared changes nothing of what is known about a request"
    yield make("no-hidden-parameters", says, partial(_hidden, most_believed), Needs.INSIDE)
    says = "no field takes a document"
    yield make("no-json-blobs", says, partial(_blobs, most_believed), Needs.INSIDE)
    says = "trace, request, conversation and deed each have an id of their own"
    yield make("no-one-id-for-all", says, partial(_ids, most_believed), Needs.INSIDE)
    if callers.stranger is not None:
        says = "nobody becomes tenant or actor by saying so"
        yield make("no-public-tenant", says, partial(_tenant, callers.stranger), Needs.INSIDE)
    says = "credentials and unknown headers are not logged"
    yield make("no-log-of-all", says, partial(_logs, callers.each()), Needs.ANSWERS)
    says = "baggage is for hints, not for data"
    yield make("no-cache-in-baggage", says, partial(_cache, callers.each()), Needs.INSIDE)
    says = "no request is without an end"
    yield make("deadline-everywhere", says, partial(_endless, callers.each()), Needs.INSIDE)


def _forwards(caller: Caller, service: Service) -> None:
    names = [*_SENSITIVE, *_UNKNOWN, *(each.name for each in service.contract.fields if _stays(each))]
    lines = [(name, _MARK) for name in dict.fromkeys(names)]
    for downstream in [*(each.name for each in service.contract.downstreams), UNDECLARED]:
        seen = service.ask(lines, caller=caller, calling=[downstream])
        if seen.was_refused:
            return  # an unknown header is refused: nothing is sent on
        service.expect(seen.reached[downstream], f"a call reaches {downstream!r}", seen.answered)
        passed = sorted({name for each in seen.reached[downstream] for name, value in each.lines if _MARK in value})
        service.expect(not passed, f"none of them reaches {downstream!r}", f"it got {', '.join(passed)}")


def _stays(declared: Field) -> bool:
    """Whether it is one that no call takes along, and that may hold anything, or nobody is served."""
    return declared.propagate is Propagate.NEVER and not declared.required


def _hidden(caller: Caller, service: Service) -> None:
    bare = service.serve(caller=caller).context_here
    seen = service.ask([(name, _MARK) for name in _UNKNOWN], caller=caller)
    if seen.was_refused:
        return
    service.expect(seen.was_served, "the request is served", seen.answered)
    differs = [name for name in _SAME if getattr(bare, name) != getattr(seen.context_here, name)]
    service.expect(not differs, "the same request context", f"it differs in: {', '.join(differs)}")


def _blobs(caller: Caller, service: Service) -> None:
    setting = service.setting
    for declared in service.contract.fields:
        if isinstance(declared, StandardField) or not takes_from(setting, declared, caller):
            continue
        for blob in _BLOBS:
            seen = service.ask([(declared.name, blob)], caller=caller)
            name = declared.name.lower()
            service.expect(seen.taken(name) is None, f"{name} does not take it", "it does")


def _ids(caller: Caller, service: Service) -> None:
    given = [(CORRELATION_ID, CONVERSATION), (IDEMPOTENCY_KEY.name, f'"{_MARK}"')]
    for lines in ([], given, [(REQUEST_ID, GIVEN_ID), *given]):
        context = service.serve(lines, caller=caller).context_here
        ids = _ids_of(context)
        service.expect(len(set(ids)) == len(ids), "all differ", "two are the same")
        copied = _MARK in "".join(ids) or context.request_id == CONVERSATION
        service.expect(not copied, "none is made of another", "one is")


def _ids_of(context: RequestContext) -> list[str]:
    ids = [context.trace.trace_id, context.trace.span_id, context.request_id]
    return ids if context.correlation_id is None else [*ids, context.correlation_id]


def _tenant(caller: Caller, service: Service) -> None:
    names = {*IDENTITY_NAMES, *_WHO, *(each.name.lower() for each in service.contract.fields if not each.is_open)}
    declared = {each.name.lower(): each for each in service.contract.fields}
    bare = service.ask(caller=caller)
    for name in sorted(names):
        value = (sample(declared[name]) if name in declared else None) or "kit"
        seen = service.ask([(name, value)], caller=caller)
        if seen.was_refused:
            continue
        service.expect(seen.was_served, "the request is served", seen.answered)
        same = bare.context is not None and bare.context.identity == seen.context_here.identity
        service.expect(same, "the same identity as without it", "another")
        service.expect(name not in dict(seen.context_here.fields), "the context does not hold it", "it does")


def _logs(callers: tuple[Caller, ...], service: Service) -> None:
    lines = [(name, f"{_MARK}-{number}") for number, name in enumerate((*_SENSITIVE, *_UNKNOWN))]
    # Beside them, of what is declared, what breaks its syntax.
    lines += [(each.name, _MARK) for each in service.contract.fields if not (each.required or _may_be(each))]
    for caller in callers:
        with listening() as written:
            seen = service.ask([*lines, (BAGGAGE, f"kit={_MARK}")], caller=caller)
        said = written.holding(_MARK)
        service.expect(not said, "nothing that is written holds a value", f"{', '.join(said)} does")
        told = [name for name, value in seen.answer.headers if _MARK in value]
        service.expect(not told, "no header of the response holds one", ", ".join(told))
        service.expect(_MARK.encode() not in seen.answer.body, "nor its body", "it does")


def _may_be(declared: Field) -> bool:
    """Whether the mark is a value of the field, so that it may be kept, or stand in a line."""
    return len(_MARK) <= declared.max_length and re.fullmatch(declared.syntax, _MARK) is not None


def _cache(callers: tuple[Caller, ...], service: Service) -> None:
    policy = service.contract.baggage
    for caller in callers:
        line = ",".join(f"kit-{number}={'v' * 256}" for number in range(policy.wire_max_bytes // 270))
        seen = service.ask([(BAGGAGE, line)], caller=caller)
        if seen.was_refused:
            continue
        members = seen.context_here.baggage
        size = sum(len(member.key) + len(member.value) + 1 for member in members)
        service.expect(size <= policy.max_bytes, f"at most {policy.max_bytes} bytes are kept", f"{size} are")
        service.expect(len(members) <= policy.max_members, f"at most {policy.max_members} members", f"{len(members)}")


def _endless(callers: tuple[Caller, ...], service: Service) -> None:
    service.expect(service.contract.deadline, "the contract declares deadlines", "it does not")
    for caller in callers:
        context = service.serve(caller=caller).context_here
        service.expect(context.deadline, "the request has a deadline", "it has none")


# What is known of a request, but for what is new for each: ids, spans, the ledger, and when it is due.
_SAME: Final = ("identity", "fields", "baggage", "correlation_id", "caller_request_id", "forwarded", "is_replay")
