"""Hostile requests over raw sockets, behind each server: who refuses what, and that nobody is taken in.

The table of them stands in docs/reference/testing.md; `WRITE_PROBES=1` writes it anew.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pennon.carry import encode_entries
from pennon.context import Entry, Origin
from pennon.http.refusal import CODE
from pennon.testing.headers import Hostile
from pennon.testing.headers.hostile import HOSTILE, MARK

pytestmark = [pytest.mark.slow, pytest.mark.req(7, 120)]

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "testing.md"
TABLE = re.compile(r"(<!-- probes: .* -->\n).*(<!-- end of probes -->)", re.DOTALL)

MEMBER = encode_entries([Entry(1, 2, 3, 29_000_000, 7, 1, Origin.SPLIT, 41)]).value.encode()
PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

PLAIN = (
    b"traceparent: " + PARENT + b"\r\nx-request-id: theirs\r\nX-Correlation-Id: journey-1\r\nX-Tenant-Id: acme\r\n"
    b"baggage: region=e+u;p=1,pennon=" + MEMBER + b"\r\n"
)
PROBES = {
    "plain": PLAIN,
    "nothing": b"",
    "equal request ids": PLAIN + b"x-request-id: theirs\r\n",
    "two request ids": PLAIN + b"x-request-id: another\r\n",
    "equal tenants": PLAIN + b"X-Tenant-ID: acme\r\n",
    "two tenants": PLAIN + b"X-Tenant-ID: evil\r\n",
    "two traceparents": PLAIN + b"traceparent: " + PARENT + b"\r\n",
    "baggage in lines": PLAIN + b"Baggage: own=1\r\nbaggage: other=2\r\n",
    "tenant's twin": b"X_Tenant_Id: evil\r\n",
    "tenant and its twin": b"X-Tenant-Id: acme\r\nX_Tenant_Id: evil\r\n",
    "broken traceparent": b"traceparent: 00-" + b"z" * 51 + b"\r\n",
    "bytes that are no UTF-8": b"baggage: k=\xff\xfe\r\nx-request-id: \xff\r\ntraceparent: \xfe\r\n",
    "8,000 commas": b"baggage: " + b"," * 8_000 + b"\r\n",
    "9,000 bytes of baggage": b"baggage: k=" + b"a" * 9_000 + b"\r\n",
    "200 members": b"baggage: " + b",".join(b"k%d=v" % n for n in range(200)) + b"\r\n",
    "5,000 headers": b"".join(b"x-%d: v\r\n" % n for n in range(5_000)),
    "1 MB": b"x-big: " + b"a" * 1_000_000 + b"\r\n",
    "NUL": b"x-request-id: a\x00b\r\n",
    "folded": b"x-request-id: a\r\n b\r\n",
}


# What nobody may let through: our own limits, if no server's.
TOO_MUCH = {"9,000 bytes of baggage", "5,000 headers", "1 MB"}

SendRaw = Callable[..., tuple[bytes, bytes]]


class Met(NamedTuple):
    """How a request was met. status: None if the server hung up. known: what the application knew, if it was asked."""

    status: int | None
    is_ours: bool
    known: dict[str, Any] | None

    @property
    def told(self) -> str:
        """As the table has it."""
        if self.status == 200:
            return "served"
        if self.status is None:
            return "hangs up"
        return f"{self.status}, the door" if self.is_ours else str(self.status)


Meet = Callable[[bytes], dict[str, Met]]


@pytest.fixture(scope="module")
def meet(behind: Callable[[str], dict[str, str]], send_raw: SendRaw) -> Meet:
    """How each server meets a request with these header lines."""
    hosts = behind("app")

    def meet(lines: bytes) -> dict[str, Met]:
        return {server: _met(*send_raw(host, lines)) for server, host in hosts.items()}

    return meet


def _met(head: bytes, body: bytes) -> Met:
    if not head:
        return Met(None, is_ours=False, known=None)
    status = int(head.split(b" ", 2)[1])
    return Met(status, is_ours=CODE.encode() in body, known=json.loads(body) if status == 200 else None)


def expect_alike(met: dict[str, Met]) -> dict[str, dict[str, Any]]:
    """Refused, or the same context as behind the others; who served it, with what it knew of the fields."""
    assert all(each.status is None or each.status == 200 or 400 <= each.status < 500 for each in met.values()), met
    known = {server: dict(each.known) for server, each in met.items() if each.known is not None}
    fields = {server: context.pop("fields") for server, context in known.items()}
    # It lets names with underscores through, so there the field is given up altogether.
    assert {} == fields.pop("wsgiref", {})
    assert 1 >= len({json.dumps(each, sort_keys=True) for each in fields.values()}), fields
    assert 1 >= len({json.dumps(each, sort_keys=True) for each in known.values()}), known
    return {server: {**context, "fields": fields.get(server, {})} for server, context in known.items()}


@pytest.mark.parametrize("probe", PROBES)
def test_every_server_refuses_a_request_or_gives_it_the_same_context(probe: str, meet: Meet) -> None:
    """Neither parser nor protocol decides what is believed."""
    met = meet(PROBES[probe])
    known = expect_alike(met)

    assert "evil" not in str(known)
    if probe == "plain":
        assert set(met) == set(known)
        assert {"x-tenant-id": "acme"} == known["gunicorn"]["fields"]
        assert [[1, 7]] == known["gunicorn"]["arrived"]
    if probe in TOO_MUCH:
        assert {} == known


@pytest.mark.parametrize("hostile", HOSTILE, ids=str)
def test_every_server_meets_the_corpus_alike(hostile: Hostile, meet: Meet) -> None:
    """What stands in the kit as data, byte by byte."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in hostile.lines).encode("latin-1")
    met = meet(lines)
    if hostile.name == "underscore-twins":
        # It takes the ids' twins for the ids, which give nothing away (docs/reference/http.md).
        assert {"correlation_id": MARK, "fields": {}}.items() <= (met.pop("wsgiref").known or {}).items()

    expect_alike(met)


def test_table_of_who_refuses_what_has_not_drifted(meet: Meet) -> None:
    """The page says what the servers that are installed do."""
    table = _table({probe: meet(lines) for probe, lines in PROBES.items()})
    page = PAGE.read_text(encoding="utf-8")
    if os.environ.get("WRITE_PROBES"):
        PAGE.write_text(TABLE.sub(lambda found: f"{found[1]}{table}{found[2]}", page), encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
    found = TABLE.search(page)

    assert found is not None
    assert table == page[found.end(1) : found.start(2)]


def _table(met: dict[str, dict[str, Met]]) -> str:
    servers = list(next(iter(met.values())))
    rows = [["request", *servers], ["---"] * (len(servers) + 1)]
    rows += [[probe, *(by[server].told for server in servers)] for probe, by in met.items()]
    return "\n" + "".join(f"| {' | '.join(row)} |\n" for row in rows) + "\n"
