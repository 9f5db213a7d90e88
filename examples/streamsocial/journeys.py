"""Joins what the services tell into journeys: one user action over all its hops."""

from dataclasses import dataclass, field
from typing import Any

HOPS = ("gateway", "posts", "feed")

# An action that never reaches its last hop must not be held for ever; at 50 a second this is more than a minute.
OPEN_LIMIT_COUNT = 4_000


@dataclass(slots=True)
class Journey:
    """One action. began_s: when the traffic sent it, seconds since 1970."""

    id: str
    user: str
    began_s: float
    hops: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def duration_ms(self) -> float:
        """From the sending to the last hop."""
        return (max(float(hop["at_s"]) for hop in self.hops.values()) - self.began_s) * 1000

    def as_event(self) -> dict[str, Any]:
        """For programs."""
        hops = [
            {"service": name, **{key: self.hops[name][key] for key in ("variant", "reason", "at_s")}} for name in HOPS
        ]
        event = {"event": "journey", "id": self.id, "user": self.user, "began_s": self.began_s, "hops": hops}
        return event | {"ms": round(self.duration_ms, 1)}


class Journeys:
    """The open ones, by id."""

    def __init__(self) -> None:
        self._open: dict[str, Journey] = {}

    def begin(self, journey: Journey) -> None:
        """An action was sent."""
        if len(self._open) >= OPEN_LIMIT_COUNT:
            del self._open[next(iter(self._open))]
        self._open[journey.id] = journey

    def told(self, hop: dict[str, Any]) -> Journey | None:
        """A service told of a hop; the journey, if that was the last one missing."""
        journey = self._open.get(hop["journey"] or "")
        if journey is None:
            return None
        journey.hops.setdefault(hop["service"], hop)
        return self._open.pop(journey.id) if len(journey.hops) == len(HOPS) else None
