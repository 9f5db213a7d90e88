"""Counts what the traffic came to, for the line in the terminal."""

import threading
import time
from collections import Counter, deque

from streamsocial.traffic import Action

# Latencies are those of so many actions before now.
RECENT_COUNT = 1_000


class Tally:
    """Live counters."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._latencies_s: deque[float] = deque(maxlen=RECENT_COUNT)
        self._began_s = time.monotonic()
        self._seen = (self._began_s, 0)
        self.experiment: dict[str, dict[str, int]] = {}

    def add(self, action: Action, status: int, attempts_count: int, took_s: float) -> None:
        """An action is over."""
        with self._lock:
            self._counts["actions"] += 1
            self._counts["again"] += attempts_count - 1
            self._counts[action.kind] += 1
            if status not in action.allowed:
                self._counts["failed"] += 1
            elif status >= 400:
                self._counts["refused"] += 1
            if action.kind != "hostile" and status < 400:
                self._latencies_s.append(took_s)

    def facts(self) -> dict[str, float]:
        """All counts, actions a second since the last call, and the latencies in milliseconds."""
        with self._lock:
            counts, latencies_s = dict(self._counts), sorted(self._latencies_s)
            now_s, actions_count = time.monotonic(), self._counts["actions"]
            per_s = (actions_count - self._seen[1]) / max(now_s - self._seen[0], 0.001)
            self._seen = (now_s, actions_count)
        facts: dict[str, float] = {"per_s": round(per_s, 1), **counts}
        if latencies_s:
            facts["p50_ms"] = round(latencies_s[len(latencies_s) // 2] * 1000, 1)
            facts["p99_ms"] = round(latencies_s[len(latencies_s) * 99 // 100] * 1000, 1)
        return facts

    def line(self) -> str:
        """The same for people."""
        facts = self.facts()
        kinds = "  ".join(f"{kind} {facts.get(kind, 0):,.0f}" for kind in ("post", "comment", "like", "read", "look"))
        trouble = f"again {facts.get('again', 0):,.0f}  failed {facts.get('failed', 0):,.0f}"
        bad = f"hostile {facts.get('hostile', 0):,.0f} (refused {facts.get('refused', 0):,.0f})"
        speed = f"{facts['per_s']:5.1f}/s  p50 {facts.get('p50_ms', 0):.0f} ms  p99 {facts.get('p99_ms', 0):.0f} ms"
        return f"{speed}  {kinds}  {bad}  {trouble}{self._experiment()}"

    def _experiment(self) -> str:
        arms = (f"{name} {arm['likes'] / max(arm['exposed'], 1):.2f}" for name, arm in self.experiment.items())
        told = "  ".join(arms)
        return f"  likes per reader: {told}" if told else ""
