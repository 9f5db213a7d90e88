"""The flags of StreamSocial, written as a release manager would write them."""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

_STAFF_CLAUSE = {"op": "equals", "attribute": "staff", "value": True}
_STAFF_RULE = {"id": "staff", "clauses": [_STAFF_CLAUSE], "serve": {"variant": "on"}}

# For each flag the `pennon flags` commands that make it.
FLAGS: tuple[tuple[str, ...], ...] = (
    # How a feed is ordered, for half of the users: decided at the gateway, obeyed by posts and feed.
    ("create feed-ranking --type string -v ranked=ranked -v chronological=chronological", "ramp feed-ranking 50"),
    # A release: likes may be more than likes.
    ("create reactions", "set reactions --serve on"),
    # A rollout, at a third of the users.
    ("create rich-profiles", "ramp rich-profiles 33"),
    # For those who work here.
    ("create tester-tools", f"set tester-tools --patch {shlex.quote(json.dumps({'rules': [_STAFF_RULE]}))}"),
    # An experiment with three arms. Who reads a feed is exposed; analytics watches what they like.
    (
        "create ranking-experiment --type string --exposes -v engagement=engagement -v blend=blend -v recency=recency",
        "ramp ranking-experiment 100 --weight engagement=33 --weight blend=33 --weight recency=34",
    ),
    # A switch for bad days: `pennon flags kill moderation-on`.
    ("create moderation-on", "set moderation-on --serve on"),
)


def author_flags() -> None:
    """Create all of them, a few at a time. Raises: RuntimeError with what `pennon` said, if it refused one."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # Only reading the results raises what went wrong.
        list(pool.map(_author, FLAGS))


def _author(commands: tuple[str, ...]) -> None:
    for command in commands:
        run = [sys.executable, "-m", "pennon", "flags", *shlex.split(command)]
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise RuntimeError(f"pennon flags {command}: {done.stderr}")
