"""The Kafka door for aiokafka: its producer, wrapped, and `process` for its records.

aiokafka itself is not imported: a producer is whatever has its methods.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from pennon import ambient
from pennon.headers import Contract
from pennon.kafka.carrier import RecordHeaders
from pennon.kafka.egress import Carrier, Sending
from pennon.kafka.ingress import process
from pennon.signing import ContextSigner

__all__ = ["AioCarryingProducer", "process", "producer"]


class AioCarryingProducer(Carrier):
    """An aiokafka producer whose records carry the request context."""

    async def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: RecordHeaders | None = None,
    ) -> Any:
        """As the wrapped producer's, which gives a future; headers: a list, tuple or dict, which is not changed."""
        return await self._sent(self._wrapped.send, topic, value, key, partition, timestamp_ms, headers)

    async def send_and_wait(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: RecordHeaders | None = None,
    ) -> Any:
        """The same, and wait until the broker has it; so does the record's span, on which a failure stands."""
        return await self._sent(self._wrapped.send_and_wait, topic, value, key, partition, timestamp_ms, headers)

    async def _sent(
        self,
        send: Callable[..., Awaitable[Any]],
        topic: str,
        value: Any,
        key: Any,
        partition: int | None,
        timestamp_ms: int | None,
        headers: RecordHeaders | None,
    ) -> Any:
        context = ambient.current()
        with self._sending.span(topic, partition, context) as span:
            leaving = self._sending.leaving(topic, headers, span, context)
            return await send(topic, value, key, partition, timestamp_ms, leaving)

    async def send_batch(self, *_: Any, **__: Any) -> Any:
        """Refused: a batch's records were written without headers, so what should be carried would be lost unseen."""
        raise NotImplementedError(
            "send_batch() of aiokafka sends records that were written before; "
            "call send() for each record, or send_batch() of the producer that was wrapped"
        )

    async def __aenter__(self) -> Self:
        await self._wrapped.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Any:
        return await self._wrapped.__aexit__(kind, error, traceback)


def producer(
    producer: Any,
    contract: Contract,
    *,
    decide: Callable[[], object] | None = None,
    signer: ContextSigner | None = None,
) -> AioCarryingProducer:
    """The aiokafka producer, wrapped: its records carry trace, ids, baggage and decisions of the request.

    producer: an `aiokafka.AIOKafkaProducer`, or whatever has its send().
    decide, signer: as for `pennon.kafka.producer`; they run in the event loop.
    """
    return AioCarryingProducer(producer, Sending(contract, decide, signer))
