"""The Kafka door, for confluent-kafka: what a record's headers say goes in and out here.

Here live the two calls that wrap a producer and a record. What a header may hold is the contract's word (`headers`),
which decisions travel and how they are judged is `carry`'s; consumer loops, transactions and dead letters are their
owner's. confluent-kafka itself is not imported: a record and a producer are whatever has their methods.
"""

from pennon.kafka.carrier import RecordFault
from pennon.kafka.egress import CarryingProducer, producer
from pennon.kafka.ingress import process

__all__ = ["CarryingProducer", "RecordFault", "process", "producer"]
