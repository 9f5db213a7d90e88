"""Unleash: a client bootstrapped from its cache, no polling, registration or metrics sent."""

from collections.abc import Sequence
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.floor import Job
from benchmarks.peers.sdks.common import TEXT_JOB, Attributes, Document
from UnleashClient import UnleashClient  # type: ignore[import-not-found]
from UnleashClient.cache import FileCache  # type: ignore[import-not-found]

# The moment of the question. Left out, the client asks the clock and writes it as text at every call.
NOW: Final = "2026-01-01T00:00:00+00:00"


class Unleash:
    """A client with a cache folder of its own."""

    def __init__(self, document: Document) -> None:
        self._folder = TemporaryDirectory()
        cache = FileCache("race", directory=self._folder.name)
        cache.bootstrap_from_dict(dict(document))
        self._client = UnleashClient(
            "http://127.0.0.1:9/api", "race", cache=cache, disable_metrics=True, disable_registration=True
        )
        self._client.initialize_client(fetch_toggles=False)

    def context(self, unit: str, attributes: Attributes) -> dict[str, Any]:
        """Properties are texts already, so that no call has to write them."""
        properties = {name: str(value) for name, value in attributes.items()}
        return {"userId": unit, "currentTime": NOW, "properties": properties}

    def answer(self, job: str, context: dict[str, Any]) -> Any:
        """A boolean, or the text that a variant carries."""
        if job == TEXT_JOB:
            return self._client.get_variant(job, context)["payload"]["value"]
        return self._client.is_enabled(job, context)

    def calls(self, job: str, contexts: Sequence[dict[str, Any]]) -> Job:
        """The call of the job."""
        client = self._client

        def texts(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    client.get_variant(job, context)["payload"]["value"]

        def booleans(count: int) -> None:
            for _ in range(count):
                for context in contexts:
                    client.is_enabled(job, context)

        return texts if job == TEXT_JOB else booleans

    def close(self) -> None:
        """End the client."""
        self._client.destroy()
        self._folder.cleanup()


open_sdk = Unleash
