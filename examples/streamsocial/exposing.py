"""Exposures on a topic, beside the control plane: from there `analytics` joins them with what people did.

They are sent in batches of many people's, outside of any request, so by a producer without pennon's door.
"""

import json
import os
from collections.abc import Sequence

from pennon.client import Exposure, Sink
from streamsocial.contract import EXPOSURES_TOPIC
from streamsocial.producing import Producing


def to_kafka(producing: Producing) -> Sink:
    """A sink for `pennon.connect`: it returns when Kafka has the batch."""

    def sink(exposures: Sequence[Exposure]) -> None:
        for each in exposures:
            record = {
                "id": each.id,
                "flag": each.flag,
                "variant": each.variant,
                "phase": each.phase,
                "user": each.unit_key,
                "at_ms": each.at_ns // 1_000_000,
                # Who sent it, so that a loss can be traced to the process that was killed.
                "pid": os.getpid(),
            }
            producing.put(EXPOSURES_TOPIC, each.unit_key, json.dumps(record))
        producing.settle()

    return sink
