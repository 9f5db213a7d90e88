"""The vectors of frames and replica: they are the specification that other languages implement."""

import json
from pathlib import Path
from typing import Any

import pytest

from pennon.sync import EMPTY, FrameReader, decode_message, receive

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
    """Effect, position, answers and open kills after each message."""
    replica = EMPTY
    for step in case["steps"]:
        message = decode_message(step["event"], json.dumps(step["data"]).encode())
        assert message is not None
        replica, effect = receive(replica, message)
        ruleset = replica.ruleset
        assert step["effect"] == effect
        assert step["position"] == (None if ruleset is None else [ruleset.epoch, ruleset.revision])
        assert step["open_kills"] == [[k.environment, k.epoch, k.flag, k.revision] for k in replica.kills.values()]
        for key, variant in (step.get("answers") or {}).items():
            assert ruleset is not None
            flag = ruleset.flag(key)
            assert variant == (None if flag is None else flag.answer("u", {}, {}).variant)
