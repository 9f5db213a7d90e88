"""The vectors of frames and replica: they are the specification that other languages implement."""

import json
from pathlib import Path
from typing import Any

import pytest

from pennon.flags import Ruleset
from pennon.sync import EMPTY, FrameReader, Replica, decode_message, expired, receive

VECTORS = Path(__file__).parents[1] / "conformance" / "vectors" / "sync"


def cases(name: str) -> list[Any]:
    """The cases of one file, each under its own name."""
    return [pytest.param(case, id=case["name"]) for case in json.loads((VECTORS / name).read_text())["cases"]]


@pytest.mark.parametrize("case", cases("frames.json"))
def test_frames_are_the_vectors_wherever_the_stream_is_cut(case: dict[str, Any]) -> None:
    """Whole, byte by byte, or cut once anywhere, the same frames come out."""
    data = case["bytes"].encode()
    expected = [(name, text.encode(), id_) for name, text, id_ in case["frames"]]
    cuttings = [[data], [data[at : at + 1] for at in range(len(data))]]
    cuttings += [[data[:at], b"", data[at:]] for at in range(len(data))]
    for chunks in cuttings:
        reader = FrameReader()
        assert expected == [(f.name, f.data, f.id) for chunk in chunks for f in reader.feed(chunk)]


@pytest.mark.parametrize("case", cases("replica.json"))
def test_replica_takes_each_message_as_the_vectors_say(case: dict[str, Any]) -> None:
    """Effect, position, answers, floors, open kills and what else the ruleset holds, after each message."""
    replica = EMPTY
    for step in case["steps"]:
        before = replica
        replica, effect = after(replica, step)
        assert step.get("effect") == effect
        if effect == "ignored":
            assert before is replica
        ruleset = replica.ruleset
        assert step["position"] == (None if ruleset is None else [ruleset.epoch, ruleset.revision])
        assert step["open_kills"] == [[k.environment, k.epoch, k.flag, k.revision] for k in replica.kills.values()]
        emergencies = [[k.environment, k.flag, k.id, k.until_s] for k in replica.emergencies.values()]
        assert step.get("emergencies", []) == emergencies
        assert len(replica.open_kills) == len(replica.kills) + len(emergencies)
        if ruleset is not None:
            assert_holds(ruleset, step)


def after(replica: Replica, step: dict[str, Any]) -> tuple[Replica, str | None]:
    """The replica after a message or the time, and what the message did."""
    if "now_s" in step:
        return expired(replica, step["now_s"]), None
    message = decode_message(step["event"], json.dumps(step["data"]).encode())
    assert message is not None
    return receive(replica, message)


def assert_holds(ruleset: Ruleset, step: dict[str, Any]) -> None:
    """The ruleset answers and holds what the step says."""
    flags = {key: ruleset.flag(key) for key in {**step.get("answers", {}), **step.get("floors", {})}}
    for key, variant in step.get("answers", {}).items():
        flag = flags[key]
        assert variant == (None if flag is None else flag.answer("u", {}, {}).variant), key
    assert step.get("floors", {}) == {key: flag.floor for key in step.get("floors", {}) if (flag := flags[key])}
    for kind in ("signers", "revocations", "reconciled"):
        assert step.get(kind, sorted(getattr(ruleset, kind))) == sorted(getattr(ruleset, kind))
