"""From PATCH to the new answer in the slowest of 50 connected clients, over real processes and loopback HTTP.

Run: python benchmarks/propagation/bench.py. Ends with 1 if the bar is missed.

The server is a process of its own over SQLite on disk; 50 real clients share this process. One change at a time: the
clock starts before the PATCH is sent and stops when the last client answers with the new variant. Also shown: what of
it was the PATCH itself.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.floor import floor_ns, keep, machine

from pennon.client import Client, connect

CLIENT_COUNT: Final = 50
CHANGE_COUNT: Final = 500
WARM_UP_COUNT: Final = 20
BAR_P99_MS: Final = 50.0
DEADLINE_S: Final = 20.0

FLAG: Final = "propagated"
_SERVE: Final = """
import sys
from pathlib import Path
from pennon.server import serve
folder = Path(sys.argv[1])
serve(port=0, database=f"sqlite:///{folder}/pennon.db", credentials=folder / "credentials",
      on_started=lambda url: print(url, flush=True))
"""


@contextmanager
def served() -> Iterator[dict[str, Any]]:
    """The credentials of a control plane of our own."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        command = [sys.executable, "-c", _SERVE, folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            assert process.stdout.readline(), Path(folder, "log").read_text(encoding="utf-8")
            yield json.loads(Path(folder, "credentials").read_text(encoding="utf-8"))
        finally:
            process.terminate()
            process.wait(DEADLINE_S)
            assert process.stdout is not None
            process.stdout.close()


class Watch:
    """Sees when every client answers with the awaited variant."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._awaited = ""
        self._missing: set[int] = set()
        self._last_ns = 0
        self._all = threading.Event()
        for number, client in enumerate(clients):
            client.listen(partial(self._look, number))

    def expect(self, variant: str) -> None:
        """From now on this variant is awaited."""
        with self._lock:
            self._awaited, self._missing = variant, set(range(len(self._clients)))
            self._all.clear()

    def slowest_ns(self) -> int:
        """When the last client answered with it."""
        if not self._all.wait(DEADLINE_S):
            sys.exit(f"{len(self._missing)} clients never answered {self._awaited!r}")
        return self._last_ns

    def _look(self, number: int, _: object) -> None:
        answer = self._clients[number].string(FLAG, default="none")
        now_ns = time.monotonic_ns()
        with self._lock:
            if answer == self._awaited and number in self._missing:
                self._missing.discard(number)
                self._last_ns = now_ns
                if not self._missing:
                    self._all.set()


def changes(admin: httpx.Client, project: str, watch: Watch, count: int) -> Iterator[tuple[int, int]]:
    """For each change: nanoseconds to the slowest client, and of the PATCH alone."""
    path = f"/v1/projects/{project}/environments/production/flags/{FLAG}"
    etag = admin.get(path).headers["etag"]
    for number in range(count):
        variant = f"v{1 + number % 2}"
        watch.expect(variant)
        began_ns = time.monotonic_ns()
        response = admin.patch(path, json={"fallthrough": {"variant": variant}}, headers={"if-match": etag})
        answered_ns = time.monotonic_ns()
        etag = response.raise_for_status().headers["etag"]
        yield watch.slowest_ns() - began_ns, answered_ns - began_ns


def percentile_ms(samples_ns: list[int], share: float) -> float:
    """The smallest sample that so large a share does not exceed."""
    ranked = sorted(samples_ns)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] / 1e6


def main() -> int:
    """Measure, print, keep; 1 if the bar is missed."""
    floor = floor_ns()
    with served() as held, ExitStack() as stack:
        headers = {"authorization": f"Bearer {held['admin']}"}
        admin = stack.enter_context(httpx.Client(base_url=held["server"], headers=headers, timeout=DEADLINE_S))
        variants = [{"key": f"v{number}", "value": f"v{number}"} for number in range(3)]
        document = {"key": FLAG, "type": "string", "variants": variants}
        admin.post(f"/v1/projects/{held['project']}/flags", json=document).raise_for_status()
        token = held["sdk"]["production"]
        clients = [stack.enter_context(connect(held["server"], token=token)) for _ in range(CLIENT_COUNT)]
        if not all(client.wait_ready(DEADLINE_S) for client in clients):
            sys.exit("a client did not become ready")
        watch = Watch(clients)
        list(changes(admin, held["project"], watch, WARM_UP_COUNT))
        slowest, patches = map(list, zip(*changes(admin, held["project"], watch, CHANGE_COUNT), strict=True))
    result = {
        "clients": CLIENT_COUNT,
        "changes": CHANGE_COUNT,
        "slowest_client_ms": {f"p{share:g}": percentile_ms(slowest, share / 100) for share in (50, 90, 99, 100)},
        "patch_ms": {f"p{share:g}": percentile_ms(patches, share / 100) for share in (50, 90, 99, 100)},
        "bar_p99_ms": BAR_P99_MS,
        "floor_ns": floor,
        "machine": machine("fastapi", "uvicorn", "uvloop", "httpx", "sqlalchemy"),
    }
    for name in ("slowest_client_ms", "patch_ms"):
        print(f"{name:20}", *(f"{share} {value:7.2f}" for share, value in result[name].items()))  # type: ignore[attr-defined]
    print(keep("propagation", result))
    return int(percentile_ms(slowest, 0.99) > BAR_P99_MS)


if __name__ == "__main__":
    sys.exit(main())
