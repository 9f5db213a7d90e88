"""feed: takes what was written, milliseconds or minutes later, ranks it as was decided for its author, and fans out."""

import json
from typing import Any

import confluent_kafka

import pennon
import pennon.kafka
from pennon.headers import mesh
from streamsocial.contract import POSTS_TOPIC, UPDATES_TOPIC, contract
from streamsocial.producing import Producing
from streamsocial.running import consume, service
from streamsocial.sessions import followers_of
from streamsocial.spans import mark_user
from streamsocial.telling import tell_hop

CONTRACT = contract()

# Followers that one record reaches: the famous are many records, most people are one.
FOLLOWERS_COUNT = 20


class Feed:
    """Turns a post into feed updates."""

    def __init__(self, flags: pennon.Client, producing: Producing) -> None:
        self._flags = flags
        self._producing = producing

    def take(self, record: confluent_kafka.Message) -> None:
        """One record: whatever is produced within the block carries on what was decided."""
        written = json.loads(record.value() or b"{}")
        with pennon.kafka.process(record, CONTRACT, boundary=mesh()):
            author = written["author"]
            mark_user(author)
            ranking = self._flags.decision("feed-ranking", unit=author)
            tell_hop("feed", author, ranking)
            for number, readers in enumerate(_readers_of(written)):
                update = {**written, "update": number, "readers": readers, "first": ranking.value == "ranked"}
                self._producing.put(UPDATES_TOPIC, author, json.dumps(update))


def _readers_of(written: dict[str, Any]) -> list[list[str]]:
    """Who hears of it, in batches: a post's followers, a comment's author; nobody of a like."""
    if written["kind"] == "post":
        readers = followers_of(written["author"])
        return [readers[start : start + FOLLOWERS_COUNT] for start in range(0, len(readers), FOLLOWERS_COUNT)]
    return [[written["author"]]] if written["kind"] == "comment" else []


def main() -> None:
    """Consume until told to end; what was taken is finished, confirmed and committed."""
    with service("feed") as ending, Producing(CONTRACT) as producing, pennon.connect() as flags:
        flags.wait_ready(5.0)
        consume([POSTS_TOPIC], Feed(flags, producing).take, ending, settle=producing.settle)


if __name__ == "__main__":
    main()
