"""One contender in a process of its own: reads a JSON request from each line of its input, answers with a JSON line.

Run by bench.py in the contender's environment: python worker.py <name>. The first request is the document to open.
"""

import json
import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import floor_job, medians_ns
from benchmarks.peers.sdks.common import Contender

# In each turn, of some 20 ms. Of one alone much would be the way back into the caches after the others' turns.
REPEATS: Final = 3


def main() -> int:
    """Answer until the input ends."""
    # Answers have the output for themselves; what an SDK prints goes to the errors.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        opening = json.loads(sys.stdin.readline())
        contender: Contender = import_module(f"benchmarks.peers.sdks.{sys.argv[1]}").open_sdk(opening["document"])
        contexts = [contender.context(unit, attributes) for unit, attributes in opening["asks"]]
        _answer(answers, {"version": version(opening["distribution"])})
        for line in sys.stdin:
            request = json.loads(line)
            if "asks" in request:
                asked = [contender.context(unit, attributes) for unit, attributes in request["asks"]]
                _answer(answers, [contender.answer(request["job"], context) for context in asked])
            else:
                _answer(answers, _spent_ns(contender, request["job"], contexts))
        contender.close()
    return 0


def _spent_ns(contender: Contender, job: str, contexts: list[Any]) -> dict[str, float]:
    """CPU time of one call and of the floor beside it."""
    spent_ns = medians_ns({"floor": floor_job(), "job": contender.calls(job, contexts)}, repeats=REPEATS)
    return {"floor": spent_ns["floor"], "job": spent_ns["job"] / len(contexts)}


def _answer(answers: Any, answer: Any) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())
