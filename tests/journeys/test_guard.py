"""Who may ask, and what every answer says to browsers."""

from typing import Any

import pytest

from pennon.journeys.guard import hostname_of

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
PATHS = ["/", "/static/icon.svg", "/api/journeys", "/api/journeys/none", "/nowhere", "/api/flags"]


@pytest.fixture(scope="module")
def journeys(shared_journeys: Any) -> Any:
    """One for all tests here: none of them leaves anything behind."""
    return shared_journeys


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_strict(journeys: Any, path: str) -> None:
    """Also the refusals."""
    headers = journeys.http.get(path).headers
    assert (POLICY, "nosniff", "no-referrer", "same-origin") == (
        headers["content-security-policy"],
        headers["x-content-type-options"],
        headers["referrer-policy"],
        headers["cross-origin-resource-policy"],
    )
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize("path", [*PATHS, "/api/live"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost.", ""])
def test_name_that_is_not_ours_is_refused(journeys: Any, path: str, host: str) -> None:
    """A page elsewhere that lets its own name point here reads nothing."""
    answer = journeys.http.get(path, headers={"host": host})
    assert 403 == answer.status_code
    assert POLICY == answer.headers["content-security-policy"]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:99", "LOCALHOST", "[::1]", "[::1]:4318"])
def test_name_of_this_machine_is_taken(journeys: Any, host: str) -> None:
    """With whatever port: a tunnel has another."""
    assert 200 == journeys.http.get("/api/journeys", headers={"host": host}).status_code


def test_spans_under_another_name_are_refused(journeys: Any) -> None:
    """Also what is sent, not only what is read."""
    assert 403 == journeys.send(b"", host="evil.example").status_code


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_request_from_another_site_is_refused(journeys: Any, site: str) -> None:
    """A browser says so itself; another port of this machine is another site's page too."""
    for path in ("/api/journeys", "/static/icon.svg"):
        assert 403 == journeys.http.get(path, headers={"sec-fetch-site": site}).status_code


def test_link_from_another_site_opens_the_page(journeys: Any) -> None:
    """A bookmark in a chat is a navigation."""
    headers = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert 200 == journeys.http.get("/", headers=headers).status_code


def test_navigation_from_another_site_changes_nothing(with_plane: Any) -> None:
    """A form that posts here is no page of ours, whatever it calls itself."""
    headers = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert 403 == with_plane.change("f", "kill", **headers).status_code


def test_page_holds_the_token_and_is_not_kept(journeys: Any) -> None:
    """In its meta element; nobody may store it."""
    answer = journeys.http.get("/")
    assert "no-store" == answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith("text/html")
    assert 'name="page-token" content="the page&#x27;s token"' in answer.text


def test_file_is_asked_for_again_and_not_sent_again(journeys: Any) -> None:
    """By a strong ETag of its bytes."""
    first = journeys.http.get("/static/icon.svg")
    again = journeys.http.get("/static/icon.svg", headers={"if-none-match": first.headers["etag"]})
    assert ("image/svg+xml", 304, b"") == (first.headers["content-type"], again.status_code, again.content)


@pytest.mark.parametrize("name", ["none.js", "..%2Findex.html", "%2e%2e/files.py", "../files.py", "files.py"])
def test_file_that_is_none_of_the_page_is_404(journeys: Any, name: str) -> None:
    """A name is looked up, it never becomes a path."""
    assert 404 == journeys.http.get(f"/static/{name}").status_code


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("Here", "here"),
        ("here:", "here:"),
        ("a:80@evil.example", "a:80@evil.example"),
        ("", ""),
    ],
)
def test_port_is_taken_off_a_host(host: str, name: str) -> None:
    """And nothing else."""
    assert name == hostname_of(host)
