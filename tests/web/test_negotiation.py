"""Reading request headers."""

import pytest
from starlette.requests import Request

from pennon.web.negotiation import has_seen, if_match, quality_of, takes_gzip


def request_with(**headers: str) -> Request:
    """A request with these headers."""
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("accept", "offered", "expected"),
    [
        (None, "application/json", 1.0),
        ("", "application/json", 0.0),
        ("*/*", "application/json", 1.0),
        ("application/*;q=0.5", "application/json", 0.5),
        ("text/html, application/json;q=0.3, */*;q=0.1", "application/json", 0.3),
        ("application/json;q=0, */*", "application/json", 0.0),
        ("APPLICATION/JSON", "application/json", 1.0),
        ("application/json;q=x", "application/json", 0.0),
        ("gzip;q=0", "gzip", 0.0),
        ("*", "gzip", 1.0),
        ("br", "gzip", 0.0),
    ],
)
def test_quality_of_follows_the_most_specific_range(accept: str | None, offered: str, expected: float) -> None:
    """RFC 9110 §12.5.1, with its edges."""
    assert expected == quality_of(accept, offered)


def test_takes_gzip_only_if_asked() -> None:
    """No Accept-Encoding means plain bytes here, although the RFC would allow any."""
    assert (False, True, False) == tuple(
        map(
            takes_gzip,
            (request_with(), request_with(accept_encoding="gzip, br"), request_with(accept_encoding="gzip;q=0")),
        )
    )


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"a"', True), ('W/"a"', True), ('"b", "a"', True), ("*", True), ('"b"', False), ('"ab"', False), ("a", False)],
)
def test_has_seen_compares_weakly(header: str, expected: bool) -> None:
    """If-None-Match: any of several, weak or strong."""
    assert expected == has_seen(request_with(if_none_match=header), '"a"')


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"41"', 41), ('W/"41"', 0), ("41", 0), ('"x"', 0), ('""', 0), ('"-1"', 0), ('"' + "9" * 40 + '"', 0)],
)
def test_if_match_names_a_version_or_none_that_exists(header: str, expected: int) -> None:
    """Strong comparison; what is not ours is version 0, which no resource has."""
    assert expected == if_match(request_with(if_match=header))
    assert None is if_match(request_with())
