"""The client's requests to the server: how they are made, and what an answer that is no answer means."""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import httpx

from pennon.client.target import Target
from pennon.client.timing import Timing
from pennon.errors import RulesetInvalid
from pennon.flags import RulesetRecord, decode_ruleset
from pennon.sync import LIMIT_BYTES

_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_NOT_MODIFIED: Final = 304


class Trouble(StrEnum):
    """Why a request or a stream came to nothing; the label of `pennon.stream.failures`."""

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    LIMITED = "limited"
    STATUS = "status"
    NONSENSE = "nonsense"
    SILENCE = "silence"
    ENDED = "ended"


class Failed(Exception):
    """A request or stream came to nothing. retry_after_s: how long the server asked us to wait, None if it did not."""

    def __init__(self, trouble: Trouble, detail: str, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.trouble = trouble
        self.detail = detail
        self.retry_after_s = retry_after_s


def open_http(target: Target, timing: Timing) -> httpx.Client:
    """An HTTP client for one server.

    It keeps no idle connection: what is forked then finds none to share, and requests other than the stream are rare.
    """
    return httpx.Client(
        base_url=target.url,
        headers={"authorization": f"Bearer {target.token}", "user-agent": "pennon-python"},
        timeout=timing.connect_s,
        limits=httpx.Limits(max_keepalive_connections=0),
    )


def failure_of(error: httpx.HTTPError | httpx.InvalidURL | RulesetInvalid) -> Failed:
    """What an exception of the transport or the codec means."""
    if isinstance(error, RulesetInvalid):
        return Failed(Trouble.NONSENSE, f"the server speaks nonsense: {str(error)[:200]}")
    if isinstance(error, httpx.ReadTimeout):
        return Failed(Trouble.SILENCE, "the server has gone silent")
    return Failed(Trouble.UNREACHABLE, f"cannot reach the server: {str(error) or type(error).__name__}")


def check(response: httpx.Response, now_s: float, *, media_type: str) -> None:
    """Pass a good answer of this media type. Raises: Failed for any other."""
    if response.is_success:
        found = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if found != media_type:
            raise Failed(Trouble.NONSENSE, f"the server answered {found or 'nothing named'!r}, not {media_type!r}")
        return
    status = response.status_code
    trouble = {_UNAUTHORIZED: Trouble.REFUSED, _FORBIDDEN: Trouble.REFUSED, _TOO_MANY: Trouble.LIMITED}
    detail = f"the server answered {status} {response.reason_phrase}"
    raise Failed(trouble.get(status, Trouble.STATUS), detail.strip(), retry_after_s(response.headers, now_s))


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds that Retry-After asks for (RFC 9110 §10.2.3: a number or a date), None if it asks for nothing usable.

    now_s: wall clock, since 1970.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - now_s)


class Fetcher:
    """Asks for the whole ruleset, and for nothing if it has not changed since it last came."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        self._etag: str | None = None

    def fetch(self, now_s: float) -> RulesetRecord | None:
        """The ruleset; None if it is the one that came before. Raises: Failed."""
        headers = {"if-none-match": self._etag} if self._etag else {}
        try:
            with self._http.stream("GET", "/v1/sdk/ruleset", headers=headers) as response:
                if response.status_code == _NOT_MODIFIED and self._etag:
                    return None
                check(response, now_s, media_type="application/json")
                record = decode_ruleset(_body(response))
                self._etag = response.headers.get("etag")
                return record
        except (httpx.HTTPError, RulesetInvalid) as error:
            raise failure_of(error) from error


def _body(response: httpx.Response) -> bytes:
    parts = bytearray()
    for chunk in response.iter_bytes():
        parts += chunk
        if len(parts) > LIMIT_BYTES:
            raise Failed(Trouble.NONSENSE, f"the ruleset is larger than {LIMIT_BYTES} bytes")
    return bytes(parts)
