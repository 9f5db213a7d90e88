"""How a service of StreamSocial runs and ends: the one place that knows about signals and deadlines.

SIGTERM or SIGINT asks for the end. Then, in this order and within DEADLINE_S: no new work is taken; what is in flight
is finished; offsets are committed and the group is left; exposures, records and spans that wait are sent. A second
signal ends the process at once, and so does the deadline.
"""

import gc
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import confluent_kafka

from pennon.headers import Contract
from pennon.logs import ContextFilter
from streamsocial.spans import recorded
from streamsocial.telling import say, tell

# Below the 10 s that the demo, and the 30 s that orchestrators, wait before SIGKILL.
DEADLINE_S = 8
# Of these, what requests in flight may take.
IN_FLIGHT_S = 4

POLL_S = 0.2
BATCH_COUNT = 100
# How much comes twice after SIGKILL, against a round trip to the broker for each batch.
COMMIT_S = 0.5
# What needs a service that restarts is tried again after this.
AGAIN_S = 0.2


LOG_FORMAT = "%(levelname)s %(name)s request=%(request_id)s tenant=%(tenant)s actor=%(actor)s %(message)s"


class NotNow(Exception):
    """A record could not be handled because something it needs is away; it is to be handled again."""


class Ending:
    """Whether the end was asked for."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.asked = threading.Event()

    def ask(self, number: int, _frame: object = None) -> None:
        """A signal came."""
        if self.asked.is_set():
            os._exit(128 + number)
        self.asked.set()
        # The kernel keeps the deadline: SIGALRM ends the process, whatever hangs.
        signal.alarm(DEADLINE_S)


@contextmanager
def service(name: str, contract: Contract | None = None) -> Iterator[Ending]:
    """The life of a service: signals are heard, spans recorded; what was opened inside is closed before its end.

    contract: what log lines may say of a request; None: nothing.
    """
    ending = Ending(name)
    if contract is not None:
        log_under(contract)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ending.ask)
    with recorded(name):
        yield ending


def log_under(contract: Contract) -> None:
    """Every line says which request it is about, whose it is in a form that gives nobody away, and nothing secret."""
    handler = logging.StreamHandler()
    handler.addFilter(ContextFilter(contract))
    handler.setFormatter(logging.Formatter(LOG_FORMAT, defaults=dict.fromkeys(("request_id", "tenant", "actor"), "-")))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


def serve(app: Any, ending: Ending) -> None:
    """Serve HTTP until the end, then finish the requests in flight.

    The socket comes from whoever started us and outlives us: who calls while we restart waits, and is not refused.
    """
    # Imported here: a consumer has no use for it.
    import uvicorn

    class Server(uvicorn.Server):
        def handle_exit(self, sig: int, frame: Any) -> None:
            # In place of uvicorn's own, which would end the process by this signal before the rest is sent.
            ending.ask(sig, frame)
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            say("ready", ending.service)

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=IN_FLIGHT_S,
    )
    # What was imported stays: collecting garbage need not look at it again and again.
    gc.freeze()
    Server(config).run(sockets=[socket.socket(fileno=int(os.environ["LISTEN_FD"]))])


Handle = Callable[[confluent_kafka.Message], None]


def consume(topics: Sequence[str], handle: Handle, ending: Ending, *, settle: Callable[[], None] | None = None) -> None:
    """Handle records until the end, each at least once.

    handle: one record, here and now; raises NotNow to be given it again. settle: returns when what handling produced is
    confirmed, and raises if it never will be. Only then are offsets committed: killed at any moment, a service is given
    some records twice and none too few.
    """
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": os.environ["KAFKA"],
            "group.id": f"streamsocial.{ending.service}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # For so long the partitions of a member that was killed are kept for it.
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 1_000,
        }
    )
    gc.freeze()
    offsets = _Offsets(consumer)
    consumer.subscribe(
        list(topics), on_assign=lambda *_: say("ready", ending.service), on_revoke=lambda *_: offsets.commit()
    )
    while not ending.asked.is_set():
        done = _handled(_batch(consumer), handle, ending)
        if done:
            if settle is not None:
                settle()
            for record in done:
                consumer.store_offsets(record)
                place = {"topic": record.topic(), "partition": record.partition(), "offset": record.offset()}
                tell("did", ending.service, **place)
            offsets.are_stored = True
        if time.monotonic() >= offsets.commit_at_s:
            offsets.commit()
    offsets.commit()
    # Leaves the group, so that another member need not wait for us.
    consumer.close()


class _Offsets:
    """Of what is done, and not committed yet."""

    def __init__(self, consumer: confluent_kafka.Consumer) -> None:
        self._consumer = consumer
        self.are_stored = False
        self.commit_at_s = 0.0

    def commit(self) -> None:
        """Commit them, and wait until they are."""
        if self.are_stored:
            self._consumer.commit(asynchronous=False)
            self.are_stored = False
        self.commit_at_s = time.monotonic() + COMMIT_S


def _batch(consumer: confluent_kafka.Consumer) -> list[confluent_kafka.Message]:
    """What is there, as soon as anything is."""
    first = consumer.poll(POLL_S)
    if first is None:
        return []
    return [record for record in (first, *consumer.consume(BATCH_COUNT - 1, 0)) if record.error() is None]


def _handled(records: list[confluent_kafka.Message], handle: Handle, ending: Ending) -> list[confluent_kafka.Message]:
    """The records that were handled: all, or those before the end was asked for."""
    for count, record in enumerate(records):
        while not ending.asked.is_set():
            try:
                handle(record)
                break
            except NotNow:
                ending.asked.wait(AGAIN_S)
        else:
            return records[:count]
    return records
