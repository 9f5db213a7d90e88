"""What a service's own code gets to see of headers: one immutable context, and no text to parse."""

import ast
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import arrive, depart
from pennon.context import Identity
from pennon.headers import BaggagePolicy, Contract, Downstream, std
from pennon.headers.grammar import OWN, STANDARD

SOURCE = Path(__file__).parents[2] / "src" / "pennon"
# Where text comes in or goes out, and the commands that show people what a header says; all others have typed values.
MAY_PARSE = frozenset({"headers", "carry", "otel", "http", "kafka", "testing", "cli"})
ROOMS = sorted({path.stem for path in [*SOURCE.glob("*.py"), *(init.parent for init in SOURCE.glob("*/__init__.py"))]})
ENTROPY = bytes(range(1, 41))
CONTRACT = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[std.REGION, std.TENANT_ID],
    baggage=BaggagePolicy(allow=["region"]),
    downstreams=[Downstream("posts", host="posts.internal"), Downstream("feed", topic="feed.posts")],
)
KNOWN = {name.encode() for name in (*STANDARD, *OWN)} | {b"x-region", b"x-tenant-id"}

names = st.one_of(st.sampled_from(sorted(KNOWN)), st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True))
headers = st.lists(st.tuples(names, st.binary(max_size=30)), max_size=10)


def _context(carried: Any = ()) -> Any:
    return arrive(CONTRACT, carried, is_trusted=True, identity=Identity("acme"), entropy=ENTROPY).context


@pytest.mark.req(13)
def test_context_cannot_be_changed() -> None:
    """Neither it nor what it holds: who wants another one says so, by a new value."""
    carried = [(b"baggage", b"region=eu"), (b"x-region", b"eu-1")]
    context = _context(carried)
    for value in (context, context.trace, context.identity, context.baggage[0]):
        for name in value.__struct_fields__:
            with pytest.raises(AttributeError):
                setattr(value, name, None)
    assert all(isinstance(value, tuple) for value in (context.baggage, context.fields))
    before = msgspec.structs.asdict(context)
    carried.clear()
    assert before == msgspec.structs.asdict(context)


@pytest.mark.req(16)
@pytest.mark.parametrize("room", ROOMS)
def test_header_text_is_parsed_at_doors_alone(room: str) -> None:
    """No room beyond them takes a header apart: it has the context's typed values."""
    place = SOURCE / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    taken = {
        f"{file.name}: {alias.name}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pennon.headers")
        for alias in node.names
        if alias.name.startswith("parse_")
    }
    assert room in MAY_PARSE or not taken


@pytest.mark.req(21, 100)
@given(headers, st.sampled_from([*CONTRACT.downstreams, None]))
def test_nothing_leaves_that_nobody_declared(carried: Any, downstream: Downstream | None) -> None:
    """Whatever came in, what goes out is of the standard and of the contract: there is no other way on."""
    sent = depart(CONTRACT, downstream, _context(carried), trace=None).set
    assert {name for name, _ in sent} <= (KNOWN if downstream is not None else frozenset())
