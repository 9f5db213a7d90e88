"""How clients come to be, and what this process does to all of them: fork, exit, fixed answers for tests."""

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final, TypeVar
from weakref import WeakSet

from pennon import otel
from pennon.client import fixed
from pennon.client.client import Client
from pennon.client.link import Link
from pennon.client.outlets import Sink
from pennon.client.service import service_of
from pennon.client.spans import Spans
from pennon.client.spool_files import root_of
from pennon.client.state import State
from pennon.client.target import Target, missing, target_of
from pennon.client.timing import Timing
from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.errors import Fault, SettingInvalid
from pennon.flags import Ruleset

# Weak, so that a client that nobody holds any more can say that it was not closed.
_clients: Final[WeakSet[Client]] = WeakSet()
_states: Final[WeakSet[State]] = WeakSet()
_links: Final[WeakSet[Link]] = WeakSet()

_Setting = TypeVar("_Setting")


def connect(
    url: str | None = None,
    *,
    token: str | None = None,
    spans: bool | None = None,
    timing: Timing | None = None,
    sinks: Sequence[Sink] = (),
    divergence: float = 0.01,
    service: str | None = None,
    spool: str | os.PathLike[str] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> Client:
    """A client that follows this server from now on. Returns at once; `wait_ready` waits for the first ruleset.

    url, token: else PENNON_SERVER and PENNON_TOKEN. token: an environment's, `pn_sdk_...`.
    spans: None puts what each request decides first on OpenTelemetry's current span, True every evaluation, False none.
    sinks: each is called with every batch of exposures, beside the server, in the client's own thread: it must return
        soon. One that raises is given the batch again later; a batch may hence come twice, with the same ids.
    divergence: the share, in [0, 1], of carried decisions that are compared with what this process would say.
    service: what this service is called in its reports; else OpenTelemetry's OTEL_SERVICE_NAME, else the service.name
        of OTEL_RESOURCE_ATTRIBUTES, else "unknown_service".
    spool: a directory in which exposures outlive a process that is killed; whoever follows the same environment with
        the same spool delivers them. Made if it is not there. None: they wait in memory.
    Raises: SettingInvalid with every fault of url, token, divergence, service and spool.
    """
    target, name, root = _checked(url, token, divergence, service, spool)
    otel.export_counters()
    with fixed.lock:
        block = fixed.current_block()
        if target is None and block is None:
            raise missing()
        state = State(block, clock.now_ns())
        link = None
        if target is not None:
            link = Link(target, state, timing or Timing(), clock, sinks=tuple(sinks), service=name, spool=root)
        client = Client(
            state,
            link,
            clock,
            spans=Spans.of(spans),
            divergence=divergence,
            # Not the system's randomness, whose every number is a system call: this one draws a sample, no secret.
            sample=Random().random,  # noqa: S311
        )
        _clients.add(client)
        _states.add(state)
        if link is not None:
            _links.add(link)
            if block is None:
                link.start()
    return client


def _checked(
    url: str | None, token: str | None, divergence: object, service: object, spool: object
) -> tuple[Target | None, str, Path | None]:
    """Where to connect to, as whom, and where exposures are kept. Raises: SettingInvalid with every fault."""
    faults: list[Fault] = []
    target = _tried(lambda: target_of(url, token, os.environ), faults)
    if not (isinstance(divergence, int | float) and not isinstance(divergence, bool) and 0 <= divergence <= 1):
        faults.append(Fault("divergence", f"{divergence!r} is not a share; must be a number from 0 to 1"))
    name = _tried(lambda: service_of(service, os.environ), faults)
    root = _tried(lambda: root_of(spool), faults)
    if faults or name is None:
        raise SettingInvalid(faults)
    return target, name, root


def _tried(read: Callable[[], _Setting], faults: list[Fault]) -> _Setting | None:
    """What it reads; None if that is unusable, with its faults added."""
    try:
        return read()
    except SettingInvalid as invalid:
        faults += invalid.faults
        return None


@contextmanager
def answering(ruleset: Ruleset) -> Iterator[None]:
    """Let every client answer from this ruleset; those made in the block begin to follow at its end."""
    with fixed.lock:
        fixed.begin(ruleset)
        _apply(ruleset)
    try:
        yield
    finally:
        with fixed.lock:
            fixed.end(ruleset)
            _apply(fixed.current_block())


def _apply(block: Ruleset | None) -> None:
    for state in tuple(_states):
        state.fix(block)
    if block is None:
        for link in tuple(_links):
            link.start()


def _after_fork_in_child() -> None:
    fixed.lock.release()
    for state in tuple(_states):
        state.after_fork()
    for link in tuple(_links):
        link.after_fork()


def _close_all() -> None:
    for client in tuple(_clients):
        client.close()


# The lock is held over the fork, or a child could inherit it from a thread that does not exist there.
os.register_at_fork(before=fixed.lock.acquire, after_in_parent=fixed.lock.release, after_in_child=_after_fork_in_child)
# Exposures that still wait leave before the process does.
atexit.register(_close_all)
