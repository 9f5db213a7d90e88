"""moderation: reads along and reports what looks wrong. A kill switch takes it out of the way in an instant."""

import json

import confluent_kafka

import pennon
import pennon.kafka
from pennon.headers import Boundary, Contract
from streamsocial.contract import METRICS_TOPIC, POSTS_TOPIC, contract
from streamsocial.deciding import connect
from streamsocial.identifying import readers_of, signer
from streamsocial.producing import Producing, to_broker
from streamsocial.running import consume, service
from streamsocial.spans import mark_user

BAD_WORDS = frozenset({"spam", "scam"})
# What only a strict review minds.
DOUBTFUL_WORDS = frozenset({"night", "light"})


class Moderation:
    """Looks at each post and comment."""

    def __init__(self, contract: Contract, readers: Boundary, flags: pennon.Client, producing: Producing) -> None:
        self._contract = contract
        self._readers = readers
        self._flags = flags
        self._producing = producing

    def take(self, record: confluent_kafka.Message) -> None:
        """One record."""
        written = json.loads(record.value() or b"{}")
        if written["kind"] == "like":
            return
        with pennon.kafka.process(record, self._contract, boundary=self._readers):
            author = written["author"]
            mark_user(author)
            # An operational switch: everybody gets the same, and without an answer we moderate.
            if not self._flags.is_on("moderation-on", default=True):
                return
            # Decided when the record was written: feed labels as reviewed what is read strictly here.
            words = BAD_WORDS | DOUBTFUL_WORDS if self._flags.is_on("strict-review") else BAD_WORDS
            if not words.isdisjoint(written["text"].lower().split()):
                event = {"id": written["id"], "metric": "flagged", "user": author}
                self._producing.put(METRICS_TOPIC, author, json.dumps(event))


def main() -> None:
    """Consume until told to end."""
    declared = contract()
    with (
        service("moderation", declared) as ending,
        Producing(declared, to_broker(), signer("moderation")) as producing,
        connect() as flags,
    ):
        flags.wait_ready(5.0)
        moderation = Moderation(declared, readers_of(POSTS_TOPIC), flags, producing)
        consume([POSTS_TOPIC], moderation.take, ending, settle=producing.settle)


if __name__ == "__main__":
    main()
