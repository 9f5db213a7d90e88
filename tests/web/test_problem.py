"""Problem responses: every refusal of an app has one shape."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from pennon import errors
from pennon.errors import DocumentInvalid, Fault
from pennon.web import AccessLog, problem, read_json
from pennon.web.negotiation import demand, if_match, media_type_of


@pytest.fixture(scope="module")
def client(serving: Callable[[Any], str]) -> Iterator[httpx.Client]:
    """An app that refuses in many ways."""
    app = FastAPI()

    @app.get("/raise/{name}")
    async def raise_(name: str) -> None:
        error = getattr(errors, name)
        raise error([Fault("/a", "is wrong")] if issubclass(error, errors.Invalid) else "no")

    @app.get("/faults")
    async def faults() -> None:
        raise DocumentInvalid([Fault("/variants/0/key", "is empty"), Fault("", "has no type")])

    @app.get("/bug")
    async def bug() -> None:
        raise ValueError("a secret of the inside")

    @app.patch("/thing")
    async def thing(request: Request) -> Response:
        media_type_of(request, "application/merge-patch+json", "application/json")
        demand(request, "application/json")
        if_match(request)
        return Response(json.dumps(await read_json(request, limit_bytes=100)))

    @app.get("/thing")
    async def get_thing(number: int = 0) -> dict[str, int]:
        return {"number": number}

    problem.install(app)
    watched = AccessLog(app, observe=lambda **_: None, monotonic_ns=lambda: 0)
    with httpx.Client(base_url=serving(watched), timeout=60) as client:
        yield client


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("DocumentInvalid", 422),
        ("NotFound", 404),
        ("AlreadyExists", 409),
        ("PreconditionFailed", 412),
        ("PreconditionMissing", 428),
        ("TokenRefused", 401),
        ("Forbidden", 403),
        ("Unreachable", 503),
    ],
)
def test_error_of_the_tree_answers_its_status_and_code(client: httpx.Client, name: str, status: int) -> None:
    """Each leaf has one status, and its own code in the body."""
    response = client.get(f"/raise/{name}")
    code = getattr(errors, name).code
    assert (status, "application/problem+json") == (response.status_code, response.headers["content-type"])
    body = response.json()
    assert (status, code, f"urn:pennon:problem:{code}") == (body["status"], body["code"], body["type"])


def test_every_leaf_of_the_tree_has_a_status() -> None:
    """A new leaf without a status here would be answered as 500."""
    leaves = [*errors.Refused.__subclasses__(), *errors.Invalid.__subclasses__()]
    assert [] == [leaf.code for leaf in leaves if leaf.code not in problem._LEAVES]


def test_401_says_how_to_authenticate(client: httpx.Client) -> None:
    """RFC 9110 §15.5.2 demands it."""
    assert client.get("/raise/TokenRefused").headers["www-authenticate"].startswith("Bearer")


def test_faults_are_all_listed_with_their_paths(client: httpx.Client) -> None:
    """Two faults in, two faults out, in order."""
    expected = [{"path": "/variants/0/key", "message": "is empty"}, {"path": "", "message": "has no type"}]
    assert expected == client.get("/faults").json()["faults"]


def test_unknown_path_is_a_problem(client: httpx.Client) -> None:
    """404, too, is JSON."""
    response = client.get("/nowhere")
    assert (404, "not_found") == (response.status_code, response.json()["code"])


def test_wrong_method_names_every_method_of_the_path(client: httpx.Client) -> None:
    """Allow unites the routes that share a path."""
    response = client.delete("/thing")
    assert (405, "GET, PATCH") == (response.status_code, response.headers["allow"])
    assert "method_not_allowed" == response.json()["code"]


def test_bug_is_a_problem_that_tells_nothing_of_the_inside(client: httpx.Client) -> None:
    """What an exception says stays inside."""
    response = client.get("/bug")
    assert (500, "internal") == (response.status_code, response.json()["code"])
    assert "secret" not in response.text


def test_bad_query_is_400_with_its_place(client: httpx.Client) -> None:
    """The parameter is named."""
    response = client.get("/thing?number=x")
    assert (400, ["/query/number"]) == (response.status_code, [fault["path"] for fault in response.json()["faults"]])


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-type": "text/plain"}, b"{}", 415),
        ({}, b"{}", 415),
        ({"content-type": "application/merge-patch+json; charset=utf-8"}, b"{}", 200),
        ({"content-type": "application/json", "accept": "text/html"}, b"{}", 406),
        ({"content-type": "application/json", "accept": "application/json;q=0, */*"}, b"{}", 406),
        ({"content-type": "application/json", "accept": "application/*"}, b"{}", 200),
        ({"content-type": "application/json"}, b"{", 400),
        ({"content-type": "application/json"}, b'"\xff"', 400),
        ({"content-type": "application/json"}, b"[" * 100, 400),
        ({"content-type": "application/json"}, b'"' + b"x" * 98 + b'"', 200),
        ({"content-type": "application/json"}, b'"' + b"x" * 99 + b'"', 413),
        ({"content-type": "application/json", "if-match": "*"}, b"{}", 400),
        ({"content-type": "application/json", "if-match": '"1", "2"'}, b"{}", 400),
    ],
)
def test_patch_that_cannot_be_read_is_refused(
    client: httpx.Client, headers: dict[str, str], content: bytes, status: int
) -> None:
    """Media types, Accept, syntax, size and If-Match, each at its edge."""
    response = client.patch("/thing", headers=headers, content=content)
    assert status == response.status_code
    assert status == 200 or status == response.json()["status"]


def test_415_says_what_would_be_taken(client: httpx.Client) -> None:
    """RFC 5789 §3.1: Accept-Patch."""
    response = client.patch("/thing", content=b"{}", headers={"content-type": "text/plain"})
    assert "application/merge-patch+json, application/json" == response.headers["accept-patch"]


def test_body_without_a_length_is_bounded_too(client: httpx.Client) -> None:
    """A chunked body tells no length; it is counted as it comes."""
    response = client.patch(
        "/thing", content=(b"x" * 60 for _ in range(3)), headers={"content-type": "application/json"}
    )
    assert 413 == response.status_code
