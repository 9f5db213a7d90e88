"""The valve of a door: late requests are refused, but never so many that the refusing is the outage."""

from enum import Enum
from threading import Lock

from pennon.context import Deadline
from pennon.headers import DeadlinePolicy
from pennon.headers.deadline import Valve, is_late


class Lateness(Enum):
    """What a request's deadline means for it."""

    IN_TIME = "in_time"
    SPARED = "spared"
    """It is late, and so many were refused already that it is served."""
    REFUSED = "refused"


class DeadlineValve:
    """What one door has seen in the last seconds; for all its threads."""

    __slots__ = ("_floor_s", "_lock", "_max_share", "_valve")

    def __init__(self, policy: DeadlinePolicy) -> None:
        self._floor_s = policy.floor_s
        self._max_share = policy.max_refused_share
        self._valve = Valve()
        self._lock = Lock()

    def lateness(self, deadline: Deadline, monotonic_ns: int) -> Lateness:
        """Of one more request, which is counted with this."""
        late = is_late(deadline, monotonic_ns, floor_s=self._floor_s)
        with self._lock:
            self._valve, is_refused = self._valve.after(monotonic_ns, is_late=late, max_share=self._max_share)
        if not late:
            return Lateness.IN_TIME
        return Lateness.REFUSED if is_refused else Lateness.SPARED
