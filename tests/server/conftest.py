"""A control plane over SQLite behind a real uvicorn, and readers of its streams; all ended by their fixtures."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from pennon.control import Role, Store
from pennon.server import create_app
from pennon.store import open_store
from pennon.sync import FrameReader, Message, decode_message

DEADLINE_S = 60.0
PROJECT = "default"

Serving = Callable[[Any], AbstractContextManager[str]]


class Plane:
    """One served control plane, with a client per kind of token."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self.store = store
        self._numbers = itertools.count(1)
        self._clients: list[httpx.Client] = []
        store.create_project(PROJECT, environments=["production", "staging"])
        self.admin_token = self._token(Role.ADMIN, None)
        self.sdk_tokens = {key: self._token(Role.SDK, key) for key in ("production", "staging")}
        self.admin = self.client(self.admin_token)
        self.sdk = self.client(self.sdk_tokens["production"])

    def _token(self, role: Role, environment: str | None) -> str:
        return self.store.create_token(name=f"{role}-test", role=role, project=PROJECT, environment=environment).secret

    def client(self, token: str | None) -> httpx.Client:
        """A client that sends this token."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        self._clients.append(httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE_S))
        return self._clients[-1]

    def close(self) -> None:
        """Hang up."""
        for client in self._clients:
            client.close()

    def flag(self, **members: Any) -> str:
        """The key of a new boolean flag."""
        key = f"flag-{next(self._numbers)}"
        variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
        document = {"key": key, "type": "boolean", "variants": variants, **members}
        response = self.admin.post(f"/v1/projects/{PROJECT}/flags", json=document)
        assert 201 == response.status_code, response.text
        return key

    def settings(self, flag: str, environment: str = "production") -> str:
        """The path of a flag's settings."""
        return f"/v1/projects/{PROJECT}/environments/{environment}/flags/{flag}"

    def patch(self, flag: str, environment: str = "production", **members: Any) -> int:
        """Patch a flag's settings at their current version; the new revision."""
        path = self.settings(flag, environment)
        etag = self.admin.get(path).headers["etag"]
        response = self.admin.patch(path, json=members, headers={"if-match": etag})
        assert 200 == response.status_code, response.text
        revision: int = response.json()["revision"]
        return revision

    @contextmanager
    def stream(
        self, *, after: str | None = None, environment: str = "production"
    ) -> Iterator[Iterator[tuple[str, Message, str | None]]]:
        """The events of a stream: name, message and id; pings are passed over."""
        headers = {b"authorization": f"Bearer {self.sdk_tokens[environment]}".encode()}
        if after is not None:
            headers[b"last-event-id"] = after.encode()
        with httpx.stream("GET", f"{self.url}/v1/sdk/stream", headers=headers, timeout=DEADLINE_S) as response:
            assert 200 == response.status_code
            yield _messages(response)


def _messages(response: httpx.Response) -> Iterator[tuple[str, Message, str | None]]:
    reader = FrameReader()
    for chunk in response.iter_bytes():
        for frame in reader.feed(chunk):
            message = decode_message(frame.name, frame.data)
            if message is not None and frame.name != "ping":
                yield frame.name, message, frame.id


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """An empty store in a file of its own."""
    opened = open_store(f"sqlite:///{tmp_path_factory.mktemp('store')}/pennon.db")
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def plane(store: Store, serving: Serving) -> Iterator[Plane]:
    """A served control plane with a project, two environments and a token of each kind."""
    with serving(create_app(store)) as url, closing(Plane(url, store)) as plane:
        yield plane


@pytest.fixture
def new_store(tmp_path: Path) -> Iterator[Store]:
    """A store of this test's own."""
    opened = open_store(f"sqlite:///{tmp_path}/own.db")
    yield opened
    opened.close()


@pytest.fixture
def plane_over() -> Iterator[Callable[[str, Store], Plane]]:
    """A `Plane` for an app of one's own."""
    with ExitStack() as stack:
        yield lambda url, store: stack.enter_context(closing(Plane(url, store)))
