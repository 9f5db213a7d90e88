"""The control plane's authoring API as the commands ask it: one call a method, problem responses as our errors."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from pennon import errors
from pennon.cli.settings import Target

# A person waits for the answer: longer than a commit that syncs to a slow disk, short enough to say "unreachable".
CALL_TIMEOUT_S: Final = 10.0

_NO_QUERY: Final[Mapping[str, Any]] = {}
_BY_CODE: Final[Mapping[str, type[errors.Refused]]] = {leaf.code: leaf for leaf in errors.Refused.__subclasses__()}


class Resource(msgspec.Struct, frozen=True):
    """A document and the version it was read at (its ETag)."""

    document: dict[str, Any]
    etag: str | None


class Api:
    """One project of one control plane. Raises `Refused` and `DocumentInvalid` as the server said, `Unreachable`."""

    def __init__(self, target: Target) -> None:
        self.project = target.project
        self._project = f"/v1/projects/{quote(target.project, safe='')}"
        self._http = httpx.Client(
            base_url=target.server,
            headers={"authorization": f"Bearer {target.token}"},
            timeout=CALL_TIMEOUT_S,
        )

    def environments(self) -> list[dict[str, Any]]:
        """The project's environments, oldest first."""
        return list(self._pages(f"{self._project}/environments"))

    def flags(self) -> Iterator[dict[str, Any]]:
        """Every flag of the project, page by page."""
        return self._pages(f"{self._project}/flags")

    def flag(self, flag: str) -> Resource:
        """What the project says of a flag."""
        return self._call("GET", self._flag(flag))

    def create(self, document: Mapping[str, Any]) -> Resource:
        """A new flag, published in every environment."""
        return self._call("POST", f"{self._project}/flags", json=document)

    def patch_flag(self, flag: str, patch: Mapping[str, Any], *, etag: str | None) -> Resource:
        """Change the project's part of a flag (merge patch, RFC 7396)."""
        return self._patch(self._flag(flag), patch, etag)

    def settings(self, flag: str, environment: str) -> Resource:
        """What an environment serves of a flag."""
        return self._call("GET", self._flag(flag, environment))

    def patch_settings(self, flag: str, environment: str, patch: Mapping[str, Any], *, etag: str | None) -> Resource:
        """Change what an environment serves (merge patch, RFC 7396)."""
        return self._patch(self._flag(flag, environment), patch, etag)

    def kill(self, flag: str, environment: str | None, *, reason: str) -> Resource:
        """Serve the off variant now, in one environment or (None) in all."""
        return self._call("PUT", self._flag(flag, environment) + "/kill", json={"reason": reason})

    def unkill(self, flag: str, environment: str | None, *, reason: str) -> Resource:
        """Take a kill back."""
        return self._call("DELETE", self._flag(flag, environment) + "/kill", json={"reason": reason})

    def forget_carried(self, flag: str, environment: str, *, reason: str, etag: str | None) -> Resource:
        """Void what was decided of a flag in an environment before now."""
        path = self._flag(flag, environment) + "/forget-carried"
        return self._call("POST", path, json={"reason": reason}, headers={"if-match": etag} if etag else {})

    def history(self, flag: str, environment: str) -> Iterator[dict[str, Any]]:
        """The changes of a flag in an environment, newest first."""
        return self._pages(self._flag(flag, environment) + "/history")

    def create_token(self, *, role: str, environment: str | None, name: str) -> Resource:
        """A new token; its text is in the answer and nowhere else."""
        body = {"role": role, "environment": environment, "name": name}
        return self._call("POST", f"{self._project}/tokens", json=body)

    def signers(self, environment: str) -> list[dict[str, Any]]:
        """Who may sign in an environment, oldest first, retired ones too."""
        return list(self._pages(self._place(environment, "signers")))

    def signer(self, environment: str, signer: str) -> Resource:
        """One signer."""
        return self._call("GET", self._place(environment, "signers", signer))

    def put_signer(
        self, environment: str, signer: str, document: Mapping[str, Any], *, etag: str | None = None
    ) -> Resource:
        """Register a signer, or with the ETag change until when it is believed."""
        headers = {"if-match": etag} if etag else {}
        return self._call("PUT", self._place(environment, "signers", signer), json=document, headers=headers)

    def remove_signer(self, environment: str, signer: str, *, reason: str, etag: str | None) -> Resource:
        """Nothing that it signed is believed any more."""
        headers = {"if-match": etag} if etag else {}
        path = self._place(environment, "signers", signer)
        return self._call("DELETE", path, json={"reason": reason}, headers=headers)

    def put_override(self, environment: str, override: str, document: Mapping[str, Any]) -> Resource:
        """Register the claims of a signed token."""
        return self._call("PUT", self._place(environment, "overrides", override), json=document)

    def overrides(self, environment: str) -> Iterator[dict[str, Any]]:
        """What was registered, the last first."""
        return self._pages(self._place(environment, "overrides"))

    def revoke_override(self, environment: str, override: str, *, reason: str) -> Resource:
        """Believed nowhere any more."""
        path = self._place(environment, "overrides", override) + "/revocation"
        return self._call("PUT", path, json={"reason": reason})

    def override_uses(self, environment: str, override: str | None) -> Iterator[dict[str, Any]]:
        """Where tokens were used; one of them, if it is named."""
        return self._pages(self._place(environment, "override-uses"), {"id": override} if override else {})

    def divergence(self, environment: str, *, since_ms: int) -> list[dict[str, Any]]:
        """How sampled decisions compared since then, by service, flag and cause."""
        return list(self._pages(self._place(environment, "divergence"), {"since_ms": since_ms}))

    def _place(self, environment: str, *parts: str) -> str:
        return "/".join((f"{self._project}/environments", *(quote(part, safe="") for part in (environment, *parts))))

    def _flag(self, flag: str, environment: str | None = None) -> str:
        place = "" if environment is None else f"/environments/{quote(environment, safe='')}"
        return f"{self._project}{place}/flags/{quote(flag, safe='')}"

    def _patch(self, path: str, patch: Mapping[str, Any], etag: str | None) -> Resource:
        headers = {"content-type": "application/merge-patch+json"} | ({"if-match": etag} if etag else {})
        return self._call("PATCH", path, content=msgspec.json.encode(patch), headers=headers)

    def _pages(self, path: str, query: Mapping[str, Any] = _NO_QUERY) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._call("GET", path, params={**query, "cursor": cursor} if cursor else query).document
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _call(self, method: str, path: str, **request: Any) -> Resource:
        try:
            response = self._http.request(method, path, **request)
        except httpx.HTTPError as error:
            raise errors.Unreachable(f"{self._http.base_url}: {str(error) or type(error).__name__}") from error
        if response.is_success:
            return Resource(response.json() if response.content else {}, response.headers.get("etag"))
        raise refusal_of(response)


def refusal_of(response: httpx.Response) -> errors.PennonError:
    """Why the server would not: the error of its problem response."""
    try:
        problem = response.json()
        code, detail, faults = problem["code"], problem.get("detail") or problem["title"], problem.get("faults", ())
        if faults:
            return errors.DocumentInvalid(errors.Fault(fault["path"], fault["message"]) for fault in faults)
    except (ValueError, KeyError, TypeError):
        url = response.request.url
        return errors.Unreachable(f"{url}: status {response.status_code}, not an answer of pennon")
    return _BY_CODE.get(code, errors.Refused)(detail)
