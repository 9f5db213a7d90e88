"""Tell whoever started a service what it does: JSON lines on standard output.

Every service says when it is ready. What it does for each request and record it says only where somebody wants to know
(TELL=1: the demo's --json, and its tests); people look at spans instead.
"""

import json
import os
import time

import pennon
from pennon.client import Evaluation

IS_TELLING = os.environ.get("TELL") == "1"


def say(what: str, service: str, **facts: object) -> None:
    """One line."""
    line = json.dumps({"told": what, "service": service, "pid": os.getpid(), "at_s": time.time(), **facts}) + "\n"
    # One write: a process that is killed leaves whole lines behind.
    os.write(1, line.encode())


def tell(what: str, service: str, **facts: object) -> None:
    """One line, if anybody wants to know."""
    if IS_TELLING:
        say(what, service, **facts)


def tell_hop(service: str, user: str, evaluation: Evaluation) -> None:
    """What a hop of a journey decided. The journey's id is the correlation id, which every hop shares."""
    if IS_TELLING:
        context = pennon.current()
        journey = context.correlation_id if context else None
        say("hop", service, journey=journey, user=user, variant=evaluation.variant, reason=evaluation.reason)
