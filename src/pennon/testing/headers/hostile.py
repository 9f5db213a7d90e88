"""Headers that somebody sends who means harm, or whose library is broken; and what must hold for each.

A request with them is refused with 4xx, or served as if they were not there: the same request context. It never fails,
and no response repeats them.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final

import msgspec

from pennon.context import RequestContext
from pennon.headers import Boundary, Contract
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case, run_all
from pennon.testing.headers.declared import setting_of
from pennon.testing.headers.driving import App
from pennon.testing.headers.probing import Probe
from pennon.testing.headers.service import Needs, Service, Setting

MARK: Final = "kit-hostile"
"""Stands in every value that could be repeated: nobody may."""

_TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
_PARENT: Final = f"00-{_TRACE_ID}-00f067aa0ba902b7-01"
_MEGABYTE: Final = 1_000_000


class Hostile(msgspec.Struct, frozen=True):
    """One set of header lines. name: of the trick. lines: bytes as Latin-1 text, names too.

    Over a socket a server's parser judges some of them first; in process they stand as some server would pass them on.
    """

    name: str
    lines: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Hostile({self.name!r})"


def _id(name: str, value: str) -> Hostile:
    return Hostile(name, ((REQUEST_ID, value), (CORRELATION_ID, value)))


def _bag(name: str, *lines: str) -> Hostile:
    return Hostile(name, tuple((BAGGAGE, line) for line in lines))


def _state(name: str, value: str) -> Hostile:
    """A trace that is broken as a whole, so that it is as if there were none."""
    return Hostile(name, ((TRACEPARENT, value), (TRACESTATE, f"k={MARK}")))


HOSTILE: Final[tuple[Hostile, ...]] = (
    # Twice, and not the same.
    Hostile("two-request-ids", ((REQUEST_ID, f"{MARK}-1"), (REQUEST_ID, f"{MARK}-2"))),
    Hostile("two-correlation-ids", ((CORRELATION_ID, f"{MARK}-1"), (CORRELATION_ID, f"{MARK}-2"))),
    Hostile("two-traceparents", ((TRACEPARENT, _PARENT), (TRACEPARENT, _PARENT[:-2] + "00"))),
    Hostile("overrides-in-lines", (("pennon-override", MARK), ("pennon-override", f"{MARK}-2"))),
    # What ends a line, or a text, or what a terminal obeys.
    _id("crlf-in-id", f"{MARK}\r\nset-cookie: a={MARK}"),
    _id("lone-lf-in-id", f"{MARK}\nx: y"),
    _id("lone-cr-in-id", f"{MARK}\rx"),
    _id("newline-at-the-end", f"{MARK}\n"),
    _id("nul-in-id", f"{MARK}\0"),
    _id("folded-id", f"{MARK}\r\n {MARK}"),
    _id("escape-in-id", f"\x1b[31m{MARK}"),
    _id("delete-in-id", f"{MARK}\x7f"),
    _id("tab-in-id", f"{MARK}\t{MARK}"),
    _bag("crlf-percent-encoded", f"k={MARK}%0d%0aset-cookie:%20a=b"),
    _bag("nul-percent-encoded", f"k={MARK}%00"),
    # Text that is none.
    _id("latin-1-id", f"{MARK}\xe9"),
    _id("half-a-utf-8-sequence", f"{MARK}\xc3"),
    _id("overlong-utf-8", f"{MARK}\xc0\xaf"),
    _id("utf-8-surrogate", f"{MARK}\xed\xa0\x80"),
    _id("right-to-left-override", f"{MARK}\xe2\x80\xae"),
    _id("zero-width-space", f"{MARK}\xe2\x80\x8b"),
    _state("traceparent-not-utf-8", "\xff\xfe" + _PARENT[2:]),
    # Almost the right name.
    Hostile("underscore-twins", (("x_request_id", MARK), ("x_correlation_id", MARK), ("x_tenant_id", MARK))),
    Hostile("look-alike-names", (("x-request-ld", MARK), ("x-tenant-id-", MARK), ("traceparent2", _PARENT))),
    Hostile("dots-for-dashes", (("x.request.id", MARK), ("trace.parent", _PARENT))),
    Hostile("name-with-a-space", (("x-request-id ", MARK),)),
    Hostile("name-with-high-bytes", (("x-request-\xed\xa0\x80", MARK),)),
    Hostile("empty-name", (("", MARK),)),
    # Too much.
    _id("id-of-129", "x" * 129),
    _id("huge-id", MARK + "x" * 8_000),
    _state("huge-traceparent", _PARENT + "-" + "x" * 8_000),
    Hostile("one-megabyte", (("x-kit-big", MARK + "x" * _MEGABYTE),)),
    Hostile("five-thousand-headers", tuple((f"x-kit-{number}", MARK) for number in range(5_000))),
    _bag("baggage-over-the-wire-limit", f"k={MARK}" + "x" * 8_192),
    _bag("nothing-but-commas", "," * 8_000),
    _bag("nothing-but-equals", "=" * 8_000),
    _bag("nothing-but-percents", "=" + "%" * 8_000),
    _bag("nothing-but-semicolons", ";" * 8_000),
    # What reads forwards and backwards for ever.
    _id("redos-spaces", " " * 4_000 + "!"),
    _id("redos-a", "a" * 4_000 + "!"),
    _bag("redos-baggage", "\t " * 2_000 + "!"),
    _state("redos-traceparent", "0" * 4_000),
    # Other grammars.
    _id("json", '{"id": "' + MARK + '"}'),
    _id("nested-quotes", '"\\"\\\\\\"' + MARK + '\\""'),
    _id("format-string", "%s%n{0}" + MARK),
    _id("template", "${jndi:ldap://x/" + MARK + "}"),
    _id("html", f"<script>{MARK}</script>"),
    _id("sql", f"' OR 1=1; -- {MARK}"),
    _id("path", f"../../{MARK}"),
    _bag("no-percent-encoding", f"=%zz{MARK}", f"k k=%{MARK}"),
    # Ours, from nobody.
    Hostile("forged-decisions", (("pennon-decided", MARK), ("pennon-context", MARK), ("pennon-later", MARK))),
    # The trace that cannot be.
    _state("zero-trace", f"00-{'0' * 32}-00f067aa0ba902b7-01"),
    _state("zero-parent", f"00-{_TRACE_ID}-{'0' * 16}-01"),
    _state("upper-case-trace", _PARENT.upper()),
    _state("version-ff", "ff" + _PARENT[2:]),
    _state("traceparent-with-newline", _PARENT + "\n"),
)  # fmt: skip

_SAME: Final = ("identity", "fields", "baggage", "correlation_id", "is_replay", "forwarded")


class HostileHeaders:
    """The corpus: iterate over it, or let it `run` at an application."""

    corpus: Final = HOSTILE

    def __iter__(self) -> Iterator[Hostile]:
        return iter(self.corpus)

    def cases(
        self, contract: Contract, boundary: Boundary, *, verified: Caller | None = None, stranger: Caller | None = None
    ) -> list[Case]:
        """A case for each trick and each caller there is at the boundary."""
        setting = setting_of(contract, boundary, verified=verified, stranger=stranger)
        return [
            Case(setting, "hostile", f"{hostile.name}/{role}", _SAYS, partial(_stands, hostile, caller), Needs.ANSWERS)
            for hostile in self.corpus
            for role, caller in _roles(setting).items()
        ]

    def run(
        self, app: App, contract: Contract, *, boundary: Boundary, probe: Probe | None = None, path: str = "/"
    ) -> int:
        """Ask all of them, then complain once; how many there were."""
        return run_all(self.cases(contract, boundary), lambda case: case.run(app, probe=probe, path=path))


_SAYS: Final = "refused, or served as if it were not there; never a failure, never repeated"


def _stands(hostile: Hostile, caller: Caller, service: Service) -> None:
    """Ask with the trick and without."""
    bare = service.ask(caller=caller)
    service.expect(bare.was_served or not bare.is_probed, "a request without it is served", bare.answered)
    seen = service.ask(hostile.lines, caller=caller)
    service.expect(not seen.has_failed, "no failure of the service", seen.answered)
    answer = seen.answer
    told = [name for name, value in answer.headers if MARK in value or MARK in name]
    service.expect(not told, "no header of the response repeats it", ", ".join(told))
    service.expect(MARK.encode() not in answer.body, "nor its body", "it does")
    if seen.context is not None and bare.context is not None:
        differs = _differences(bare.context, seen.context)
        service.expect(not differs, "the same request context", f"it differs in: {', '.join(differs)}")


def _differences(one: RequestContext, other: RequestContext) -> list[str]:
    """What two contexts do not have in common, but for what is new for each request: ids, spans, when it is due."""
    names = [name for name in _SAME if getattr(one, name) != getattr(other, name)]
    if (one.trace.state, one.trace.parent_span_id) != (other.trace.state, other.trace.parent_span_id):
        names.append("trace")
    if MARK in other.request_id:
        names.append("request_id")
    return names


def _roles(setting: Setting) -> Mapping[str, Caller]:
    callers = {"verified": setting.callers.verified, "stranger": setting.callers.stranger}
    return {role: caller for role, caller in callers.items() if caller is not None}
