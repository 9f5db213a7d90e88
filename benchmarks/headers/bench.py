"""What reading and writing headers costs per hop, without a door around it: CPU time of this thread.

    make bench ARGS=headers

The request is `production_request.txt` beside this file, with a member of ours of three decisions' length added to its
baggage. Below the hop: what hostile headers cost, which is bounded because sizes are counted before anything is parsed.
"""

import sys
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_ns, keep, machine, median_ns

from pennon.context import Member
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    Downstream,
    Extracted,
    Field,
    Headers,
    Log,
    Propagate,
    Trust,
    extract,
    inject,
)

ENTROPY: Final = bytes(range(1, 41))
OURS: Final = "AAAABwAACavN7wG6hiAAAAEBACkAAAIBACkAAAMBACnerb7v"
TRACEPARENT: Final = (b"traceparent", b"00-8a3c60f7d188f8fa79d48a391a778fa6-00f7d188f8fa79d4-01")


def internal(name: str, syntax: str) -> Field:
    """A header of the mesh that goes to every declared downstream."""
    return Field(
        name,
        category=Category.SECURITY,
        owner="identity",
        syntax=syntax,
        max_length=64,
        trust=Trust.MESH,
        caller_may_set=False,
        gateway_overwrites=True,
        downstream_may_forward=True,
        propagate=Propagate.ALWAYS,
        log=Log.HASH,
        classification=Classification.INTERNAL_ID,
        description="Who is asking, and for whom",
    )


CONTRACT: Final = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=(
        internal("x-caller-service", "[a-z-]+"),
        internal("x-tenant-id", "[a-z0-9-]+"),
        internal("x-actor-type", "HUMAN|SYSTEM"),
        internal("x-actor-id", "[a-z0-9-]+"),
    ),
    baggage=BaggagePolicy(allow=("tenant.tier", "region")),
    downstreams=(Downstream("cases", host="cases.internal"),),
)


def production_request() -> Headers:
    """The headers of the sample request, as ASGI gives them."""
    text = (Path(__file__).parent / "production_request.txt").read_text(encoding="utf-8")
    lines = text.partition("\n\n")[0].splitlines()[1:]
    pairs = [line.partition(": ") for line in lines]
    return tuple(
        (name.lower().encode(), f"{value},pennon={OURS}".encode() if name == "baggage" else value.encode())
        for name, _, value in pairs
    )


def hostile() -> dict[str, Headers]:
    """Headers that cost much where lists are parsed before they are counted."""
    return {
        "8,191 commas": ((b"baggage", b"," * 8191),),
        "200 members": ((b"baggage", b",".join(b"key%d=value%d" % (n, n) for n in range(200))),),
        "430 members, percent-encoded": ((b"baggage", b",".join(b"k%d=%%C3%%A9%%C3" % n for n in range(430))),),
        "4,096 members of one letter": ((b"baggage", b"a," * 4096),),
        "8 kB of spaces around nothing": ((b"baggage", b"k=" + b" " * 8000 + b"\x01"),),
        "1 MB of baggage": ((b"baggage", b"k=" + b"v" * 1_000_000),),
        "1 MB of tracestate": (TRACEPARENT, (b"tracestate", b"a=1," * 250_000)),
        "8,000 commas of tracestate": (TRACEPARENT, (b"tracestate", b"," * 8000)),
        "5,000 headers": tuple((b"x-header-%d" % n, b"value") for n in range(5_000)),
    }


def extracting(headers: Headers, *, is_trusted: bool) -> Job:
    """A job that reads these headers."""

    def job(count: int) -> None:
        for _ in range(count):
            extract(CONTRACT, headers, is_trusted=is_trusted, entropy=ENTROPY)

    return job


def injecting(arrived: Extracted, downstream: Downstream | None) -> Job:
    """A job that writes what arrived."""

    def job(count: int) -> None:
        for _ in range(count):
            inject(
                CONTRACT,
                downstream,
                trace=arrived.trace,
                request_id=arrived.request_id,
                correlation_id=arrived.correlation_id,
                baggage=arrived.baggage,
                ours=arrived.ours,
                fields=arrived.fields,
                identity=arrived.identity,
            )

    return job


def checked(headers: Headers) -> Extracted:
    """What arrived, after looking that the hop does what is timed."""
    arrived = extract(CONTRACT, headers, is_trusted=True, entropy=ENTROPY)
    assert arrived.report.dropped == ()
    assert (len(arrived.baggage), len(arrived.fields)) == (2, 1)
    assert (arrived.identity.tenant, arrived.identity.actor) == ("tenant-42", "user-991")
    assert arrived.ours == (Member("pennon", OURS),)
    assert extract(CONTRACT, headers, is_trusted=False, entropy=ENTROPY).ours == ()
    return arrived


def main() -> None:
    """Time the hop and the hostile headers, print the table, keep the result."""
    request = production_request()
    arrived = checked(request)
    cases = CONTRACT.downstream_for_host("cases.internal", 443)
    jobs: dict[str, Job] = {
        "extract, verified": extracting(request, is_trusted=True),
        "extract, a stranger's": extracting(request, is_trusted=False),
        "inject, declared": injecting(arrived, cases),
        "inject, undeclared": injecting(arrived, None),
        "extract nothing": extracting((), is_trusted=False),
        **{f"extract {name}": extracting(headers, is_trusted=True) for name, headers in hostile().items()},
    }
    floor = floor_ns()
    rows: list[dict[str, Any]] = [{"job": name, "ns": round(median_ns(job))} for name, job in jobs.items()]
    hop = {"job": "hop: extract + inject", "ns": rows[0]["ns"] + rows[2]["ns"]}
    print(f"floor {floor:.0f} ns")
    for row in [hop, *rows]:
        print(f"{row['job']:<40} {row['ns']:>9,} ns {row['ns'] / floor:>8.1f} x")
    keep("headers", {"machine": machine("msgspec"), "floor_ns": round(floor, 1), "rows": [hop, *rows]})


if __name__ == "__main__":
    main()
