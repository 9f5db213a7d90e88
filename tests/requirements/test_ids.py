"""Five ids of different scope are kept apart: by the type checker, on the wire, and where a caller mixes them up."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from pennon.carry import arrive
from pennon.context import Identity
from pennon.counters import Count, count_arrival, samples
from pennon.headers import Contract, Downstream, inject, std

ROOT = Path(__file__).parents[2]
IDS = ("TraceId", "SpanId", "RequestId", "CorrelationId", "IdempotencyKey")
OF_A_REQUEST = (
    ("TraceId", "request.trace.trace_id"),
    ("SpanId", "request.trace.span_id"),
    ("RequestId", "request.request_id"),
    ("CorrelationId", "request.correlation_id"),
)
TRACE_ID = "8a3c60f7d188f8fa79d48a391a778fa6"
CONTRACT = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[std.IDEMPOTENCY_KEY],
    downstreams=[Downstream("posts", host="posts.internal"), Downstream("feed", topic="feed.posts")],
)
REQUEST = {
    "traceparent": f"00-{TRACE_ID}-00f7d188f8fa79d4-01",
    "x-request-id": "req_1",
    "x-correlation-id": "corr_1",
    "idempotency-key": '"key-1"',
}


@pytest.mark.slow
@pytest.mark.req(23, 40, 103)
def test_type_checker_takes_no_id_for_another(tmp_path: Path) -> None:
    """Wherever one of the five is wanted, another is refused: made by hand, or the request's own."""
    given = [*((each, f'{each}("x")') for each in IDS), *OF_A_REQUEST]
    pairs = [(wanted, kind, text) for wanted in IDS for kind, text in given]
    lines = [
        f"from pennon.context import RequestContext, {', '.join(IDS)}",
        *(f"def takes_{wanted}(given: {wanted} | None) -> None: ..." for wanted in IDS),
        "def serves(request: RequestContext) -> None:",
        *(f"    takes_{wanted}({text})" for wanted, _, text in pairs),
    ]
    (tmp_path / "mixing.py").write_text("\n".join(lines), encoding="utf-8")
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--cache-dir", os.devnull, "mixing.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    refused = {int(line.split(":")[1]) for line in checked.stdout.splitlines() if "[arg-type]" in line}
    first = len(lines) - len(pairs) + 1
    mixed = {first + place for place, (wanted, kind, _) in enumerate(pairs) if wanted != kind}
    assert mixed == refused, checked.stdout


def _arrived(*, is_trusted: bool = True, **changed: str) -> Any:
    said = REQUEST | {name.replace("_", "-"): value for name, value in changed.items()}
    headers = [(name.encode(), value.encode()) for name, value in said.items()]
    return arrive(CONTRACT, headers, is_trusted=is_trusted, identity=Identity(), entropy=bytes(range(1, 41)))


def _shared() -> int:
    return sum(sample.total for sample in samples() if sample.name is Count.IDS_SHARED)


@pytest.mark.req(23, 103)
@pytest.mark.parametrize(
    "changed",
    [
        {"x_request_id": "corr_1"},
        {"x_request_id": TRACE_ID},
        {"x_correlation_id": TRACE_ID},
        {"idempotency_key": '"req_1"'},
        {"idempotency_key": "corr_1"},
        {"is_trusted": False, "x_request_id": "corr_1"},
    ],
)
def test_one_value_in_two_slots_is_counted(changed: dict[str, Any]) -> None:
    """Once per request, also where it is a stranger's; its value stands nowhere."""
    before = _shared()
    count_arrival(_arrived(**changed))
    assert before + 1 == _shared()


@pytest.mark.req(23)
@pytest.mark.parametrize("is_trusted", [True, False])
def test_ids_that_differ_are_not_counted(is_trusted: bool) -> None:
    """Each has a value of its own: nothing to say."""
    before = _shared()
    count_arrival(_arrived(is_trusted=is_trusted))
    assert before == _shared()


@pytest.mark.req(40)
@pytest.mark.parametrize("downstream", [*CONTRACT.downstreams, None])
def test_request_id_leaves_as_no_idempotency_key(downstream: Downstream | None) -> None:
    """A request has ids, and what leaves for it has no key: neither one of them, nor its own."""
    for context in (_arrived().context, structs.replace(_arrived().context, fields=())):
        sent = inject(
            CONTRACT,
            downstream,
            trace=context.trace,
            request_id=context.request_id,
            correlation_id=context.correlation_id,
            baggage=(),
            ours=(),
            fields=context.fields,
        ).set
        assert b"idempotency-key" not in dict(sent)
