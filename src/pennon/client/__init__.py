"""The SDK: clients that follow a server and answer flags in the caller's process.

Here: `connect` and the client, the thread that follows the stream (and polls where streams do not get through), the
exposures on their way to the server, the OpenFeature provider (`pennon.client.openfeature`, imported by name).
Not here: what a flag answers (`flags`), how a replica takes messages (`sync`), which carried decision holds (`carry`).
Nothing here raises into the caller's request: on any trouble the answer is the caller's default.
"""

from pennon.carry import Exposure
from pennon.client.client import Client
from pennon.client.connecting import answering, connect
from pennon.client.evaluation import Evaluation
from pennon.client.outlets import Sink
from pennon.client.status import Change, Notice, Status
from pennon.client.timing import Timing
from pennon.client.unit_flags import UnitFlags

__all__ = [
    "Change",
    "Client",
    "Evaluation",
    "Exposure",
    "Notice",
    "Sink",
    "Status",
    "Timing",
    "UnitFlags",
    "answering",
    "connect",
]
