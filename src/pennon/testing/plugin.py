"""The pytest fixtures that come with pennon; pytest finds them by itself.

It is loaded in every test run of everybody who has pennon installed, so it imports nothing before a fixture is asked.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pennon.testing.kafka import Kafka


@pytest.fixture(scope="session")
def kafka() -> "Iterator[Kafka]":
    """A real Apache Kafka for the whole session: `kafka.bootstrap`, `kafka.fresh_topic()`.

    Started when the first test asks, about 4 s; `PENNON_TEST_KAFKA=host:port` names an outside one instead. A missing
    broker fails the test: it never skips.
    """
    from pennon.testing.kafka import open_kafka

    with open_kafka() as broker:
        yield broker
