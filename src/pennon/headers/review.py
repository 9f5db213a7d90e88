"""The fourteen questions of a review, each with an answer and what it rests on.

Most are answered by the contract: by what it declares, by what does not build, and by what `lint` finds. Two are not:
whether trace context really passes the doors (116), and whether tests show all this (126). For these evidence is shown,
or the answer is no.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pennon.headers.contract import Contract
from pennon.headers.fields import Downstream, Field, Log, Trust
from pennon.headers.identity import IDENTITY_NAMES
from pennon.headers.lint import Finding, Rule, findings_of
from pennon.headers.redaction import is_sensitive_name
from pennon.headers.standard import StandardField
from pennon.headers.std import DEPRECATION, ETAG, IDEMPOTENCY_KEY, IF_MATCH, SUNSET


class Outcome(StrEnum):
    """How a question is answered."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_DECLARED = "not declared"
    """The contract says nothing of it, and need not."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What stands outside the contract. None: nobody has looked; empty: nothing was found.

    doors: which applications stand behind a door with this contract. tests: which tests of it have passed.
    """

    doors: Sequence[str] | None = None
    tests: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question. number: of the requirement. evidence: what it rests on, in a sentence or two."""

    number: int
    question: str
    outcome: Outcome
    evidence: str


def review_of(
    contract: Contract, evidence: Evidence = Evidence(), *, allowed: Collection[Rule] = ()
) -> tuple[Answer, ...]:
    """All fourteen answers, in order. allowed: the rules whose findings are meant so, and count against nothing."""
    findings = [finding for finding in findings_of(contract) if finding.rule not in allowed]
    subject = _Subject(contract, evidence, findings)
    answers = []
    for number, (question, answered) in _QUESTIONS.items():
        outcome, says = answered(subject)
        answers.append(Answer(number, question, outcome, says))
    return tuple(answers)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What the answers are drawn from."""

    contract: Contract
    evidence: Evidence
    findings: Sequence[Finding]

    @property
    def custom(self) -> list[Field]:
        return [each for each in self.contract.fields if not isinstance(each, StandardField)]

    @property
    def ours(self) -> list[Downstream]:
        return [each for each in self.contract.downstreams if not each.external]

    def judged(self, says: str, *rules: Rule) -> tuple[Outcome, str]:
        """Failed by the findings of these rules, which then are the evidence; else passed."""
        found = [str(each) for each in self.findings if each.rule in rules]
        return (Outcome.FAILED, "; ".join(found)) if found else (Outcome.PASSED, says)


_Judged = tuple[Outcome, str]


def _standards(subject: _Subject) -> _Judged:
    says = f"{_count(len(subject.contract.fields) - len(subject.custom), 'built-in field')}; "
    own = _names(each.name for each in subject.custom)
    says += f"{own}: none of them does what a standard does" if own else "no field of its own"
    return subject.judged(says, Rule.VENDOR_TRACE, Rule.UNCATEGORISED_HEADER)


def _declared(subject: _Subject) -> _Judged:
    own = [f"{each.name} ({each.owner}, {each.trust})" for each in subject.custom]
    return subject.judged(_names(own) or "no field of its own", Rule.NO_OWNER, Rule.SYNTAX_SAYS_NOTHING)


def _without_case(subject: _Subject) -> _Judged:
    names = _count(len(subject.contract.fields), "name")
    return Outcome.PASSED, f"{names}, folded when the contract is built; no two differ only by case or by - and _"


def _traced(subject: _Subject) -> _Judged:
    doors = subject.evidence.doors
    untraced = [each.name for each in subject.ours if not each.trace]
    if untraced:
        return Outcome.FAILED, f"trace=False for services of ours, where traces break: {_names(untraced)}"
    if not doors:
        found = "nobody has looked" if doors is None else "none was found"
        return Outcome.FAILED, f"no door with this contract was shown: {found}"
    told = _names(each.name for each in subject.ours) or "no downstream"
    return Outcome.PASSED, f"behind a door with this contract: {_names(doors)}; to {told}"


def _ids_apart(subject: _Subject) -> _Judged:
    key = "declared, and never sent on" if IDEMPOTENCY_KEY.name in subject.contract.declared else "not declared"
    says = f"x-request-id and x-correlation-id have codecs of their own; idempotency-key is {key}"
    return subject.judged(says, Rule.ONE_ID_FOR_ALL, Rule.KEY_FORWARDED)


def _baggage(subject: _Subject) -> _Judged:
    policy = subject.contract.baggage
    says = (
        f"{_count(len(policy.allow), 'key')} allowed, others dropped from strangers; {policy.max_members} members,"
        f" {policy.max_bytes} bytes, {policy.wire_max_bytes} on the wire"
    )
    return subject.judged(says, Rule.BAGGAGE_AS_CACHE, Rule.UNSTABLE_KEYS)


def _redacted(subject: _Subject) -> _Judged:
    hidden = [
        each.name for each in subject.contract.fields if each.log is not Log.CLEAR or is_sensitive_name(each.name)
    ]
    says = f"not in clear: {_names(hidden) or 'no field'}; credentials by name or class, and unknown headers, never are"
    return subject.judged(says, Rule.UNMARKED_SECRET, Rule.LOGGED_IN_CLEAR, Rule.PERSONAL_DATA)


def _sanitised(subject: _Subject) -> _Judged:
    contract = subject.contract
    closed = _count(sum(not each.is_open for each, _ in contract.fields_by_name.values()), "field")
    proxies = "of listed proxies alone" if contract.proxies is not None else "of nobody"
    says = (
        f"{closed} not taken from strangers; unknown headers: {contract.unknown}; forwarding headers are believed"
        f" {proxies}; at most {contract.budgets.total_count} headers of {contract.budgets.total_bytes} bytes"
    )
    rules = (Rule.PUBLIC_IDENTITY, Rule.DOMAIN_PAYLOAD, Rule.FREE_TEXT, Rule.JSON_BLOB, Rule.WIDE_BUDGET)
    return subject.judged(says, *rules, Rule.WIDE_NETWORK)


def _allowlisted(subject: _Subject) -> _Judged:
    names = _names(each.name for each in subject.contract.downstreams)
    says = f"declared: {names or 'no downstream'}; an undeclared one gets nothing of ours"
    return subject.judged(says, Rule.FORWARD_EVERYTHING, Rule.BROAD_DOWNSTREAM)


def _deadlines(subject: _Subject) -> _Judged:
    policy = subject.contract.deadline
    told = [f"{each.name} ({each.deadline})" for each in subject.contract.downstreams if each.deadline is not None]
    cap = f"capped at {policy.cap_s:g} s; " if policy is not None else ""
    return subject.judged(f"{cap}told to {_names(told) or 'no downstream'}", Rule.NO_DEADLINE, Rule.DEADLINE_NOT_TOLD)


def _identified(subject: _Subject) -> _Judged:
    declared = [each for each in subject.contract.fields if each.name.lower() in IDENTITY_NAMES]
    trusted = [f"{each.name} ({each.trust})" for each in declared if each.trust is not Trust.CLIENT]
    says = _names(trusted) or "no identity header is declared; none is read"
    return subject.judged(f"{says}; never from strangers", Rule.PUBLIC_IDENTITY)


def _conditional(subject: _Subject) -> _Judged:
    return _both(subject, (ETAG.name, IF_MATCH.name))


def _announced(subject: _Subject) -> _Judged:
    return _both(subject, (DEPRECATION.name, SUNSET.name))


def _both(subject: _Subject, names: Sequence[str]) -> _Judged:
    found = [name for name in names if name in subject.contract.declared]
    if not found:
        return Outcome.NOT_DECLARED, f"the contract declares neither {' nor '.join(names)}"
    if len(found) < len(names):
        return Outcome.FAILED, f"declares {_names(found)} alone, of {_names(names)}"
    return Outcome.PASSED, f"declares {_names(found)}"


def _tested(subject: _Subject) -> _Judged:
    tests = subject.evidence.tests
    if tests:
        return Outcome.PASSED, _names(tests)
    found = "nobody has looked" if tests is None else "none was found"
    return Outcome.FAILED, f"no run of tests with pennon's test kit was shown: {found}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(names)


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


_QUESTIONS: Final[dict[int, tuple[str, Callable[[_Subject], _Judged]]]] = {
    113: ("Is a standard field used wherever one exists?", _standards),
    114: ("Does every custom field state syntax, owner and trust boundary?", _declared),
    115: ("Are names compared without case?", _without_case),
    116: ("Does trace context travel by supported instrumentation?", _traced),
    117: ("Are request id, correlation id and idempotency key kept apart?", _ids_apart),
    118: ("Is baggage allowlisted and limited in size?", _baggage),
    119: ("Are sensitive fields redacted in logs?", _redacted),
    120: ("Are inbound fields sanitised at trust boundaries?", _sanitised),
    121: ("Does outbound propagation use allowlists?", _allowlisted),
    122: ("Are deadlines propagated and capped?", _deadlines),
    123: ("Do tenant and actor come from trusted identity?", _identified),
    124: ("Do conditional requests guard concurrent updates?", _conditional),
    125: ("Are deprecation and sunset announced in fields?", _announced),
    126: ("Is header behaviour covered by tests?", _tested),
}
