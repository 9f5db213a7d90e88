"""Sends the traffic to the gateway, as browsers and bad clients would, and tries again what was not answered."""

import json
import queue
import threading
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException

from streamsocial.tally import Tally
from streamsocial.traffic import Action, Traffic

# As many people wait for an answer at once.
WORKERS_COUNT = 16
# More actions than this wait only if the gateway is away; then people come back later.
WAITING_COUNT = 64
TIMEOUT_S = 8.0
# A service that was killed is back long before.
GIVE_UP_S = 30.0
PAUSE_S = 0.1
PAUSE_CAP_S = 1.0
# A service is away, or took too long because it has just come back.
AWAY = frozenset({503, 504})
# What is only read; everything else is a POST.
PATHS = {"read": "/feed", "look": "/profiles/user-{action.account}"}

Answered = Callable[[Action, int, int, float], None]


class Sending:
    """Traffic at a rate, from a pool of threads.

    begun: an action is sent for the first time. answered: with which status, at which try, after how many
    seconds; status 0 if never.
    """

    def __init__(
        self,
        traffic: Traffic,
        gateway: str,
        tally: Tally,
        *,
        begun: Callable[[Action], None],
        answered: Answered,
    ) -> None:
        self._traffic = traffic
        self._gateway = gateway
        self._tally = tally
        self._begun = begun
        self._answered = answered
        self._waiting: queue.Queue[Action | None] = queue.Queue(WAITING_COUNT)
        self._drawing = threading.Lock()

    def run(self, rate: float, stopping: threading.Event, until_s: float | None) -> None:
        """Until told to stop or the time (monotonic) is over, and everything is answered."""
        workers = [threading.Thread(target=self._work, name=f"client-{number}") for number in range(WORKERS_COUNT)]
        for worker in workers:
            worker.start()
        due_s = time.monotonic()
        while not stopping.wait(max(0.0, due_s - time.monotonic())) and (until_s is None or due_s < until_s):
            with self._drawing:
                action = self._traffic.next()
            self._waiting.put(action)
            # Those who could not be sent in time are not sent all at once afterwards.
            due_s = max(due_s + 1 / rate, time.monotonic() - 1.0)
        for _ in workers:
            self._waiting.put(None)
        for worker in workers:
            worker.join()

    def _work(self) -> None:
        connection = HTTPConnection(self._gateway, timeout=TIMEOUT_S)
        while (action := self._waiting.get()) is not None:
            following: Action | None = action
            while following is not None:
                following = self._do(connection, following)
        connection.close()

    def _do(self, connection: HTTPConnection, action: Action) -> Action | None:
        """Do it; what follows from it, if anything does."""
        self._begun(action)
        began_s = time.monotonic()
        status, body, attempts_count = 0, b"", 0
        while status in (0, *AWAY) and time.monotonic() - began_s < GIVE_UP_S:
            if attempts_count:
                threading.Event().wait(min(PAUSE_S * 2**attempts_count, PAUSE_CAP_S))
            attempts_count += 1
            try:
                status, body = _exchange(connection, action)
            except (OSError, HTTPException):
                connection.close()
                status = 0
        took_s = time.monotonic() - began_s
        self._tally.add(action, status, attempts_count, took_s)
        self._answered(action, status, attempts_count, took_s)
        if action.kind != "read" or status != 200:
            return None
        with self._drawing:
            return self._traffic.after(action, json.loads(body)["ranking"])


def _exchange(connection: HTTPConnection, action: Action) -> tuple[int, bytes]:
    """Status and body of one try."""
    body = b""
    if action.kind in PATHS:
        connection.putrequest("GET", PATHS[action.kind].format(action=action), skip_accept_encoding=True)
    else:
        kind = "post" if action.kind == "hostile" else action.kind
        written = {"id": action.id, "kind": kind, "text": action.text, "reaction": action.reaction}
        body = json.dumps(written).encode()
        connection.putrequest("POST", "/posts", skip_accept_encoding=True)
        connection.putheader("content-type", "application/json")
        connection.putheader("content-length", str(len(body)))
    names = {name for name, _ in action.headers}
    if "authorization" not in names:
        connection.putheader("authorization", f"Bearer session-{action.account}")
    # As the load balancer before the gateway would pass them on.
    connection.putheader("x-forwarded-for", f"203.0.113.{action.account % 250}")
    if "x-correlation-id" not in names:
        connection.putheader("x-correlation-id", action.id)
    for name, value in action.headers:
        connection.putheader(name, value)
    connection.endheaders(body)
    response = connection.getresponse()
    return response.status, response.read()
