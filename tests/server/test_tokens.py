"""What each token may and may not."""

from typing import Any

import pytest

from pennon.control import Role

AUTHORING = [
    ("GET", "/v1/projects"),
    ("GET", "/v1/projects/default/environments"),
    ("GET", "/v1/projects/default/flags"),
    ("POST", "/v1/projects/default/flags"),
    ("GET", "/v1/projects/default/flags/f"),
    ("PATCH", "/v1/projects/default/flags/f"),
    ("DELETE", "/v1/projects/default/flags/f"),
    ("GET", "/v1/projects/default/environments/production/flags/f"),
    ("PATCH", "/v1/projects/default/environments/production/flags/f"),
    ("GET", "/v1/projects/default/environments/production/flags/f/history"),
    ("PUT", "/v1/projects/default/environments/production/flags/f/kill"),
    ("DELETE", "/v1/projects/default/environments/production/flags/f/kill"),
    ("PUT", "/v1/projects/default/flags/f/kill"),
    ("DELETE", "/v1/projects/default/flags/f/kill"),
    ("GET", "/v1/projects/default/environments/production/segments"),
    ("GET", "/v1/projects/default/environments/production/segments/s"),
    ("PUT", "/v1/projects/default/environments/production/segments/s"),
    ("POST", "/v1/projects/default/tokens"),
    ("POST", "/v1/tokens"),
]
SDK = [("GET", "/v1/sdk/ruleset"), ("GET", "/v1/sdk/stream"), ("POST", "/v1/sdk/exposures")]


@pytest.mark.parametrize(("method", "path"), AUTHORING + SDK)
def test_without_a_good_token_every_route_is_401(plane: Any, method: str, path: str) -> None:
    """None, another scheme, malformed, unknown: all refused alike."""
    offered = [None, "Basic YTpi", "Bearer", "Bearer nonsense", "Bearer pn_adm_" + "0" * 43]
    with plane.client(None) as client:
        answers = [client.request(method, path, headers={"authorization": token} if token else {}) for token in offered]
    assert [(401, "token_refused")] * len(offered) == [
        (answer.status_code, answer.json()["code"]) for answer in answers
    ]


@pytest.mark.parametrize(("method", "path"), AUTHORING)
def test_sdk_token_authors_nothing(plane: Any, method: str, path: str) -> None:
    """It reads /v1/sdk, and nothing else."""
    response = plane.sdk.request(method, path, json={})
    assert (403, "forbidden") == (response.status_code, response.json()["code"])


@pytest.mark.parametrize(("method", "path"), SDK)
def test_admin_token_is_no_sdk_token(plane: Any, method: str, path: str) -> None:
    """It names no environment."""
    assert 403 == plane.admin.request(method, path).status_code


@pytest.mark.parametrize(("method", "path"), [case for case in AUTHORING if "default" in case[1]])
def test_admin_token_of_another_project_may_not_even_know(plane: Any, method: str, path: str) -> None:
    """The same 403 for a project that exists and one that does not."""
    if "other" not in {project.key for project in plane.store.projects()}:
        plane.store.create_project("other", environments=["live"])
    made = plane.store.create_token(name="other", role=Role.ADMIN, project="other", environment=None)
    with plane.client(made.secret) as client:
        there = client.request(method, path, json={})
        nowhere = client.request(method, path.replace("default", "nowhere"), json={})
    assert (403, 403) == (there.status_code, nowhere.status_code)
    assert there.json()["detail"].replace("default", "nowhere") == nowhere.json()["detail"]


def test_sdk_token_reads_its_own_environment(plane: Any) -> None:
    """The token names the environment; nothing in the request could name another."""
    with plane.client(plane.sdk_tokens["staging"]) as staging:
        keys = [client.get("/v1/sdk/ruleset").json()["environment"]["key"] for client in (plane.sdk, staging)]
    assert ["production", "staging"] == keys


def test_projects_lists_only_what_the_token_may_author(plane: Any) -> None:
    """Other tenants are not shown."""
    assert ["default"] == [project["key"] for project in plane.admin.get("/v1/projects").json()["items"]]


@pytest.mark.parametrize("path", ["/v1/projects/default/tokens", "/v1/tokens"])
def test_created_token_works_and_is_shown_once(plane: Any, path: str) -> None:
    """Its text is in the answer, its scope is what was asked for."""
    created = plane.admin.post(path, json={"role": "sdk", "environment": "staging", "name": "posts"})
    assert (201, "staging") == (created.status_code, created.json()["environment"])
    with plane.client(created.json()["token"]) as client:
        assert "staging" == client.get("/v1/sdk/ruleset").json()["environment"]["key"]


@pytest.mark.parametrize(
    "body",
    [{"role": "owner"}, {"role": "sdk"}, {"role": "admin", "environment": "staging"}, {"colour": 1, "name": 2}, []],
)
def test_token_that_fits_no_scope_is_422(plane: Any, body: Any) -> None:
    """Each fault is named."""
    response = plane.admin.post("/v1/projects/default/tokens", json=body)
    assert 422 == response.status_code
    assert response.json()["faults"]


def test_revoked_token_is_refused(plane: Any) -> None:
    """At once, not after a cache has run out."""
    made = plane.store.create_token(name="leaked", role=Role.ADMIN, project="default", environment=None)
    with plane.client(made.secret) as client:
        assert 200 == client.get("/v1/projects").status_code
        plane.store.revoke_token(made.row.id)
        assert 401 == client.get("/v1/projects").status_code


@pytest.mark.slow
def test_stream_of_a_revoked_token_ends(plane: Any) -> None:
    """It would go on hearing of every change; the others' streams stay."""
    made = plane.store.create_token(name="lost", role=Role.SDK, project="default", environment="production")
    with plane.client(made.secret).stream("GET", "/v1/sdk/stream") as stream, plane.stream() as events:
        next(events)
        plane.store.revoke_token(made.row.id)
        assert b"event: snapshot" in b"".join(stream.iter_bytes())
        revision = plane.patch(plane.flag(), on=False)
        assert any(getattr(message, "to_revision", 0) == revision for _, message, _ in events)
