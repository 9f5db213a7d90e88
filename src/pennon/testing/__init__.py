"""What users' tests need, and ours use first: fixed flag answers, a clock that stands still, a real local Kafka.

Fakes with the manners of the real thing. Not here: anything that production code imports. The pytest fixture `kafka`
comes by itself (`testing.plugin`).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pennon.testing.answers import FixedFlag, flags
    from pennon.testing.broker import LocalKafka
    from pennon.testing.clock import ManualClock
    from pennon.testing.kafka import Kafka, open_kafka

__all__ = ["FixedFlag", "Kafka", "LocalKafka", "ManualClock", "flags", "open_kafka"]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'pennon.testing' has no attribute {name!r}")
    return getattr(import_module(f"pennon.testing.{home}"), name)


# Looked up when asked for: pytest loads this package in every run of everybody who has pennon installed.
_HOMES: Final = {
    "FixedFlag": "answers",
    "Kafka": "kafka",
    "LocalKafka": "broker",
    "ManualClock": "clock",
    "flags": "answers",
    "open_kafka": "kafka",
}
