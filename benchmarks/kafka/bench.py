"""What carrying costs per Kafka record: taking the context out of a record, putting it on the next one.

No broker and no spans take part: a stock Message is read, a producer that does nothing is wrapped, and the bare call of
that is taken off. The record carries seven headers: trace, baggage with some decisions, two ids, tenant and actor. A
hop is both, by turns, as a service does them that consumes and produces.
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_job, keep, machine, medians_ns
from confluent_kafka import Message

import pennon.kafka
from pennon import ambient
from pennon.context import (
    Answer,
    CorrelationId,
    Decision,
    Environment,
    Identity,
    Ledger,
    Member,
    Origin,
    Reason,
    RequestContext,
    RequestId,
    Scope,
    SpanId,
    Trace,
    TraceId,
)
from pennon.headers import BaggagePolicy, Contract, Downstream, mesh, std
from pennon.testing import ManualClock

# The machine on which the figures of the pages hold.
REFERENCE_FLOOR_NS = 58
LIMIT_NS = 16_000

CONTRACT = Contract(
    "feed",
    version="1",
    owner="feed-team",
    fields=[std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF],
    baggage=BaggagePolicy(allow=["tier"]),
    downstreams=(Downstream("posts", topic="posts", tenant=True, actor=True),),
)
BOUNDARY = mesh()
ENVIRONMENT = Environment(id=0x1122334455, key="production", salt="pepper")
IDENTITY = Identity(tenant="tenant-42", actor="user-991")
NAMES = {"traceparent", "tracestate", "baggage", "x-request-id", "x-correlation-id", "x-tenant-id", "x-actor-id"}
# A record is handled a second after it was produced: the actor is still there.
PRODUCED_MS = 1_795_256_100_000
CLOCK = ManualClock(now_ns=(PRODUCED_MS + 1_000) * 1_000_000)

Headers = list[tuple[str, str | bytes | None]]


class Sink:
    """A producer that keeps the last headers and sends nothing."""

    headers: Headers | None = None

    def produce(self, _topic: str, _value: bytes, headers: Headers | None = None) -> None:
        """Keep them."""
        self.headers = headers


def context_of(decision_count: int) -> RequestContext:
    """A user's request that has decided so much for one unit."""
    ledger = Ledger()
    for number in range(decision_count):
        scope = Scope(ENVIRONMENT, 1_000, 0x010203 + number, "user", 40, carry=True, key=f"1/1000/{number}/40")
        answer = Answer(f"flag-{number}", True, "on", 2, Reason.SPLIT, Origin.SPLIT, None, 41)  # noqa: FBT003
        ledger.enter(Decision(answer, scope, "7", 1_790_000_000_000_000_000, Origin.SPLIT, 41))
    here = Trace(
        TraceId("4bf92f3577b34da6a3ce929d0e0e4736"), SpanId("00f067aa0ba902b7"), None, 1, "rojo=00f067aa0ba902b7"
    )
    return RequestContext(
        here,
        RequestId("req_01KAH6ZK3T8V9QWX2M5N7P4R6S"),
        ledger,
        correlation_id=CorrelationId("corr_01KAH6ZK4B1C2D3E4F5G6H7J8K"),
        identity=IDENTITY,
        baggage=(Member("tier", "gold"),),
    )


def bare_of(sink: Sink) -> Job:
    """The call that the door wraps."""
    headers: Headers = [("own", b"1")]

    def job(count: int) -> None:
        for _ in range(count):
            sink.produce("posts", b"value", headers=headers)

    return job


def produce_of(sink: Sink, context: RequestContext) -> Job:
    """Produce within a request."""
    sender = pennon.kafka.producer(sink, CONTRACT)
    headers: Headers = [("own", b"1")]

    def job(count: int) -> None:
        token = ambient.CURRENT.set(context)
        for _ in range(count):
            sender.produce("posts", b"value", headers=headers)
        ambient.CURRENT.reset(token)

    return job


def process_of(record: Message) -> Job:
    """Open and close the block around an empty handler."""

    def job(count: int) -> None:
        for _ in range(count):
            with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY, clock=CLOCK):
                pass

    return job


def hop_of(record: Message, sink: Sink) -> Job:
    """Both, as a service that consumes and produces does: what has arrived is what is sent on."""
    sender = pennon.kafka.producer(sink, CONTRACT)
    headers: Headers = [("own", b"1")]

    def job(count: int) -> None:
        for _ in range(count):
            with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY, clock=CLOCK):
                sender.produce("posts", b"value", headers=headers)

    return job


def message_of(decision_count: int) -> tuple[Message, int]:
    """The record as it leaves, checked as it is then read before anything is timed; how long its headers are."""
    sink, context = Sink(), context_of(decision_count)
    produce_of(sink, context)(1)
    headers = sink.headers or []
    record = Message(topic="posts", value=b"value", headers=headers, timestamp=(1, PRODUCED_MS))
    with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY, clock=CLOCK) as found:
        pass
    arrived = sum(map(len, found.ledger.arrived.values()))
    checks: dict[str, Any] = {
        "headers": ({name for name, _ in headers}, {*NAMES, "own"}),
        "decisions": (arrived, decision_count),
        "trace": (found.trace.trace_id, context.trace.trace_id),
        "state": (found.trace.state, context.trace.state),
        "request id": (found.request_id, context.request_id),
        "correlation id": (found.correlation_id, context.correlation_id),
        "baggage": (found.baggage, context.baggage),
        "identity": (found.identity, IDENTITY),
    }
    wrong = [f"{name}: {got!r}, not {wanted!r}" for name, (got, wanted) in checks.items() if got != wanted]
    if wrong:
        raise SystemExit("nothing to time: " + "; ".join(wrong))
    return record, sum(len(name) + len(value or b"") for name, value in headers)


def rows_of(counts: tuple[int, ...]) -> tuple[float, list[dict[str, int]]]:
    """The floor, and for each number of decisions what inject, extract and a hop cost, ns; all jobs take turns."""
    sink = Sink()
    jobs = {"floor": floor_job(), "bare": bare_of(sink)}
    sent = {count: message_of(count) for count in counts}
    for count, (record, _) in sent.items():
        jobs[f"inject {count}"] = produce_of(sink, context_of(count))
        jobs[f"extract {count}"] = process_of(record)
        jobs[f"hop {count}"] = hop_of(record, sink)
    spent_ns = medians_ns(jobs)
    rows = [
        {
            "decisions": count,
            "inject_ns": round(spent_ns[f"inject {count}"] - spent_ns["bare"]),
            "extract_ns": round(spent_ns[f"extract {count}"]),
            "hop_ns": round(spent_ns[f"hop {count}"] - spent_ns["bare"]),
            "header_bytes": header_bytes,
        }
        for count, (_, header_bytes) in sent.items()
    ]
    return spent_ns["floor"], rows


def main() -> None:
    """Measure, print and keep."""
    floor_ns, rows = rows_of((0, 3, 20))
    print(f"Kafka carrying, seven headers, CPU time per record; floor {floor_ns:.0f} ns")
    print(
        f"{'decisions':>9}  {'inject µs':>9}  {'extract µs':>10}  {'hop µs':>8}  {'at 58 ns':>8}  {'header bytes':>12}"
    )
    for row in rows:
        row["hop_at_58_ns"] = round(row["hop_ns"] / floor_ns * REFERENCE_FLOOR_NS)
        print(
            f"{row['decisions']:>9}  {row['inject_ns'] / 1e3:>9.1f}  {row['extract_ns'] / 1e3:>10.1f}  "
            f"{row['hop_ns'] / 1e3:>8.1f}  {row['hop_at_58_ns'] / 1e3:>8.1f}  {row['header_bytes']:>12}"
        )
    print(f"a hop with three decisions: the limit is {LIMIT_NS / 1e3:.0f} µs at a floor of {REFERENCE_FLOOR_NS} ns")
    keep(
        "kafka",
        {
            "machine": machine("confluent-kafka"),
            "floor_ns": round(floor_ns, 1),
            "limit_at_58_ns": LIMIT_NS,
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
