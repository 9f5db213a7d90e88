"""feed: takes what was written, milliseconds or minutes later, ranks it as was decided for its author, and fans out.

Who is told at once is decided for each follower, by nothing of the author's, and goes along to `notify`.
"""

import json
from typing import Any

import confluent_kafka

import pennon
import pennon.kafka
from pennon.headers import Boundary, Contract
from streamsocial.contract import POSTS_TOPIC, UPDATES_TOPIC, contract
from streamsocial.deciding import connect
from streamsocial.identifying import readers_of, signer
from streamsocial.producing import Producing, to_broker
from streamsocial.running import consume, service
from streamsocial.sessions import followers_of
from streamsocial.spans import mark_user
from streamsocial.telling import tell, tell_hop

# Followers that one record reaches: the famous are many records, most people are one. What is decided for each of them
# takes about 35 of the 512 bytes that a record has for decisions, and the author's need room as well.
FOLLOWERS_COUNT = 10


class Feed:
    """Turns a post into feed updates."""

    def __init__(self, contract: Contract, readers: Boundary, flags: pennon.Client, producing: Producing) -> None:
        self._contract = contract
        self._readers = readers
        self._flags = flags
        self._producing = producing

    def take(self, record: confluent_kafka.Message) -> None:
        """One record, in a block for each batch: what leaves in it carries its own readers' decisions, not all."""
        written = json.loads(record.value() or b"{}")
        for number, readers in enumerate(_batches(written)):
            with pennon.kafka.process(record, self._contract, boundary=self._readers):
                mark_user(written["author"])
                ranking = self._flags.decision("feed-ranking")
                if number == 0:
                    tell_hop("feed", written["author"], ranking)
                if readers:
                    self._update({**written, "update": number, "first": ranking.value == "ranked"}, readers)

    def _update(self, update: dict[str, Any], readers: list[str]) -> None:
        """Tell a batch of readers."""
        # Their feed shows a dot at once; whom to push it to, notify will ask the same flag about the same people.
        dotted = [reader for reader in readers if self._flags.for_unit(reader).is_on("instant-alerts")]
        is_reviewed = self._flags.is_on("strict-review")
        told = {**update, "readers": readers, "dotted": dotted, "reviewed": is_reviewed}
        self._producing.put(UPDATES_TOPIC, update["author"], json.dumps(told))
        tell("updated", "feed", id=update["id"], update=update["update"], readers=readers, dotted=dotted)


def _batches(written: dict[str, Any]) -> list[list[str]]:
    """Who hears of it: a post's followers, a comment's author; nobody of a like, which is one batch of nobody."""
    if written["kind"] == "post":
        readers = followers_of(written["author"])
        return [readers[start : start + FOLLOWERS_COUNT] for start in range(0, len(readers), FOLLOWERS_COUNT)]
    return [[written["author"]] if written["kind"] == "comment" else []]


def main() -> None:
    """Consume until told to end; what was taken is finished, confirmed and committed."""
    declared = contract()
    with (
        service("feed", declared) as ending,
        Producing(declared, to_broker(), signer("feed")) as producing,
        connect() as flags,
    ):
        flags.wait_ready(5.0)
        feed = Feed(declared, readers_of(POSTS_TOPIC), flags, producing)
        consume([POSTS_TOPIC], feed.take, ending, settle=producing.settle)


if __name__ == "__main__":
    main()
