"""Statsig: the shared instance, fed once over loopback by a server of ours, exposures switched off for each call.

The shared instance is the faster one: one made otherwise wraps each of its methods in a Python function. Specs and ID
lists are fetched over HTTP, as in production: of segments only an ID list is a hash set.
"""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from benchmarks.floor import Job
from benchmarks.peers.sdks.common import TEXT_JOB, Attributes, Document
from statsig_python_core import (  # type: ignore[import-not-found]
    FeatureGateEvaluationOptions,
    ParameterStoreEvaluationOptions,
    Statsig,
    StatsigOptions,
    StatsigUser,
)

# It asks again for specs and lists after this; longer than any race.
SYNC_MS: Final = 3_600_000


class StatsigCore:
    """An instance with its specs and ID lists."""

    def __init__(self, document: Document) -> None:
        self._fields = document["fields"]
        self._gate_options = FeatureGateEvaluationOptions(disable_exposure_logging=True)
        self._store_options = ParameterStoreEvaluationOptions(disable_exposure_logging=True)
        with _serving(document) as address:
            options = StatsigOptions(
                specs_url=f"{address}/v2/download_config_specs",
                id_lists_url=f"{address}/v1/get_id_lists",
                log_event_url=f"{address}/v1/log_event",
                enable_id_lists=True,
                disable_all_logging=True,
                disable_country_lookup=True,
                disable_disk_access=True,
                specs_sync_interval_ms=SYNC_MS,
                id_lists_sync_interval_ms=SYNC_MS,
                output_log_level="none",
            )
            self._statsig = Statsig.new_shared("secret-race", options)
            self._statsig.initialize().wait()
        details = self._statsig.get_initialize_details()
        if not (details.is_config_spec_ready and details.is_id_list_ready):
            raise RuntimeError(f"Statsig did not take its specs and ID lists: {details.failure_details}")

    def context(self, unit: str, attributes: Attributes) -> Any:
        """A user, in whose own fields go what has one."""
        native = {self._fields[name]: value for name, value in attributes.items() if name in self._fields}
        custom = {name: value for name, value in attributes.items() if name not in self._fields}
        return StatsigUser(unit, custom=custom, **native)

    def answer(self, job: str, context: Any) -> Any:
        """A gate, or the text of a dynamic config through its parameter store."""
        if job == TEXT_JOB:
            return self._statsig.get_parameter_store(context, job, self._store_options).get_string("value", "")
        return self._statsig.check_gate(context, job, self._gate_options)

    def calls(self, job: str, contexts: Sequence[Any]) -> Job:
        """The call of the job."""
        statsig, gate_options, store_options = self._statsig, self._gate_options, self._store_options

        def texts(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    statsig.get_parameter_store(context, job, store_options).get_string("value", "")

        def booleans(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    statsig.check_gate(context, job, gate_options)

        return texts if job == TEXT_JOB else booleans

    def close(self) -> None:
        """End the instance."""
        self._statsig.shutdown().wait()


@contextmanager
def _serving(document: Document) -> Iterator[str]:
    """A server for the specs, the manifest of ID lists and the lists; its address."""
    bodies = {f"/list/{key}": _id_list(keys) for key, keys in document["id_lists"].items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            body = b"{}"
            if path.startswith("/v2/download_config_specs"):
                body = json.dumps(document["specs"]).encode()
            elif path == "/v1/get_id_lists":
                body = json.dumps(self._manifest()).encode()
            elif path in bodies:
                body = bodies[path]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - named by the standard library

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _manifest(self) -> dict[str, Any]:
            return {
                key: {
                    "name": key,
                    "url": f"{address}/list/{key}",
                    "fileID": key,
                    "size": len(bodies[f"/list/{key}"]),
                    "creationTime": 1,
                }
                for key in document["id_lists"]
            }

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield address
        finally:
            server.shutdown()
            thread.join()


def _id_list(keys: Sequence[str]) -> bytes:
    """A list as it is downloaded: a line for each key, a plus and eight letters of its digest."""
    digests = (base64.b64encode(hashlib.sha256(key.encode()).digest()).decode()[:8] for key in keys)
    return "".join(f"+{digest}\n" for digest in digests).encode()


open_sdk = StatsigCore
