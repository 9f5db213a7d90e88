"""The Kafka that tests use: one started here, or the one that `PENNON_TEST_KAFKA` names."""

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pennon.errors import BrokerUnavailable, Fault, SettingInvalid
from pennon.testing.broker import LocalKafka

SETTING: Final = "PENNON_TEST_KAFKA"

# A topic is there after about 50 ms on a local broker; an outside one may have to elect leaders.
_ADMIN_LIMIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Kafka:
    """A running broker. bootstrap: "host:port" for `bootstrap.servers`."""

    bootstrap: str

    def create_topic(self, name: str, *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Make a topic with one replica and return its name. config: the topic's own settings.

        Raises: BrokerUnavailable if the broker refuses or does not answer, or confluent-kafka is not installed.
        """
        try:
            from confluent_kafka import KafkaException
            from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # not re-exported
        except ImportError as error:
            raise BrokerUnavailable(
                "confluent-kafka, which makes topics, is not installed; install it with: pip install 'pennon[kafka]'"
            ) from error
        # librdkafka would else write its connection troubles to standard error, on top of the exception.
        admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        try:
            admin.create_topics([topic], operation_timeout=_ADMIN_LIMIT_S)[name].result(_ADMIN_LIMIT_S)
        except (KafkaException, TimeoutError) as error:
            raise BrokerUnavailable(f"topic '{name}' at {self.bootstrap}: {error}") from error
        return name

    def fresh_topic(self, prefix: str = "test", *, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        """Make a topic that nobody else uses and return its name, "prefix-" and 12 random hex digits."""
        return self.create_topic(f"{prefix}-{uuid.uuid4().hex[:12]}", partitions=partitions, config=config)


@contextmanager
def open_kafka() -> Iterator[Kafka]:
    """The Kafka named by `PENNON_TEST_KAFKA` (host:port), else a local one that ends with the block.

    Raises: SettingInvalid if the variable holds something else; BrokerUnavailable if none can be started.
    """
    outside = os.environ.get(SETTING)
    if outside:
        yield Kafka(_checked(outside))
        return
    with LocalKafka() as broker:
        yield Kafka(broker.bootstrap)


def _checked(address: str) -> str:
    for part in address.split(","):
        host, _, port = part.rpartition(":")
        if not host or not port.isascii() or not port.isdecimal():
            raise SettingInvalid([Fault("", f"{SETTING}: {address!r} is not host:port; e.g. 127.0.0.1:9092")])
    return address
