"""Every answer that is not a success, as problem details (RFC 9457), with the `code` of the error tree.

    {"type": "urn:pennon:problem:document_invalid", "title": "The document has faults", "status": 422,
     "code": "document_invalid", "detail": "/variants: …", "faults": [{"path": "/variants", "message": "…"}]}

`type` and `code` are stable; `title` and `detail` are for people. Nothing that was sent comes back but in `faults` and
`detail` of what the sender wrote; what went wrong inside is logged, never answered.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pennon import errors
from pennon.errors import Fault

MEDIA_TYPE: Final = "application/problem+json"

# The status of each leaf of the error tree, and its title.
_LEAVES: Final[Mapping[str, tuple[int, str]]] = {
    errors.Invalid.code: (422, "What was sent has faults"),
    errors.DocumentInvalid.code: (422, "The document has faults"),
    errors.ContractInvalid.code: (422, "The header contract does not build"),
    errors.RulesetInvalid.code: (422, "The ruleset has faults"),
    errors.SettingInvalid.code: (422, "A setting is not usable"),
    errors.NotFound.code: (404, "Not found"),
    errors.AlreadyExists.code: (409, "The key is taken"),
    errors.PreconditionFailed.code: (412, "It has changed since it was read"),
    errors.PreconditionMissing.code: (428, "The change needs an If-Match"),
    errors.TokenRefused.code: (401, "The token is refused"),
    errors.Forbidden.code: (403, "The token has no right to this"),
    errors.Unreachable.code: (503, "Something this server needs does not answer"),
    errors.Refused.code: (400, "Refused"),
}

# What the protocol itself refuses; the codes are ours, the titles RFC 9110's phrases.
_STATUSES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("malformed", "Bad Request"),
    404: (errors.NotFound.code, "Not found"),
    405: ("method_not_allowed", "Method Not Allowed"),
    406: ("not_acceptable", "Not Acceptable"),
    413: ("content_too_large", "Content Too Large"),
    415: ("unsupported_media_type", "Unsupported Media Type"),
    429: ("too_many_requests", "Too Many Requests"),
    500: ("internal", "Internal Server Error"),
    503: ("unavailable", "Service Unavailable"),
}


class Malformed(HTTPException):
    """400: the request cannot be read as what it says it is. `faults` may say where."""

    def __init__(self, detail: str, faults: Iterable[Fault] = ()) -> None:
        super().__init__(400, detail)
        self.faults = tuple(faults)


def problem(
    status: int,
    code: str,
    title: str,
    *,
    detail: str = "",
    faults: Iterable[Fault] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A problem response. detail: what happened this time. faults: every fault, in document order."""
    body: dict[str, object] = {"type": f"urn:pennon:problem:{code}", "title": title, "status": status, "code": code}
    if detail:
        body["detail"] = detail
    if listed := [{"path": fault.path, "message": fault.message} for fault in faults]:
        body["faults"] = listed
    return Response(msgspec.json.encode(body), status, {"cache-control": "no-store", **(headers or {})}, MEDIA_TYPE)


def of_status(
    status: int, *, detail: str = "", faults: Iterable[Fault] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """The problem that an HTTP status stands for."""
    code, title = _STATUSES.get(status, (f"http_{status}", "The request failed"))
    return problem(status, code, title, detail=detail, faults=faults, headers=headers)


def of_error(error: errors.PennonError) -> Response:
    """The problem that an error of the tree stands for."""
    status, title = _LEAVES.get(error.code, (500, "Internal Server Error"))
    # RFC 9110 §15.5.2: a 401 says how to authenticate.
    headers = {"www-authenticate": 'Bearer realm="pennon"'} if status == 401 else None
    return problem(status, error.code, title, detail=str(error), faults=getattr(error, "faults", ()), headers=headers)


def install(app: FastAPI, *, answers_head: bool = False) -> None:
    """From now on everything that the app refuses or fails at is a problem response.

    answers_head: whether HEAD is answered where GET is (`HeadAsGet`), so that Allow names it.
    """
    app.add_exception_handler(errors.PennonError, _of_ours)
    app.add_exception_handler(HTTPException, partial(_of_http, answers_head=answers_head))
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(Exception, _of_anything)


async def _of_ours(_: Request, error: Exception) -> Response:
    if not isinstance(error, errors.PennonError):
        raise error
    return of_error(error)


async def _of_http(request: Request, error: Exception, *, answers_head: bool) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    if error.status_code == 405:
        headers["allow"] = ", ".join(_methods_of(request, answers_head=answers_head))
    detail = {404: f"no resource at {request.url.path!r}", 405: f"{request.method} is not for {request.url.path!r}"}
    return of_status(
        error.status_code,
        detail=detail.get(error.status_code, error.detail),
        faults=getattr(error, "faults", ()),
        headers=headers,
    )


async def _of_validation(_: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    # Of a request FastAPI itself checks query and path only; bodies are checked by the rooms whose documents they are.
    faults = [Fault("/" + "/".join(map(str, fault["loc"])), str(fault["msg"])) for fault in error.errors()]
    return of_status(400, detail="; ".join(map(str, faults)), faults=faults)


async def _of_anything(_: Request, __: Exception) -> Response:
    return of_status(500, detail="the failure has been logged under this response's x-request-id")


def _methods_of(request: Request, *, answers_head: bool) -> list[str]:
    # A router that finds a path under another method names only the first route's methods.
    routes, found = request.app.router.routes, set[str]()
    for method in ("DELETE", "GET", "PATCH", "POST", "PUT"):
        asked = {**request.scope, "method": method}
        if any(route.matches(asked)[0].name == "FULL" for route in routes):
            found.add(method)
    if answers_head and "GET" in found:
        found.add("HEAD")
    return sorted(found)
