"""What carrying costs per Kafka record: taking the context out of a record, putting it on the next one.

No broker takes part: a stock Message is read, a producer that does nothing is wrapped, and the bare call of that is
taken off. The record carries a trace, two ids, a baggage member of somebody else's, and some decisions.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_ns, keep, machine, median_ns
from confluent_kafka import Message

import pennon.kafka
from pennon import ambient
from pennon.context import Answer, Decision, Environment, Ledger, Member, Origin, Reason, RequestContext, Scope, Trace
from pennon.headers import Contract, Downstream, mesh

CONTRACT = Contract("feed", version="1", owner="feed-team", downstreams=(Downstream("posts", topic="posts"),))
BOUNDARY = mesh()
ENVIRONMENT = Environment(id=0x1122334455, key="production", salt="pepper")

Headers = list[tuple[str, str | bytes | None]]


class Sink:
    """A producer that keeps the last headers and sends nothing."""

    headers: Headers | None = None

    def produce(self, _topic: str, _value: bytes, headers: Headers | None = None) -> None:
        """Keep them."""
        self.headers = headers


def context_of(decision_count: int) -> RequestContext:
    """A request that has decided so much for one unit."""
    ledger = Ledger()
    for number in range(decision_count):
        scope = Scope(ENVIRONMENT, 1_000, 0x010203 + number, "user", 40, carry=True, key=f"1/1000/{number}/40")
        answer = Answer(f"flag-{number}", True, "on", 2, Reason.SPLIT, Origin.SPLIT, None, 41)  # noqa: FBT003
        ledger.enter(Decision(answer, scope, "7", 1_790_000_000_000_000_000, Origin.SPLIT, 41))
    here = Trace("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", None, 1, "")
    return RequestContext(here, "req-1", ledger, correlation_id="corr-1", baggage=(Member("tier", "gold"),))


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
            with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY):
                pass

    return job


def row_of(decision_count: int) -> dict[str, float]:
    """Inject and extract with so many decisions, ns, and how long the headers are; checked before timed."""
    sink, context = Sink(), context_of(decision_count)
    produce_of(sink, context)(1)
    headers = sink.headers or []
    record = Message(topic="posts", partition=0, offset=0, value=b"value", headers=headers)
    with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY) as found:
        arrived = sum(map(len, found.ledger.arrived.values()))
    if arrived != decision_count:
        raise SystemExit(f"{decision_count} decisions left, {arrived} arrived: nothing to time")
    return {
        "decisions": decision_count,
        "inject_ns": median_ns(produce_of(sink, context)) - median_ns(bare_of(sink)),
        "extract_ns": median_ns(process_of(record)),
        "header_bytes": sum(len(name) + len(value or b"") for name, value in headers),
    }


def main() -> None:
    """Measure, print and keep."""
    floor = floor_ns()
    print(f"Kafka carrying, CPU time per record; floor {floor:.0f} ns")
    print(
        f"{'decisions':>9}  {'inject µs':>9}  {'extract µs':>10}  {'both µs':>8}  {'x floor':>8}  {'header bytes':>12}"
    )
    rows = [row_of(count) for count in (0, 3, 20)]
    for row in rows:
        both = row["inject_ns"] + row["extract_ns"]
        print(
            f"{row['decisions']:>9}  {row['inject_ns'] / 1e3:>9.1f}  {row['extract_ns'] / 1e3:>10.1f}  "
            f"{both / 1e3:>8.1f}  {both / floor:>8.0f}  {row['header_bytes']:>12}"
        )
    keep("kafka", {"machine": machine("confluent-kafka"), "floor_ns": round(floor, 1), "rows": rows})


if __name__ == "__main__":
    main()
