"""What SDKs report beside exposures, and divergence as authors read it."""

from typing import Annotated, Final, Self

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.requests import Request
from starlette.responses import Response

from pennon.carry import Divergence, DivergenceCount, OverrideUse
from pennon.control import Report
from pennon.control.values import KEY_PATTERN, must
from pennon.server import replies
from pennon.server.auth import Authoring, Reading, environment_of
from pennon.server.drafts import draft_of
from pennon.server.services import services_of
from pennon.web import read_json
from pennon.web.negotiation import JSON, media_type_of

router = APIRouter(tags=["reports"])

# Of either kind in one report, as many as a client holds: about 150 kB, well below the body's limit.
REPORT_LIMIT_COUNT: Final = 1_000

# Without control characters: it is printed on people's terminals.
_NAME_PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]+\z"

_Key = Annotated[str, Field(pattern=KEY_PATTERN)]
_Total = Annotated[int, Field(ge=1, lt=2**31)]
_Moment = Annotated[int, Field(ge=0, lt=2**53)]


class _Draft(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OverrideUseDraft(_Draft):
    """Uses of one token. id: the token's `jti`, registered or not. first_ms, last_ms: by the client's clock."""

    id: Annotated[str, Field(pattern=_NAME_PATTERN, max_length=200)]
    flag: _Key
    variant: _Key
    count: _Total
    first_ms: _Moment
    last_ms: _Moment

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_ms > self.last_ms:
            raise must("last_ms must be first_ms or later")
        return self


class DivergenceDraft(_Draft):
    """One outcome of sampled comparisons. flag: "" only where the cause says that it is unknown."""

    flag: Annotated[str, Field(pattern=r"\A\z|" + KEY_PATTERN)]
    cause: Annotated[Divergence, Field(strict=False)]
    count: _Total

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not self.flag and self.cause is not Divergence.UNKNOWN_FLAG:
            raise must(f"flag must be named unless the cause is '{Divergence.UNKNOWN_FLAG}'")
        return self


class ReportDraft(_Draft):
    """One report. report: an id that its sender draws at random and keeps when it sends the same report again."""

    report: Annotated[str, Field(pattern=r"^[0-9a-f]{32,64}$")]
    service: Annotated[str, Field(pattern=_NAME_PATTERN, max_length=100)]
    overrides: Annotated[list[OverrideUseDraft], Field(max_length=REPORT_LIMIT_COUNT)] = []
    divergence: Annotated[list[DivergenceDraft], Field(max_length=REPORT_LIMIT_COUNT)] = []


@router.post("/v1/sdk/reports")
async def add_report(request: Request, token: Reading) -> Response:
    """Whether the report was new, and how many of its flags this environment does not have.

    It counts once, however often it is sent; one with faults is refused whole. Uses of overrides are kept whatever they
    name: an audit that leaves out the unexpected is none.
    """
    media_type_of(request, JSON)
    sent = draft_of(ReportDraft, await read_json(request))
    services, environment_id = services_of(request), environment_of(token)
    known = (await services.snapshots.current(environment_id)).variants
    divergence = [item for item in sent.divergence if not item.flag or item.flag in known]
    report = Report(
        id=sent.report,
        service=sent.service,
        overrides=tuple(OverrideUse(**use.model_dump()) for use in sent.overrides),
        divergence=tuple(DivergenceCount(item.flag, item.cause, item.count) for item in divergence),
    )
    is_new = await services.sdk.run(lambda: services.store.add_report(environment_id, report))
    return replies.plain({"new": is_new, "unknown": len(sent.divergence) - len(divergence)})


@router.get("/v1/projects/{project}/environments/{environment}/divergence")
async def list_divergence(
    project: str,
    environment: str,
    request: Request,
    _: Authoring,
    since_ms: Annotated[int, Query(ge=0, lt=2**53)] = 0,
) -> Response:
    """How sampled decisions compared, by service, flag and cause. since_ms: since 1970, counted by whole hours."""
    services = services_of(request)
    totals = await services.authoring.run(lambda: services.store.divergence(project, environment, since_ms=since_ms))
    return replies.listing(request, [msgspec.to_builtins(total) for total in totals])
