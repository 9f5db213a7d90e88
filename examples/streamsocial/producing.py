"""Producing so that somebody knows when Kafka has it."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import confluent_kafka

import pennon.kafka
from pennon.headers import Contract
from pennon.signing import ContextSigner

DELIVERY_TIMEOUT_S = 5.0
POLL_S = 0.2


def to_broker() -> confluent_kafka.Producer:
    """The producer of a service that runs."""
    return confluent_kafka.Producer(
        {
            "bootstrap.servers": os.environ["KAFKA"],
            "enable.idempotence": True,
            "linger.ms": 1,
            "message.timeout.ms": int(DELIVERY_TIMEOUT_S * 1_000),
        }
    )


class Producing:
    """A producer under the contract. `with` delivers what is left at its end.

    contract: None: what is sent belongs to nobody's request. plain: whatever has the methods of a
    `confluent_kafka.Producer`. signer: for whom a record is, it signs; None where nothing is produced for anybody.
    decide: as of `pennon.kafka.producer`.
    """

    def __init__(
        self,
        contract: Contract | None,
        plain: Any,
        signer: ContextSigner | None = None,
        *,
        decide: Callable[[], object] | None = None,
    ) -> None:
        self._producer = plain
        if contract is not None:
            self._producer = pennon.kafka.producer(plain, contract, decide=decide, signer=signer)
        self._failed: list[str] = []
        self._ended = threading.Event()
        self._polls = threading.Thread(target=self._poll, name="deliveries", daemon=True)

    def __enter__(self) -> Self:
        self._polls.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush(DELIVERY_TIMEOUT_S)
        self._ended.set()
        self._polls.join(POLL_S * 2)

    async def send(self, topic: str, key: str, value: str) -> bool:
        """Whether the broker has confirmed it."""
        loop = asyncio.get_running_loop()
        confirmed: asyncio.Future[bool] = loop.create_future()

        def confirm(error: Any) -> None:
            # A request that was given up has cancelled it.
            if not confirmed.done():
                confirmed.set_result(error is None)

        def delivered(error: Any, _: object) -> None:
            # A service that ends has closed its loop.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(confirm, error)

        self._producer.produce(topic, key=key, value=value, on_delivery=delivered)
        return await confirmed

    def put(self, topic: str, key: str, value: str) -> None:
        """Send it; `settle` tells whether it arrived."""
        self._producer.produce(topic, key=key, value=value, on_delivery=self._put_delivered)

    def settle(self) -> None:
        """Wait until everything that was put is confirmed. Raises: RuntimeError if something was not."""
        left_count = self._producer.flush(DELIVERY_TIMEOUT_S)
        failed, self._failed = self._failed, []
        if left_count or failed:
            raise RuntimeError(f"Kafka did not confirm {left_count + len(failed)} records: {failed[:3]}")

    def _put_delivered(self, error: Any, _: object) -> None:
        if error is not None:
            self._failed.append(str(error))

    def _poll(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(POLL_S)
