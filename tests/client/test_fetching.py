"""What the server's answers mean."""

import httpx
import pytest

from pennon.client.fetching import Failed, Trouble, check, failure_of, retry_after_s
from pennon.errors import Fault, RulesetInvalid

# 2026-01-01T00:00:00Z
NOW_S = 1_767_225_600.0


@pytest.mark.parametrize(
    ("text", "expected_s"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("9" * 30, 999_999_999.0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:02:00", 120.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Thu, 99 Jan 2026 00:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected_s: float | None) -> None:
    """Anything else asks for nothing."""
    assert expected_s == retry_after_s({"retry-after": text}, NOW_S)


def test_no_retry_after_asks_for_nothing() -> None:
    """None, not zero."""
    assert retry_after_s({}, NOW_S) is None


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (301, Trouble.STATUS),
        (401, Trouble.REFUSED),
        (403, Trouble.REFUSED),
        (429, Trouble.LIMITED),
        (503, Trouble.STATUS),
    ],
)
def test_status_says_what_the_trouble_is(status: int, trouble: Trouble) -> None:
    """A redirect is one too: the token goes to nobody else."""
    with pytest.raises(Failed) as failed:
        check(httpx.Response(status, headers={"retry-after": "7"}), NOW_S, media_type="text/event-stream")
    assert (trouble, 7.0) == (failed.value.trouble, failed.value.retry_after_s)


@pytest.mark.parametrize("media_type", ["text/event-stream", "Text/Event-Stream; charset=utf-8"])
def test_stream_is_known_by_its_media_type(media_type: str) -> None:
    """Parameters and case do not matter."""
    check(httpx.Response(200, headers={"content-type": media_type}), NOW_S, media_type="text/event-stream")


@pytest.mark.parametrize(
    ("error", "trouble", "detail"),
    [
        (httpx.ConnectError("refused"), Trouble.UNREACHABLE, "cannot reach the server: refused"),
        (httpx.ConnectTimeout(""), Trouble.UNREACHABLE, "cannot reach the server: ConnectTimeout"),
        (httpx.ReadTimeout(""), Trouble.SILENCE, "the server has gone silent"),
        (RulesetInvalid([Fault("", "x" * 999)]), Trouble.NONSENSE, "the server speaks nonsense: " + "x" * 200),
    ],
)
def test_exception_says_what_the_trouble_is(
    error: httpx.HTTPError | RulesetInvalid, trouble: Trouble, detail: str
) -> None:
    """In words that fit into a status line."""
    assert (trouble, detail) == (failure_of(error).trouble, failure_of(error).detail)
