"""The valve of a door: late requests are refused, but never so many that the refusing is the outage."""

from enum import Enum
from threading import Lock

from pennon.context import Deadline
from pennon.headers import DeadlinePolicy
from pennon.headers.deadline import Valve
from pennon.headers.times import S_NS


class Lateness(Enum):
    """What becomes of a request that is late."""

    SPARED = "spared"
    """So many were refused already that it is served."""
    REFUSED = "refused"


class DeadlineValve:
    """What one door has seen in the last seconds; for all its threads."""

    __slots__ = ("_floor_ns", "_in_time_count", "_lock", "_max_share", "_second", "_valve")

    def __init__(self, policy: DeadlinePolicy) -> None:
        self._floor_ns = round(policy.floor_s * S_NS)
        self._max_share = policy.max_refused_share
        self._valve = Valve()
        # Requests in time, nearly all there are, wait to be told to the valve until it is asked.
        self._second = 0
        self._in_time_count = 0
        self._lock = Lock()

    def lateness(self, deadline: Deadline, monotonic_ns: int) -> Lateness | None:
        """Of one more request, which is counted with this; None: it is in time."""
        is_late = deadline.due_ns - monotonic_ns < self._floor_ns
        with self._lock:
            second = monotonic_ns // S_NS
            if second != self._second or is_late:
                self._valve = self._valve.seeing(self._second, self._in_time_count)
                self._second, self._in_time_count = second, 0
            if not is_late:
                self._in_time_count += 1
                return None
            self._valve, is_refused = self._valve.after(monotonic_ns, is_late=True, max_share=self._max_share)
        return Lateness.REFUSED if is_refused else Lateness.SPARED
