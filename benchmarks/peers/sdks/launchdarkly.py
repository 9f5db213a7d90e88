"""LaunchDarkly: `variation` on a client fed from a flag file, events and diagnostics off."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.floor import Job
from benchmarks.peers.sdks.common import TEXT_JOB, Attributes, Document
from ldclient import Config, Context, LDClient  # type: ignore[import-not-found]
from ldclient.integrations import Files  # type: ignore[import-not-found]


class LaunchDarkly:
    """A client with the default in-memory store."""

    def __init__(self, document: Document) -> None:
        with TemporaryDirectory() as folder:
            path = Path(folder, "flags.json")
            path.write_text(json.dumps(document), encoding="utf-8")
            source = Files.new_data_source(paths=[str(path)])
            config = Config("key", update_processor_class=source, send_events=False, diagnostic_opt_out=True)
            self._client = LDClient(config, start_wait=10)

    def context(self, unit: str, attributes: Attributes) -> Any:
        """A context of the kind user."""
        builder = Context.builder(unit)
        for name, value in attributes.items():
            builder.set(name, value)
        return builder.build()

    def answer(self, job: str, context: Any) -> Any:
        """There is one call for all types."""
        return self._client.variation(job, context, "" if job == TEXT_JOB else False)

    def calls(self, job: str, contexts: Sequence[Any]) -> Job:
        """The one call."""
        client = self._client
        default: str | bool = "" if job == TEXT_JOB else False

        def run(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    client.variation(job, context, default)

        return run

    def close(self) -> None:
        """End the client."""
        self._client.close()


open_sdk = LaunchDarkly
