"""What a client holds: its replica, what it answers from, and how current that is.

1. Readers take `live` once per call and lock nothing; `status` and `detail` are single values.
2. Whoever writes holds the lock: the follower, the courier, `close`, and `pennon.testing.flags`.
3. Listeners are told after the lock is given back, by the thread that made the change; what they raise is swallowed.
4. Fixed answers (`pennon.testing.flags`) lie over the replica and its status; the replica goes on beneath them.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from threading import Condition

from pennon.client.live import Live
from pennon.client.status import Change, Notice, Status
from pennon.counters import Count, count
from pennon.flags import FlagRecord, Ruleset, RulesetRecord
from pennon.sync import EMPTY, BreakGlass, Delta, Effect, Kill, Message, Replica, expired, receive

Listener = Callable[[Notice], None]


class State:
    """See the module."""

    __slots__ = (
        "__weakref__", "_changed", "_fixed", "_listeners", "_own_status", "coarse_now_ns", "detail", "live", "replica"
    )  # fmt: skip

    def __init__(self, fixed: Ruleset | None, now_ns: int) -> None:
        self._changed = Condition()
        self._listeners: tuple[Listener, ...] = ()
        self._fixed = fixed
        self._own_status = Status.NOT_READY
        self.detail = "connecting"
        self.replica: Replica = EMPTY
        self.live = Live(fixed)
        # The wall clock, set by the courier every second or so.
        self.coarse_now_ns = now_ns

    @property
    def status(self) -> Status:
        """What callers are told."""
        is_fixed = self._fixed is not None and self._own_status is not Status.CLOSED
        return Status.READY if is_fixed else self._own_status

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called; it stays so."""
        return self._own_status is Status.CLOSED

    def listen(self, listener: Listener) -> None:
        """Tell it of every change from now on, until `forget`."""
        with self._changed:
            self._listeners = (*self._listeners, listener)

    def forget(self, listener: Listener) -> None:
        """Tell it no more."""
        with self._changed:
            self._listeners = tuple(held for held in self._listeners if held is not listener)

    def wait_ready(self, timeout_s: float) -> bool:
        """Whether there is something to answer from, now or within timeout_s."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_closed or self.live.ruleset is not None, timeout_s)
            return not self.is_closed and self.live.ruleset is not None

    def take(self, message: Message) -> Effect:
        """Give the replica a message; what it did. The new answers hold from the moment this returns."""
        with self._changed:
            before = self.replica
            self.replica, effect = receive(before, message)
            has_changed = self.replica is not before
            if has_changed:
                self._publish()
        if effect is Effect.RESYNC:
            count(Count.REPLICA_RESYNCS)
        if has_changed and before.ruleset is not None:
            self._tell(Notice(Change.CONFIGURATION_CHANGED, _changed_flags(before, self.replica, message)))
        return effect

    @property
    def expires_s(self) -> int | None:
        """When the first of the break-glass kills that hold now ends, since 1970; None if there is none."""
        return min((kill.until_s for kill in self.replica.emergencies.values()), default=None)

    def expire(self, now_s: int) -> None:
        """End the break-glass kills whose time is over. now_s: since 1970."""
        if not self.replica.emergencies:
            return
        with self._changed:
            before = self.replica
            self.replica = expired(before, now_s)
            has_changed = self.replica is not before
            if has_changed:
                self._publish()
        if has_changed:
            self._tell(Notice(Change.CONFIGURATION_CHANGED))

    def heard(self, detail: str) -> None:
        """The server has been heard, and what is held is what it holds."""
        with self._changed:
            self.detail = detail
            has_begun = self._own_status in {Status.NOT_READY, Status.STALE} and self.replica.ruleset is not None
            if has_begun:
                self._own_status = Status.READY
        if has_begun:
            self._tell(Notice(Change.READY, detail=detail))

    def lost(self, detail: str, *, is_refused: bool = False) -> None:
        """The server cannot be heard. is_refused: it answers, but not to us; waiting will hardly help."""
        with self._changed:
            if self.is_closed:
                return
            is_new = detail != self.detail
            self.detail = detail
            has_gone_stale = self._own_status is Status.READY
            if has_gone_stale:
                self._own_status = Status.STALE
        if has_gone_stale:
            self._tell(Notice(Change.STALE, detail=detail))
        if is_refused and is_new:
            self._tell(Notice(Change.ERROR, detail=detail))

    def fix(self, fixed: Ruleset | None) -> None:
        """Answer from these values, whatever is held; None: from what is held again."""
        with self._changed:
            self._fixed = fixed
            self._publish()
        self._tell(Notice(Change.CONFIGURATION_CHANGED))

    def close(self) -> bool:
        """Answer defaults from now on; False if that is so already."""
        with self._changed:
            if self.is_closed:
                return False
            self._own_status = Status.CLOSED
            self.detail = "closed"
            self._publish()
            return True

    def after_fork(self) -> None:
        """In the child: nobody here holds the parent's lock, and nobody here hears the server yet."""
        self._changed = Condition()
        if self._own_status is Status.READY:
            self._own_status = Status.STALE
        self.detail = "forked; connecting"

    def _publish(self) -> None:
        self.live = Live(None if self.is_closed else self._fixed or self.replica.ruleset)
        self._changed.notify_all()

    def _tell(self, notice: Notice) -> None:
        for listener in self._listeners:
            # A listener is the user's or OpenFeature's code; its fault must not end the thread that follows.
            with suppress(Exception):
                listener(notice)


def _changed_flags(before: Replica, after: Replica, message: Message) -> tuple[str, ...] | None:
    """The flags that may answer otherwise now; None: any."""
    if after.ruleset is None:
        return None
    records = after.ruleset.records
    match message:
        case Delta():
            # Segments reach into any flag, and so does the end of a break-glass kill.
            is_contained = not (message.put.segments or message.delete.segments or message.put.reconciled)
            return _with_dependents([*message.put.flags, *message.delete.flags], records) if is_contained else None
        case Kill() | BreakGlass():
            return _with_dependents([key for key, record in records.items() if record.id == message.flag], records)
        case RulesetRecord() if before.ruleset is not None:
            return _differences(before.ruleset, after.ruleset)
    return None


def _differences(before: Ruleset, after: Ruleset) -> tuple[str, ...] | None:
    if before.segments != after.segments:
        return None
    keys = {**before.records, **after.records}
    changed = [key for key in keys if before.records.get(key) != after.records.get(key)]
    return _with_dependents(changed, after.records)


def _with_dependents(keys: Iterable[str], records: Mapping[str, FlagRecord]) -> tuple[str, ...]:
    """These flags, and those that need one of them, at any remove."""
    reached = dict.fromkeys(keys)
    reaches_more = True
    while reaches_more:
        more = [
            key
            for key, record in records.items()
            if key not in reached and any(needed.flag in reached for needed in record.prerequisites)
        ]
        reached.update(dict.fromkeys(more))
        reaches_more = bool(more)
    return tuple(reached)
