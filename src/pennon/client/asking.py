"""The long way to an answer: ruleset, flag, unit, ledger; then exposure and span.

In a request every answer goes through the ledger: a hit is one lookup, anything else is `carry.decide`'s. Outside one
the flag answers directly. What cannot be answered is an answer with the reason ERROR, and is counted.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pennon import otel
from pennon.ambient import CURRENT
from pennon.carry import Note, decide
from pennon.client.comparing import Comparing
from pennon.client.evaluation import Asked
from pennon.client.exposures import Buffer
from pennon.client.live import Live
from pennon.client.overrides import Overrides
from pennon.client.reports import Reports
from pennon.client.spans import Spans, can_record
from pennon.client.state import State
from pennon.client.units import settled_alone, settled_within
from pennon.client.within import value_within
from pennon.context import DEFAULT_UNIT_KIND, Answer, Decision, ErrorCode, Ledger, Origin, Reason
from pennon.counters import Count, count
from pennon.flags import Flag, FlagType

# What the shortest path may answer: the class of the value tells that the flag's type is the one asked for.
_PLAIN: Final = frozenset({FlagType.BOOLEAN, FlagType.STRING, FlagType.INTEGER})

_request: Final = CURRENT.get


class Asker:
    """Answers for one client, without knowing it. buffer: where exposures go; hurry: called after one went there."""

    __slots__ = (
        "_buffer", "_comparing", "_hurry", "_noted", "_now_ns", "_overrides", "_reports", "_spans", "_state"
    )  # fmt: skip

    def __init__(
        self,
        state: State,
        buffer: Buffer,
        reports: Reports,
        comparing: Comparing,
        spans: Spans,
        *,
        now_ns: Callable[[], int],
        noted: Callable[[Note], object],
        hurry: Callable[[], object],
    ) -> None:
        self._state = state
        self._buffer = buffer
        self._reports = reports
        self._comparing = comparing
        self._overrides = Overrides()
        self._spans = spans
        self._now_ns = now_ns
        self._noted = noted
        self._hurry = hurry

    def ask(
        self,
        key: str,
        unit: object,
        attributes: Mapping[str, object] | None,
        types: tuple[FlagType, ...],
        exposes: bool = True,
        asked: list[Asked] | None = None,
    ) -> Answer:
        """The answer; where its reason is ERROR its value is None. asked: is given what it was made from.

        May raise what hostile arguments raise: the public calls catch it.
        """
        live = self._state.live
        ruleset = live.ruleset
        flag = None if ruleset is None else ruleset.compiled.get(key) or ruleset.flag(key)
        if flag is None or flag.type not in types:
            return failed(key, _trouble(live, flag))
        context = _request()
        if context is None or context.ledger.is_sealed:
            return self._alone(live, flag, unit, attributes, exposes=exposes, asked=asked)
        unit_key, attributes, units = settled_within(context.identity, flag.unit_kind, unit, attributes)
        ledger = context.ledger
        decision = ledger.made.get((flag.scope.key, unit_key))
        if decision is None or ledger.override is not None:
            decision = self._decided(live, flag, ledger, unit_key, attributes, units, decision)
        if flag.exposes and exposes and not context.is_replay:
            self._expose(live, flag, decision)
        if asked is not None:
            asked.append(Asked(flag, unit_key, attributes, units))
        return decision.answer

    def enter(self, keys: Iterable[str]) -> None:
        """Decide these flags for the request's own units, exposing nobody; outside a request nothing. Never raises."""
        context = _request()
        if context is None or context.ledger.is_sealed:
            return
        live, units = self._state.live, context.identity.units
        for key in keys:
            try:
                flag = None if live.ruleset is None else live.ruleset.flag(key)
                if flag is None:
                    failed(key, _trouble(live, flag))
                elif flag.unit_kind in units:
                    self.ask(key, None, None, (flag.type,), exposes=False)
            except Exception:  # noqa: BLE001 - a request must not fail for a flag that nobody has asked about yet
                count(Count.EVALUATION_ERRORS, ErrorCode.GENERAL)

    def _decided(
        self,
        live: Live,
        flag: Flag,
        ledger: Ledger,
        unit_key: str | None,
        attributes: Mapping[str, object],
        units: Mapping[str, str],
        held: Decision | None,
    ) -> Decision:
        """The decision that nobody has asked this ledger for yet, or that an override may change. held: what it has."""
        ruleset: Any = live.ruleset
        now_ns, token = self._now_ns(), ledger.override
        claims = None if not token else self._overrides.for_ask(token, ledger, ruleset, flag, unit_key, now_ns)
        if held is not None and claims is None and held.origin is not Origin.OVERRIDE:
            return held
        override = None if claims is None else claims.variant
        decision = decide(flag, ruleset, ledger, unit_key, attributes, units, now_ns, self._noted, override=override)
        if claims is not None and decision.origin is Origin.OVERRIDE:
            self._reports.overridden(claims.id, flag.key, claims.variant, now_ns)
        if decision is not held:
            self._decided_first(live, flag, ledger, decision, attributes, units)
        return decision

    def _decided_first(
        self,
        live: Live,
        flag: Flag,
        ledger: Ledger,
        decision: Decision,
        attributes: Mapping[str, object],
        units: Mapping[str, str],
    ) -> None:
        """What a new decision is told to, and the shortest path for the next."""
        if decision.origin is None:
            count(Count.EVALUATION_ERRORS, decision.answer.error)
        else:
            ruleset: Any = live.ruleset
            if flag.key not in live.within and _is_plain(flag) and not flag.prerequisites:
                live.within[flag.key] = value_within(flag, ruleset, self._spans, self._state)
            if ledger.arrived or ledger.was_cut:
                self._comparing.first_use(flag, ruleset, ledger, decision, attributes, units)
        if self._spans is not Spans.NEVER and can_record():
            otel.record_decision(decision, unmet=_unmet(flag, decision, attributes, units))

    def _alone(
        self,
        live: Live,
        flag: Flag,
        unit: object,
        attributes: Mapping[str, object] | None,
        *,
        exposes: bool,
        asked: list[Asked] | None,
    ) -> Answer:
        """The answer outside a request."""
        unit_key, attributes, units = settled_alone(flag.unit_kind, unit, attributes)
        answer = flag.answer(unit_key, attributes, units)
        if answer.error is not None:
            count(Count.EVALUATION_ERRORS, answer.error)
        elif flag.exposes and exposes:
            self._expose(live, flag, _decision(flag, unit_key, answer, self._now_ns()))
        elif self._spans is not Spans.ALWAYS and flag.unit_kind == DEFAULT_UNIT_KIND and _is_plain(flag):
            live[flag.key] = flag.answer
        if self._spans is Spans.ALWAYS and can_record():
            otel.record_decision(answer)
        if asked is not None:
            asked.append(Asked(flag, unit_key, attributes, units))
        return answer

    def _expose(self, live: Live, flag: Flag, decision: Decision) -> None:
        ruleset: Any = live.ruleset
        self._buffer.add(flag, ruleset, decision, self._now_ns())
        self._hurry()


def failed(key: object, error: ErrorCode) -> Answer:
    """The answer to a question that has none; counted."""
    count(Count.EVALUATION_ERRORS, error)
    # Writing a foreign object may raise what it likes.
    name = key if isinstance(key, str) else f"<{type(key).__name__}>"
    return Answer(name, None, None, None, Reason.ERROR, None, None, 0, error)


def _trouble(live: Live, flag: Flag | None) -> ErrorCode:
    if flag is not None:
        return ErrorCode.TYPE_MISMATCH
    return ErrorCode.PROVIDER_NOT_READY if live.ruleset is None else ErrorCode.FLAG_NOT_FOUND


def _unmet(flag: Flag, decision: Decision, attributes: Mapping[str, object], units: Mapping[str, str]) -> str | None:
    """The flag whose answer took this one down, as far as this process alone can tell."""
    if decision.answer.reason is not Reason.DISABLED or not flag.prerequisites:
        return None
    traces = flag.explain(decision.unit_key, attributes, units).prerequisites
    return next((trace.flag for trace in traces if not trace.holds), None)


def _is_plain(flag: Flag) -> bool:
    return flag.type in _PLAIN and not flag.is_killed and not flag.exposes


def _decision(flag: Flag, unit_key: str | None, answer: Answer, now_ns: int) -> Decision:
    """A decision that enters no ledger."""
    revision = max(answer.revision, flag.scope.floor)
    return Decision(answer, flag.scope, unit_key, now_ns, answer.origin, revision)
