"""The Kafka doors: what a record's headers say goes in and out here, by confluent-kafka or (`aio`) by aiokafka.

Here live the calls that wrap a producer and a record. What a header may hold is the contract's word (`headers`),
which decisions travel and how they are judged is `carry`'s; consumer loops, transactions and dead letters are their
owner's. Neither library is imported: a record and a producer are whatever has their methods.
"""

from pennon.kafka import aio
from pennon.kafka.batches import Batch, Handling, batch
from pennon.kafka.carrier import RecordFault
from pennon.kafka.egress import CarryingProducer, producer
from pennon.kafka.events import event_of, event_record
from pennon.kafka.ingress import process

__all__ = [
    "Batch",
    "CarryingProducer",
    "Handling",
    "RecordFault",
    "aio",
    "batch",
    "event_of",
    "event_record",
    "process",
    "producer",
]
