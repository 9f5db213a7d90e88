"""The contract for people: Markdown that is the same for the same contract, to stand in a README."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from pennon.headers.allowlist import spec_of
from pennon.headers.contract import Contract
from pennon.headers.fields import BaggageKey, Downstream, Field, Limits, Trust
from pennon.headers.schemas import direction_of, documented

_FIELDS: Final = (
    *("Header", "Direction", "Required", "Trust source", "Propagate", "Log", "Classification", "Max length"),
    "Description",
)
_DOWNSTREAMS: Final = ("Downstream", "Where", "Trace, ids", "Baggage", "Identity", "Fields", "Deadline", "Guards")
_BAGGAGE: Final = ("Baggage key", "Values", "Max length", "Classification", "Description")
_NOTHING: Final = "-"
# A code span, in which nothing needs escaping, or what would begin a tag.
_OPENING: Final = re.compile(r"((?<!`)(`+)(?!`).*?(?<!`)\2(?!`))|<")
_BACKTICKS: Final = re.compile("`+")
_SOURCES: Final = {
    Trust.CLIENT: "anybody",
    Trust.GATEWAY: "the gateway",
    Trust.MESH: "a verified service",
}


def markdown(contract: Contract) -> str:
    """The contract's tables: headers, downstreams, baggage, limits. Ends with a line break."""
    parts = [
        _escaped(f"Header contract {_code(contract.name)}, version {contract.version}, owned by {contract.owner}."),
        _table(_FIELDS, [_field(each) for each in documented(contract)]),
    ]
    if contract.downstreams:
        parts.append(_table(_DOWNSTREAMS, [_downstream(contract, each) for each in contract.downstreams]))
    if contract.baggage.allow:
        parts.append(_table(_BAGGAGE, [_key(spec_of(each)) for each in contract.baggage.allow]))
    parts.append("\n".join(f"- {line}" for line in _limits(contract)))
    return "\n\n".join(parts) + "\n"


def marks_of(contract: Contract) -> tuple[str, str]:
    """The lines between which a page holds the document."""
    mark = f"<!-- pennon contract {contract.name}:"
    return f"{mark} begin -->", f"{mark} end -->"


def spliced(page: str, contract: Contract) -> str | None:
    """The page with the document as it is now between its marks; None unless each stands there once, in order."""
    begin, end = marks_of(contract)
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end) or begin in rest or end in before + after:
        return None
    return f"{before}{begin}\n\n{markdown(contract)}\n{end}{after}"


def _field(each: Field) -> Sequence[str]:
    name = f"`{each.name.lower()}`"
    if each.kafka is not None and each.kafka.lower() != each.name.lower():
        name += f", on records `{each.kafka.lower()}`"
    required = "yes" if each.required else "no"
    return (
        *(name, direction_of(each).value, required, _SOURCES[each.trust], _words(each.propagate), _words(each.log)),
        *(_words(each.classification), f"{each.max_length:,}", each.description),
    )


def _downstream(contract: Contract, each: Downstream) -> Sequence[str]:
    route = contract.route(each)
    where = _code(each.host) if each.host is not None else f"topic {_code(each.topic or '')}"
    told = {"trace": route.trace, "request id": route.request_id, "correlation id": route.correlation_id}
    carried = {"members": route.baggage, "decisions": route.decisions}
    identity = [*route.identity, *([f"signed for {_code(each.audience)}"] if each.audience is not None else [])]
    return (
        f"{each.name}{', external' if each.external else ''}",
        where,
        _listed(name for name, is_told in told.items() if is_told),
        _listed(name for name, is_carried in carried.items() if is_carried),
        _listed(identity),
        _listed(route.fields),
        each.deadline.value if each.deadline is not None else _NOTHING,
        _listed(_guards(each)),
    )


def _guards(each: Downstream) -> Iterator[str]:
    if each.retries is not None:
        yield f"{each.retries.attempts} attempts"
    if each.breaker is not None:
        yield f"{each.breaker.failures} failures, then {each.breaker.rest_s:g} s rest"


def _key(each: BaggageKey) -> Sequence[str]:
    if each.enum is not None:
        values = _listed(map(_code, each.enum))
    else:
        values = _code(each.syntax) if each.syntax is not None else "any"
    if each.max_values is not None:
        values += f", {each.max_values:,} different"
    length = _NOTHING if each.max_length is None else f"{each.max_length:,}"
    return _code(each.key), values, length, _words(each.classification), each.description or _NOTHING


def _limits(contract: Contract) -> Iterator[str]:
    budgets, baggage, deadline = contract.budgets, contract.baggage, contract.deadline
    if contract.limits is Limits.OBSERVE:
        yield "Limits are only observed: a request that breaks one is counted, and served."
    yield (
        f"Headers: at most {budgets.total_count:,} of {budgets.total_bytes:,} bytes together; custom ones"
        f" {budgets.custom_bytes:,}; `tracestate` {budgets.trace_bytes:,}. Unknown ones: {_words(contract.unknown)}."
    )
    yield (
        f"Baggage: {baggage.max_members:,} members of {baggage.max_bytes:,} bytes, {baggage.wire_max_bytes:,} on the"
        f" wire; members that are not listed: {_words(baggage.on_unknown)}."
    )
    if contract.business_ids:
        patterns = _listed(map(_code, contract.business_ids))
        yield f"Request and correlation ids are opaque: none holds {patterns}."
    if deadline is None:
        yield "Deadline: none is read or kept."
    else:
        forms = _listed(f"`{form}`" for form in deadline.accept)
        whose = "anybody" if deadline.from_strangers else "verified callers"
        yield (
            f"Deadline: at most {deadline.cap_s:g} s; read of {whose} from {forms}; a call keeps back"
            f" {deadline.margin_s:g} s, and is not made with less than {deadline.floor_s:g} s."
        )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, cells))} |" for cells in lines)


def _cell(text: str) -> str:
    """A text that neither ends its cell nor its line, nor is taken for HTML (GitHub Flavored Markdown §4.10, §6.6)."""
    return _escaped(text).replace("|", "\\|")


def _escaped(text: str) -> str:
    """A text on one line, in which nothing is taken for HTML."""
    return _OPENING.sub(lambda found: found[1] or "\\<", _sentence(text))


def _code(text: str) -> str:
    """A code span that holds the text, whatever backticks are in it (CommonMark §6.1)."""
    fence = "`" * (max(map(len, _BACKTICKS.findall(text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _sentence(text: str) -> str:
    """One line of it, without what no reader sees: control characters, and marks that turn the text around."""
    return "".join(each for each in " ".join(text.split()) if each.isprintable())


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or _NOTHING


def _words(value: str) -> str:
    return str(value).replace("_", " ")
