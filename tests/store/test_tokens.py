"""The contract of `Store`: tokens."""

from pathlib import Path
from typing import Any

import pytest

from pennon.control import Role
from pennon.errors import DocumentInvalid, NotFound, TokenRefused


def test_token_is_found_by_its_secret(books: Any) -> None:
    """An SDK token names its environment."""
    made = books.store.create_token(name="web", role=Role.SDK, project="shop", environment="production")

    row = books.store.token(made.secret)
    assert made.row == row
    assert (Role.SDK, "shop", "production", books.id) == (row.role, row.project, row.environment, row.environment_id)


def test_secrets_are_not_in_the_database(books: Any, path: Path) -> None:
    """Not in the file, not in the write-ahead log."""
    secret = books.store.create_token(name="web", role=Role.ADMIN, project=None, environment=None).secret

    kept = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"web" in kept
    assert secret.encode() not in kept
    assert secret.removeprefix("pn_adm_").encode() not in kept


@pytest.mark.parametrize("secret", ["", "pn_sdk_" + "a" * 43, "Bearer x", "\ud800", "' OR 1=1 --"])
def test_an_unknown_secret_is_refused(secret: str, books: Any) -> None:
    """Malformed or not ours: the same refusal."""
    with pytest.raises(TokenRefused):
        books.store.token(secret)


def test_a_revoked_token_is_refused(books: Any) -> None:
    """From then on; revoked twice, the first time stands."""
    made = books.store.create_token(name="web", role=Role.ADMIN, project="shop", environment=None)
    revoked = books.store.revoke_token(made.row.id)
    books.clock.at_ns += 1

    assert revoked == books.store.revoke_token(made.row.id)
    assert (revoked,) == books.store.tokens()
    with pytest.raises(TokenRefused):
        books.store.token(made.secret)


@pytest.mark.parametrize(
    ("role", "project", "environment", "where"),
    [
        (Role.ADMIN, "shop", "production", "/environment"),
        (Role.SDK, None, None, "/project"),
        (Role.SDK, "shop", None, "/environment"),
    ],
)
def test_a_token_is_scoped_as_its_role_allows(
    role: Role, project: str | None, environment: str | None, where: str, books: Any
) -> None:
    """An SDK token is for one environment, an admin token for all of them."""
    with pytest.raises(DocumentInvalid) as raised:
        books.store.create_token(name="x", role=role, project=project, environment=environment)
    assert where == raised.value.faults[0].path


def test_a_token_needs_what_it_is_for(books: Any) -> None:
    """A project and an environment that exist."""
    with pytest.raises(NotFound):
        books.store.create_token(name="x", role=Role.ADMIN, project="nowhere", environment=None)
    with pytest.raises(NotFound):
        books.store.create_token(name="x", role=Role.SDK, project="shop", environment="nowhere")
