"""The flags of StreamSocial, written as a release manager would write them."""

import json
import os
import shlex
from concurrent.futures import ThreadPoolExecutor

from streamsocial.commands import pennon


def _rule(attribute: str, value: object) -> str:
    """An option: who has this attribute gets `on`."""
    clause = {"op": "equals", "attribute": attribute, "value": value}
    return _patch(rules=[{"id": attribute, "clauses": [clause], "serve": {"variant": "on"}}])


def _patch(**members: object) -> str:
    return f"--patch {shlex.quote(json.dumps(members))}"


# For each flag the `pennon flags` commands that make it; those of one line in that order.
FLAGS: tuple[tuple[str, ...], ...] = (
    # How a feed is ordered, for half of the users: decided at the gateway, obeyed by posts and feed.
    ("create feed-ranking --type string -v ranked=ranked -v chronological=chronological", "ramp feed-ranking 50"),
    # Who is told of something new at once; the others find it in a digest. Decided by feed for each follower.
    ("create instant-alerts", "ramp instant-alerts 40"),
    # For those who pay, and a third of the others. Only the gateway knows who pays; it decides before it calls anybody.
    ("create rich-profiles", f"set rich-profiles {_rule('plan', 'pro')}", "ramp rich-profiles 33"),
    # What moderation reads twice, feed labels: whoever announces a post decides for both, however late they read it.
    ("create strict-review", "edit strict-review --at publish", "ramp strict-review 25"),
    # For those who work here.
    ("create tester-tools", f"set tester-tools {_rule('staff', value=True)}"),
    # An experiment with three arms. Who reads a feed is exposed; analytics watches what they like. Testers pick one.
    (
        "create ranking-experiment --type string --exposes -v engagement=engagement -v blend=blend -v recency=recency",
        "edit ranking-experiment --overridable",
        "ramp ranking-experiment 100 --weight engagement=33 --weight blend=33 --weight recency=34",
    ),
    # A switch for bad days: `pennon flags kill moderation-on`. Likes that are more than likes go with it.
    (
        "create moderation-on",
        "set moderation-on --serve on",
        "create reactions",
        f"set reactions --serve on {_patch(prerequisites=[{'flag': 'moderation-on', 'variants': ['on']}])}",
    ),
)


def author_flags() -> None:
    """Create all of them, a few at a time. Raises: RuntimeError with what `pennon` said, if it refused one."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        # Only reading the results raises what went wrong.
        list(pool.map(_author, FLAGS))


def _author(commands: tuple[str, ...]) -> None:
    for command in commands:
        pennon("flags", *shlex.split(command))
