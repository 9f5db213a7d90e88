"""feed: takes posts from Kafka, milliseconds or minutes later, and ranks them as was decided for their author."""

import json
import os
import signal
import threading

import confluent_kafka

import pennon
import pennon.kafka
from pennon.headers import mesh
from streamsocial.contract import POSTS_TOPIC, contract
from streamsocial.telling import tell

POLL_S = 0.2

CONTRACT = contract()
stopping = threading.Event()


def main() -> None:
    """Consume until SIGTERM; what was taken is finished and committed."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA"],
            "group.id": "feed",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 10,
        }
    )
    consumer.subscribe([POSTS_TOPIC])
    with pennon.connect() as flags:
        while not stopping.is_set():
            record = consumer.poll(POLL_S)
            if record is not None and record.error() is None:
                take(record, flags)
                consumer.commit(message=record)
    consumer.close()


def take(record: confluent_kafka.Message, flags: pennon.Client) -> None:
    """Rank one post."""
    post = json.loads(record.value() or b"{}")
    with pennon.kafka.process(record, CONTRACT, boundary=mesh()):
        tell("feed", post["author"], flags.decision("feed-ranking", unit=post["author"]))


if __name__ == "__main__":
    main()
