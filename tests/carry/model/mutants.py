"""Wrong programs: the shipped code with a line rewritten, each of which breaks one promise and is found out by it.

A mutant names the shipped text that it replaces; where that text has changed, it says so and wants to be written anew.
"""

import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType
from typing import Any, Final, NamedTuple

from tests.carry.model.authors import first_edition
from tests.carry.model.invariants import Invariant


class Rewrite(NamedTuple):
    """One piece of text in one function. where: "module:qualified name"."""

    where: str
    found: str
    written: str


class Mutant(NamedTuple):
    """A wrong program, and the invariant that must find it out."""

    name: str
    invariant: Invariant
    rewrites: tuple[Rewrite, ...]


@contextmanager
def mutated(mutant: Mutant) -> Iterator[None]:
    """The shipped code is the mutant while the block runs."""
    first_edition()  # what every example begins with is made by the code as it is
    with ExitStack() as stack:
        for rewrite in mutant.rewrites:
            stack.enter_context(_rewritten(rewrite))
        yield


@contextmanager
def _rewritten(rewrite: Rewrite) -> Iterator[None]:
    """The function's code object is exchanged, so that whoever imported it by name runs the mutant as well."""
    function, forget = _function(rewrite.where)
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(rewrite.found) != 1:
        raise LookupError(
            f"{rewrite.where}: {rewrite.found!r} stands there {source.count(rewrite.found)} times, not once"
        )
    scope: dict[str, Any] = {}
    # A decorator would be applied once more; what is wanted is the function inside it.
    plain = source[source.index("def ") :].replace(rewrite.found, rewrite.written)
    exec(compile(plain, inspect.getsourcefile(function) or rewrite.where, "exec"), function.__globals__, scope)
    shipped = function.__code__
    function.__code__ = scope[function.__name__].__code__
    forget()
    try:
        yield
    finally:
        function.__code__ = shipped
        forget()


def _function(where: str) -> tuple[FunctionType, Callable[[], None]]:
    """The function, and how what it has remembered is forgotten."""
    module, _, names = where.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    forget = getattr(found, "cache_clear", lambda: None)
    return inspect.unwrap(found), forget


def _mutant(name: str, invariant: Invariant, *rewrites: tuple[str, str, str]) -> Mutant:
    return Mutant(name, invariant, tuple(Rewrite(*rewrite) for rewrite in rewrites))


_JUDGE: Final = "pennon.carry.judge"

MUTANTS: Final = (
    _mutant(
        "what arrived is not asked",
        Invariant.ONE_ANSWER_PER_PATH,
        (f"{_JUDGE}:_weighed", "entries = ledger.arrived.get(place)", "entries = None"),
    ),
    _mutant(
        "a ramp takes back what was decided",
        Invariant.ONE_ANSWER_PER_PATH,
        (f"{_JUDGE}:_plain", "not scope.floor <= revision", "not flag.revision <= revision"),
        (f"{_JUDGE}:_Ask.why_not", "if entry.revision < scope.floor:", "if entry.revision < flag.revision:"),
    ),
    _mutant(
        "what a flag needs is answered beside the ledger",
        Invariant.ONE_ANSWER_PER_PATH,
        (f"{_JUDGE}:_Ask.local", "flag.answer_with(self.prior, ", "flag.answer("),
    ),
    _mutant(
        "a kill's own event is not laid over the flag",
        Invariant.KILL_IS_OBEYED,
        ("pennon.flags.flag:Flag.__init__", "record.killed or kill_revision > 0", "record.killed"),
    ),
    _mutant(
        "a kill by hand is not obeyed",
        Invariant.KILL_IS_OBEYED,
        (
            "pennon.sync.replica:_killed_by_hand",
            "return _over(replica.ruleset, replica.kills, {**replica.emergencies, place: kill}), effect",
            "return replica, effect",
        ),
    ),
    _mutant(
        "a kill that came with the request is one entry among others",
        Invariant.KILL_IS_OBEYED,
        ("pennon.carry.returning:take_returned", "_obey_kills(ledger, taken)", "pass"),
    ),
    _mutant(
        "entries below the floor apply",
        Invariant.NOTHING_REVIVES,
        (f"{_JUDGE}:_plain", "not scope.floor <= revision <= ruleset.revision", "revision > ruleset.revision"),
    ),
    _mutant(
        "entries of another epoch apply",
        Invariant.NOTHING_REVIVES,
        (f"{_JUDGE}:_Ask.why_not", "if entry.epoch != scope.epoch:", "if False:"),
    ),
    _mutant(
        "kill and unkill raise no floor",
        Invariant.NOTHING_REVIVES,
        (
            "pennon.control.outcomes:outcome",
            "floor = place.revision if is_voiding or begun else 0",
            "floor = place.revision if begun else 0",
        ),
    ),
    _mutant(
        "a lagging snapshot takes a replica back",
        Invariant.NOTHING_REVIVES,
        (
            "pennon.sync.replica:_standing",
            "if (message.to_revision if isinstance(message, Delta) else message.revision) <= mine.revision:",
            "if (message.to_revision if isinstance(message, Delta) else mine.revision + 1) <= mine.revision:",
        ),
    ),
    _mutant(
        "fingerprints are not compared",
        Invariant.OTHER_UNIT_NEVER,
        (
            f"{_JUDGE}:_plain",
            "or entry.fingerprint != fingerprint_of(",
            "or False and entry.fingerprint != fingerprint_of(",
        ),
    ),
    _mutant(
        "a place in the ledger is a flag's",
        Invariant.OTHER_UNIT_NEVER,
        (
            f"{_JUDGE}:decide",
            "held = made.setdefault((scope.key, unit_key), decision)",
            "held = made.setdefault((scope.key, unit_key), made.setdefault((scope.key, 'any'), decision))",
        ),
    ),
    _mutant(
        "fingerprints say nothing of the unit",
        Invariant.OTHER_UNIT_NEVER,
        ("pennon.carry.fingerprint:fingerprint_of", "cbor_text(key)", 'cbor_text("")'),
    ),
    _mutant(
        "replays are exposed",
        Invariant.NEVER_EXPOSED,
        ("pennon.carry.exposure:exposure_of", "or is_replay ", ""),
    ),
    _mutant(
        "whatever is served is exposed",
        Invariant.NEVER_EXPOSED,
        (
            "pennon.carry.exposure:exposure_of",
            "decision.origin not in (Origin.SPLIT, Origin.RULE)",
            "decision.origin is None",
        ),
    ),
    _mutant(
        "the mark of a replay is lost on the next hop",
        Invariant.NEVER_EXPOSED,
        ("pennon.carry.writing:_flags", "(REPLAY if is_replay else 0)", "0"),
    ),
    _mutant(
        "an exposure's id is that of the decision",
        Invariant.NEVER_EXPOSED,
        (
            "pennon.carry.exposure:exposure_of",
            "scope.flag_id, phase, unit, variant_id)",
            "scope.flag_id, phase + decision.revision, unit, variant_id)",
        ),
    ),
    _mutant(
        "a stranger's member is read",
        Invariant.STRANGER_CHANGES_NOTHING,
        (
            "pennon.headers.admission:_unwanted",
            "return None if is_trusted else _NOT_TRUSTED",
            "return None",
        ),
        ("pennon.headers.admission:_all_of", "if is_trusted:", "if True:"),
        ("pennon.carry.arriving:arrive", "if is_trusted and extracted.ours:", "if extracted.ours:"),
    ),
    _mutant(
        "a token that was taken back is believed",
        Invariant.STRANGER_CHANGES_NOTHING,
        ("pennon.carry.overriding:_time_refusal", "if claims.id in ruleset.revocations:", "if False:"),
    ),
    _mutant(
        "a token that has expired is believed",
        Invariant.STRANGER_CHANGES_NOTHING,
        ("pennon.carry.overriding:_time_refusal", "if now_s >= claims.until_s:", "if False:"),
    ),
    _mutant(
        "what is not base64 raises",
        Invariant.NOTHING_RAISES,
        ("pennon.carry.reading:_bytes_of", "except NotBase64:", "except KeyError:"),
    ),
    _mutant(
        "a short group is read",
        Invariant.NOTHING_RAISES,
        ("pennon.carry.reading:decode", "len(raw) < _SHORTEST_GROUP_BYTES", "len(raw) < 0"),
    ),
    _mutant(
        "baggage that is no text raises",
        Invariant.NOTHING_RAISES,
        ("pennon.headers.baggage:decoded", '"replace"', '"strict"'),
    ),
    _mutant(
        "void entries are passed over in silence",
        Invariant.EVERY_DEPARTURE_COUNTED,
        (f"{_JUDGE}:_Ask.weighed", "for each in sorted(notes):", "for each in ():"),
    ),
    _mutant(
        "what was made and became void is passed over in silence",
        Invariant.EVERY_DEPARTURE_COUNTED,
        (
            f"{_JUDGE}:_note_what_is_void",
            "for decision in reversed(list(ledger.made.values())):",
            "for decision in ():",
        ),
    ),
    _mutant(
        "what the budget cuts is not counted",
        Invariant.EVERY_DEPARTURE_COUNTED,
        ("pennon.carry.departing:_ours_leaving", "encoded.cut_count", "0"),
    ),
    _mutant(
        "contradictions of responses are not counted",
        Invariant.EVERY_DEPARTURE_COUNTED,
        ("pennon.carry.returning:_is_news", "note(Note.CONFLICT)", "pass"),
    ),
)
