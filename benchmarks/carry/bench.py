"""Carrying: what the member costs a hop, what judging costs an ask, how many decisions a budget holds.

Run: python benchmarks/carry/bench.py. Ends with 1 if a bar is missed. The member's share of a hop is what a hop with it
costs more than one without.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import Job, floor_job, keep, machine, medians_ns

from pennon.carry import (
    BUDGET_BYTES,
    arrive,
    decide,
    decode,
    depart,
    encode,
    encode_entries,
    fingerprint_of,
    returning,
    take_returned,
)
from pennon.context import Entry, Environment, Identity, Ledger, Origin, Reason
from pennon.flags import Flag, FlagRecord, FlagType, Ruleset, RulesetRecord, ServeRecord, SplitRecord, VariantRecord
from pennon.headers import Contract, Downstream

ENVIRONMENT: Final = Environment(0x0102030405, "production", "8f1c2d3e4a5b6c7d")
EPOCH: Final = 3_600_000
REVISION: Final = 5_000
NOW_NS: Final = 29_925_600 * 60_000_000_000
UNIT: Final = "user-7"
DECISIONS: Final = 3
NOTHING: Final[dict[str, Any]] = {}

# Multiples of the floor: 4 µs to read a member of three decisions and 3 µs to write one, where the floor is 58 ns.
BARS: Final = {"decode": 4_000 / 58, "encode, decided here": 3_000 / 58, "encode, arrived": 3_000 / 58}

POSTS: Final = Downstream("posts", host="posts.internal")
CONTRACT: Final = Contract("bench", version="1", owner="pennon", downstreams=(POSTS,))
ENTROPY: Final = bytes(range(1, 41))
TRACE: Final = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")


def flag_record(number: int, serve: ServeRecord) -> FlagRecord:
    """A boolean flag that carries."""
    variants = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))
    return FlagRecord(
        f"flag-{number}", number, FlagType.BOOLEAN, variants, "off", serve, revision=REVISION - number, carry=True
    )


def ruleset(serve: ServeRecord) -> Ruleset:
    """Three flags that serve this."""
    records = (flag_record(number, serve) for number in range(1, DECISIONS + 1))
    return Ruleset.of(RulesetRecord(ENVIRONMENT, EPOCH, REVISION, flags={record.key: record for record in records}))


STATIC: Final = ruleset(ServeRecord("on"))
SPLIT: Final = ruleset(
    ServeRecord(split=SplitRecord("m3-cbor", "salt", 1, (("on", 0, 50_000), ("off", 50_000, 100_000)), "off"))
)


def entry(number: int, *, revision: int = REVISION) -> Entry:
    """A decision of the one unit, all in one minute."""
    fingerprint = fingerprint_of(ENVIRONMENT.salt, "user", UNIT)
    minute = NOW_NS // 60_000_000_000
    return Entry(ENVIRONMENT.id, EPOCH, fingerprint, minute, number, 1, Origin.SPLIT, revision)


VALUE: Final = encode_entries([entry(number) for number in range(1, DECISIONS + 1)]).value


def turning(call: Callable[[], object]) -> Job:
    """The call, again and again."""

    def job(count: int) -> None:
        for _ in range(count):
            call()

    return job


def asking(rules: Ruleset, value: str) -> Callable[[Ledger], None]:
    """A first ask of one flag in a request with this member."""
    flag = rules.flag("flag-1")
    arrived = decode(value).arrived
    if flag is None:
        sys.exit("flag-1 is missing")

    def ask(ledger: Ledger, flag: Flag = flag) -> None:
        ledger.arrived = arrived
        decide(flag, rules, ledger, UNIT, NOTHING, NOTHING, NOW_NS, print)

    return ask


def writing(ledger: Ledger) -> Job:
    """Writing its member, each time as if something had happened since the last."""

    def job(count: int) -> None:
        for _ in range(count):
            ledger.encoded = None
            encode(ledger)

    return job


def taking(ledger: Ledger) -> Callable[[], object]:
    """Taking what a callee returned, again and again: nothing of it is news."""
    values = [returning(ledger).value.encode()]
    return lambda: take_returned(ledger, values, has_age=False, began_ns=NOW_NS, note=print)


def in_fresh_ledgers(ask: Callable[[Ledger], None]) -> Job:
    """The ask, each time in a ledger that has not seen it."""

    def job(count: int) -> None:
        for _ in range(count):
            ask(Ledger())

    return job


def decided() -> Ledger:
    """A request in which three flags were asked and nothing arrived."""
    ledger = Ledger()
    for flag in filter(None, map(SPLIT.flag, SPLIT.records)):
        decide(flag, SPLIT, ledger, UNIT, NOTHING, NOTHING, NOW_NS, print)
    return ledger


def crossing(*headers: tuple[bytes, bytes]) -> Callable[[], object]:
    """One ingress."""
    return lambda: arrive(CONTRACT, headers, is_trusted=True, identity=Identity(), entropy=ENTROPY)


def leaving(ledger: Ledger) -> Callable[[], object]:
    """One egress of a request with this ledger."""
    context = arrive(CONTRACT, (TRACE,), is_trusted=True, identity=Identity(), entropy=ENTROPY).context
    context.ledger.made = ledger.made
    context.ledger.arrived = ledger.arrived
    return lambda: depart(CONTRACT, POSTS, context, trace=None)


def checked() -> None:
    """Stop if anything that is timed does not do its work."""
    ledger = Ledger()
    asking(SPLIT, VALUE)(ledger)
    reasons = [decision.answer.reason for decision in ledger.made.values()]
    counts = [len(decode(encode(each).value).entries) for each in (decided(), arrived())]
    if reasons != [Reason.CARRIED] or counts != [DECISIONS, DECISIONS]:
        sys.exit(f"carried {reasons}, encoded {counts}")


def arrived() -> Ledger:
    """A request with which three decisions came, and in which nothing was asked."""
    ledger = Ledger()
    ledger.arrived = decode(VALUE).arrived
    return ledger


def held(revision: int) -> int:
    """How many decisions of one unit and minute a budget holds without dropping any."""
    entries = [entry(number, revision=revision) for number in range(200)]
    return max(count for count in range(len(entries)) if not encode_entries(entries[:count]).cut_count)


def main() -> int:
    """Measure, print, keep."""
    checked()
    baggage = (b"baggage", f"pennon={VALUE}".encode())
    here, there, remembered = decided(), arrived(), decided()
    jobs = {
        "floor": floor_job(),
        "decode": turning(lambda: decode(VALUE)),
        "encode, decided here": writing(here),
        "encode, arrived": writing(there),
        "encode, remembered": turning(lambda: encode(remembered)),
        "returning": turning(lambda: returning(here)),
        "take_returned, known": turning(taking(decided())),
        "arrive without": turning(crossing(TRACE)),
        "arrive with": turning(crossing(TRACE, baggage)),
        "depart without": turning(leaving(Ledger())),
        "depart with": turning(leaving(decided())),
        "a ledger": turning(Ledger),
        "first ask, static": in_fresh_ledgers(asking(STATIC, "")),
        "first ask, split": in_fresh_ledgers(asking(SPLIT, "")),
        "first ask, carried": in_fresh_ledgers(asking(SPLIT, VALUE)),
    }
    spent_ns = medians_ns(jobs)
    floor = spent_ns.pop("floor")
    rows = {
        **spent_ns,
        "the member's share of arriving": spent_ns["arrive with"] - spent_ns["arrive without"],
        "the member's share of leaving": spent_ns["depart with"] - spent_ns["depart without"],
        **{f"{name}, alone": spent_ns[name] - spent_ns["a ledger"] for name in spent_ns if name.startswith("first")},
    }
    print(f"floor {floor:.1f} ns; a member of {DECISIONS} decisions has {len(VALUE)} characters\n")
    print(f"{'':34}        ns   x floor      bar")
    missed = [name for name, bar in BARS.items() if rows[name] / floor > bar]
    for name, spent in rows.items():
        bar = f"{BARS[name]:8.1f}" if name in BARS else ""
        print(f"{name:34} {spent:9.0f} {spent / floor:9.1f} {bar}{'   MISSED' if name in missed else ''}")
    room = {f"revisions below 2**{bits}": held(2**bits - 1) for bits in (7, 14, 21, 28)}
    print(f"\ndecisions in {BUDGET_BYTES} bytes, one unit and minute")
    for name, count in room.items():
        print(f"{name:34} {count:9}")
    result = {
        "machine": machine("msgspec", "mmh3"),
        "floor_ns": round(floor, 1),
        "rows": {name: {"ns": round(spent, 1), "ratio": round(spent / floor, 2)} for name, spent in rows.items()},
        "decisions_in_512_bytes": room,
    }
    print(f"kept in {keep('carry', result).relative_to(Path(__file__).parents[2])}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
