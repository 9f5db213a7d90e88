"""The control plane as the page needs it: one environment of one project, asked and changed with the app's own token.

Raises, wherever it asks: `Refused` and `DocumentInvalid` as the control plane said, `Unreachable` if it did not answer.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self
from urllib.parse import quote

import httpx
import msgspec

from pennon import errors
from pennon.journeys.authoring import patch_of_ramp, shown

# A person waits for the answer.
CALL_TIMEOUT_S: Final = 5.0
# More do not fit a page; a project of thousands has other places to be edited.
FLAGS_LIMIT_COUNT: Final = 100
# Settings read at once: as many as the control plane has threads for authors.
_READS_LIMIT_COUNT: Final = 4

_BY_CODE: Final[Mapping[str, type[errors.Refused]]] = {leaf.code: leaf for leaf in errors.Refused.__subclasses__()}
_REASON: Final = "from the journeys page"
_COMPARED: Final = ("service", "flag", "cause", "count")


class Resource(msgspec.Struct, frozen=True):
    """A document and the version it was read at (its ETag)."""

    document: dict[str, Any]
    etag: str | None


class ControlPlane:
    """See the module. Use it in `async with`. transport: for tests."""

    def __init__(
        self,
        server: str,
        *,
        token: str,
        project: str = "default",
        environment: str = "production",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._project = f"/v1/projects/{_segment(project)}"
        self._environment_key = environment
        self._environment = f"{self._project}/environments/{_segment(environment)}"
        # trust_env: a proxy for the world is none for a server that was named by its address.
        self._http = httpx.AsyncClient(
            base_url=server,
            headers={"authorization": f"Bearer {token}"},
            timeout=CALL_TIMEOUT_S,
            transport=transport,
            trust_env=False,
        )
        self._reads = asyncio.Semaphore(_READS_LIMIT_COUNT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def position(self) -> tuple[int, int]:
        """Epoch and revision of the environment; the same as before means that nothing was changed."""
        listed = await self._call("GET", f"{self._project}/environments")
        with _in_our_words():
            for each in listed.document["items"]:
                if each["key"] == self._environment_key:
                    return each["epoch"], each["revision"]
        raise errors.NotFound(f"the project has no environment {self._environment_key!r}")

    async def listing(self) -> list[dict[str, Any]]:
        """The project's flags by key, at most `FLAGS_LIMIT_COUNT`, as the page lists them."""
        flags, exposures = await asyncio.gather(
            self._call("GET", f"{self._project}/flags", params={"limit": FLAGS_LIMIT_COUNT}),
            self._call("GET", f"{self._environment}/exposures"),
        )
        with _in_our_words():
            keys = [flag["key"] for flag in flags.document["items"]]
        settings = await asyncio.gather(*map(self._read, keys))
        with _in_our_words():
            counts = exposures.document["items"]
            pairs = zip(flags.document["items"], settings, strict=True)
            return [shown(flag, read.document, read.etag, counts) for flag, read in pairs]

    async def divergence(self, since_ms: int) -> list[dict[str, Any]]:
        """How often which service's sampled comparisons about which flag came out how; since_ms: since 1970."""
        listed = await self._call("GET", f"{self._environment}/divergence", params={"since_ms": since_ms})
        with _in_our_words():
            return [{name: each[name] for name in _COMPARED} for each in listed.document["items"]]

    async def ramp(self, flag: str, percent: float) -> dict[str, Any]:
        """The settings after the fallthrough covers this share of its units."""
        document = (await self._call("GET", f"{self._project}/flags/{_segment(flag)}")).document
        with _in_our_words():
            return await self._edit(flag, lambda settings: patch_of_ramp(document, settings, percent))

    async def switch(self, flag: str, *, is_on: bool) -> dict[str, Any]:
        """The settings after rules and fallthrough are followed, or not."""
        return await self._edit(flag, lambda _: {"on": is_on})

    async def kill(self, flag: str) -> dict[str, Any]:
        """The settings after the off variant is served, carried decisions included."""
        await self._call("PUT", f"{self._flag(flag)}/kill", json={"reason": _REASON})
        return (await self._read(flag)).document

    async def unkill(self, flag: str) -> dict[str, Any]:
        """The settings after a kill was taken back."""
        await self._call("DELETE", f"{self._flag(flag)}/kill", json={"reason": _REASON})
        return (await self._read(flag)).document

    async def _edit(self, flag: str, patch_of: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        """Patch what is read now; once more if somebody else was faster."""
        try:
            return await self._patch(flag, patch_of)
        except errors.PreconditionFailed:
            return await self._patch(flag, patch_of)

    async def _patch(self, flag: str, patch_of: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, Any]:
        settings = await self._read(flag)
        body = msgspec.json.encode({**patch_of(settings.document), "reason": _REASON})
        headers = {"content-type": "application/merge-patch+json", "if-match": settings.etag or ""}
        return (await self._call("PATCH", self._flag(flag), content=body, headers=headers)).document

    async def _read(self, flag: str) -> Resource:
        async with self._reads:
            return await self._call("GET", self._flag(flag))

    def _flag(self, flag: str) -> str:
        return f"{self._environment}/flags/{_segment(flag)}"

    async def _call(self, method: str, path: str, **request: Any) -> Resource:
        try:
            response = await self._http.request(method, path, **request)
            document = response.json()
        except httpx.HTTPError as error:
            raise errors.Unreachable(f"the control plane does not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise errors.Unreachable("the control plane's answer is not JSON") from error
        if response.is_success:
            return Resource(document, response.headers.get("etag"))
        raise _refusal_of(document, response.status_code)


@contextmanager
def _in_our_words() -> Iterator[None]:
    """Read an answer that may be somebody else's. Raises: Unreachable if it has not the members of ours."""
    try:
        yield
    except (KeyError, TypeError, AttributeError) as error:
        raise errors.Unreachable(f"the control plane's answer lacks what is asked for: {error}") from error


def _segment(key: str) -> str:
    # "." and ".." would be taken for steps in the path.
    return quote(key, safe="").replace(".", "%2E")


def _refusal_of(problem: Any, status: int) -> errors.PennonError:
    try:
        code, detail, faults = problem["code"], problem.get("detail") or problem["title"], problem.get("faults", ())
        if faults:
            return errors.DocumentInvalid(errors.Fault(fault["path"], fault["message"]) for fault in faults)
    except (KeyError, TypeError):
        return errors.Unreachable(f"the control plane answered {status}, not in pennon's words")
    if code in {errors.TokenRefused.code, errors.Forbidden.code}:
        # The page has no token to mend; it is this app's.
        return errors.Forbidden(f"the control plane refuses this app's token: {detail}")
    return _BY_CODE.get(code, errors.Refused)(detail)
