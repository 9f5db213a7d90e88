"""One ledger, many threads."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import msgspec

from pennon.carry import decide, decode, encode
from pennon.context import Decision, Environment, Ledger
from pennon.flags import FlagRecord, Ruleset, RulesetRecord

THREADS = 8


def _ruleset(variant: str) -> Ruleset:
    """Every thread's own opinion of the flags, at one floor."""
    record = {
        "id": 1,
        "key": "f",
        "type": "string",
        "carry": True,
        "off": "v0",
        "fallthrough": {"variant": variant},
        "variants": [{"key": f"v{number}", "id": number, "value": ""} for number in range(THREADS)],
    }
    flags = {f"f{number}": msgspec.convert(record | {"id": number}, FlagRecord) for number in range(60)}
    return Ruleset.of(RulesetRecord(Environment(1, "production", "salt"), 5, 60, flags=flags))


def test_decide_agrees_between_threads_that_would_disagree() -> None:
    """All get the very same decision: whoever entered it first."""
    ledger, barrier = Ledger(), Barrier(THREADS)
    rulesets = [_ruleset(f"v{number}") for number in range(THREADS)]

    def ask(ruleset: Ruleset) -> list[Decision]:
        barrier.wait(60)
        flags = [ruleset.flag(key) for key in ruleset.records]
        return [decide(flag, ruleset, ledger, "7", {}, {}, 0, lambda _: None) for flag in flags if flag is not None]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = list(pool.map(ask, rulesets))
    assert 60 == len(ledger.made)
    for column in zip(*answers, strict=True):
        assert 1 == len({id(decision) for decision in column})


def test_encode_while_others_decide_raises_nothing() -> None:
    """A call leaves in the middle of a fan-out: it carries what was decided so far."""
    ledger, barrier = Ledger(), Barrier(2)
    ruleset = _ruleset("v1")
    flag = ruleset.flag("f1")
    assert flag is not None

    def fan_out() -> None:
        barrier.wait(60)
        for number in range(1_000):
            decide(flag, ruleset, ledger, str(number), {}, {}, 0, lambda _: None)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(fan_out)
        barrier.wait(60)
        while not done.done():
            assert len(decode(encode(ledger).value).entries) <= 1_000
        done.result()
