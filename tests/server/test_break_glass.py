"""Break-glass kills end to end: a real server whose database goes away and comes back, and clients that follow it."""

import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

import pennon
from pennon.clock import SYSTEM_CLOCK
from pennon.control import Action
from pennon.errors import Unreachable
from pennon.flags import SignerUse, decode_ruleset
from pennon.server import create_app
from pennon.signing import KILL_TYPE, OVERRIDE_TYPE, key_id_of, new_key, sign
from pennon.store import open_store
from pennon.sync import BreakGlass, BreakGlassClaims, jwt_claims_of


class Outage:
    """A store whose database can go away: then every method raises what the real one would."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.is_down = False
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        def asked(*arguments: Any, **named: Any) -> Any:
            if self.is_down:
                self.refusals += 1
                raise Unreachable("the database does not answer: it is gone")
            return method(*arguments, **named)

        return asked


class Ahead:
    """A clock that goes as the machine's does, and that a test sets ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0

    def now_ns(self) -> int:
        """Wall clock, since 1970."""
        return SYSTEM_CLOCK.now_ns() + self.ahead_s * 10**9

    def now_s(self) -> int:
        """The same in whole seconds."""
        return self.now_ns() // 10**9

    def monotonic_ns(self) -> int:
        """Intervals do not notice."""
        return SYSTEM_CLOCK.monotonic_ns()


class Scene:
    """A flag that is on, whoever may kill it, and a served control plane over a database that can go away."""

    def __init__(self, folder: Path, serving: Any, plane_over: Any, until: Any) -> None:
        self.folder = folder
        self.until = until
        self.clock = Ahead()
        self._stack = ExitStack()
        self.real = self._stack.enter_context(closing(open_store(f"sqlite:///{folder}/pennon.db")))
        self.store = Outage(self.real)
        self._serving = serving
        self.url = self.serve()
        self.plane = plane_over(self.url, self.real)
        self.environment: int = self.real.environment("default", "production").environment.id
        self.flag = self.plane.flag()
        self.flag_id: int = self.real.flag("default", self.flag).id
        self.plane.patch(self.flag, fallthrough={"variant": "on"})
        self.pem, self.public = new_key()
        self.signer = self.put_signer(self.public)

    def serve(self, folder: str = "break-glass") -> str:
        """One more server over the same database."""
        app = create_app(self.store, emergencies=self.folder / folder, clock=self.clock)
        url: str = self._stack.enter_context(self._serving(app))
        return url

    def close(self) -> None:
        """End all of it."""
        self.store.is_down = False
        self._stack.close()

    def put_signer(self, public: str, *, use: str = "kill", environment: str = "production", **members: Any) -> str:
        """The id of a signer that the served plane knows from now on."""
        signer = key_id_of(public)
        path = f"/v1/projects/default/environments/{environment}/signers/{signer}"
        assert self.plane.admin.put(path, json={"name": "ops", "use": use, "key": public, **members}).is_success
        # Edits wake the memory; a token that names the signer is looked at from then on.
        forged = sign({}, new_key()[0], key_id=signer, typ=KILL_TYPE)
        self.until(lambda: "bad_signature" in self.put(forged).text)
        return signer

    def claims(self, **members: Any) -> BreakGlassClaims:
        """What is signed unless a test says otherwise."""
        now_s = self.clock.now_s()
        given: dict[str, Any] = {
            "id": secrets.token_hex(8),
            "key_id": self.signer,
            "environment": self.environment,
            "flag": self.flag,
            "issued_s": now_s,
            "until_s": now_s + 3_600,
            "reason": "it burns",
        }
        return BreakGlassClaims(**given | members)

    def token(self, *, typ: str = KILL_TYPE, pem: bytes | None = None, **members: Any) -> str:
        """A signed kill."""
        claims = self.claims(**members)
        return sign(jwt_claims_of(claims), pem or self.pem, key_id=claims.key_id, typ=typ)

    def put(self, token: str, *, url: str | None = None, content_type: str = "application/jwt") -> httpx.Response:
        """Sent as the command sends it: without any other right."""
        headers = {"content-type": content_type}
        return httpx.put(f"{url or self.url}/v1/break-glass", content=token, headers=headers, timeout=60)

    def client(self, environment: str = "production", url: str | None = None) -> pennon.Client:
        """A client that follows."""
        client = pennon.connect(url or self.url, token=self.plane.sdk_tokens[environment], clock=self.clock)
        self._stack.callback(client.close)
        assert client.wait_ready(60)
        return client

    def files(self) -> list[Path]:
        """What the server would remember."""
        return sorted((self.folder / "break-glass").glob("*.json"))

    def unkill(self) -> None:
        """As an author does it."""
        path = f"{self.plane.settings(self.flag)}/kill"
        assert 200 == self.plane.admin.request("DELETE", path).status_code

    def is_on(self, client: pennon.Client) -> bool:
        """What the client's user sees."""
        return client.is_on(self.flag, unit="user-7", default=False)

    def is_killed(self) -> bool:
        """What the database says."""
        killed: bool = self.real.settings("default", "production", self.flag).killed
        return killed

    def reconciled(self) -> set[str]:
        """What the numbering holds."""
        return set(self.real.snapshot(self.environment).reconciled)


class Watch:
    """Asks again and again, in a thread, whether something is ever true."""

    def __init__(self, asked: Callable[[], bool]) -> None:
        self.is_true = False
        self._asked = asked
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            self.is_true = self.is_true or self._asked()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)


@pytest.fixture
def scene(
    tmp_path: Path, serving: Any, plane_over: Callable[[str, Any], Any], until: Callable[..., None]
) -> Iterator[Scene]:
    """A scene of the test's own."""
    made = Scene(tmp_path, serving, plane_over, until)
    yield made
    made.close()


def test_kill_without_a_database_reaches_every_client_and_is_reconciled_without_a_gap(scene: Scene) -> None:
    """Off everywhere, by the stream alone; then killed in the database, audited, and on at no moment in between."""
    clients = [scene.client() for _ in range(5)]
    other = scene.client("staging")
    assert all(scene.is_on(client) for client in clients)
    scene.store.is_down = True
    token = scene.token(id="incident-1")

    taken = scene.put(token)
    scene.until(lambda: not any(scene.is_on(client) for client in clients))

    assert (200, "production", True, False) == (
        taken.status_code,
        *(taken.json()[name] for name in ("environment", "kept", "reconciled")),
    )
    with Watch(lambda: any(scene.is_on(client) for client in clients)) as seen:
        scene.until(lambda: scene.store.refusals > 3)
        scene.store.is_down = False
        scene.until(scene.is_killed)
        scene.until(lambda: not any(client._state.replica.open_kills for client in clients))
        change = scene.real.history("default", "production", scene.flag).items[0]
        assert (Action.KILL, f"break-glass {scene.signer}", "it burns (token incident-1)") == (
            change.action,
            change.who,
            change.why,
        )
        scene.until(lambda: not scene.files())
    assert not seen.is_true
    scene.unkill()
    scene.until(lambda: all(scene.is_on(client) for client in clients))
    assert {"incident-1"} == scene.reconciled()
    assert () == scene.real.faults_of_log(scene.environment)
    assert "off" == other.decision(scene.flag, unit="user-7").variant


def test_kill_is_an_ordinary_one_while_the_database_answers(scene: Scene) -> None:
    """Nobody need know whether it does: it is reconciled at once."""
    client = scene.client()
    scene.put(scene.token())
    scene.until(scene.is_killed)
    scene.until(lambda: not scene.is_on(client))
    scene.until(lambda: not scene.files())


def test_token_sent_again_right_after_it_was_reconciled_is_kept_no_more(scene: Scene) -> None:
    """Also before this server has read again what is reconciled."""
    token = scene.token()
    scene.put(token)
    scene.until(scene.reconciled)
    scene.until(lambda: scene.put(token).json()["reconciled"])
    scene.until(lambda: not scene.files())


def test_token_sent_again_after_an_unkill_kills_nothing(scene: Scene) -> None:
    """Neither here, nor at a server that has never seen it, nor while the database is down."""
    client, token = scene.client(), scene.token()
    scene.put(token)
    scene.until(scene.is_killed)
    scene.until(lambda: not scene.is_on(client))
    scene.unkill()
    scene.until(lambda: scene.is_on(client))
    other = scene.serve("elsewhere")
    here = scene.client(url=other)
    scene.store.is_down = True
    with Watch(lambda: not (scene.is_on(client) and scene.is_on(here))) as seen:
        answers = [scene.put(token, url=url) for url in (scene.url, other, scene.url)]
        assert scene.is_on(scene.client())
    assert [(200, True)] * 3 == [(answer.status_code, answer.json()["reconciled"]) for answer in answers]
    assert (False, False, []) == (seen.is_true, scene.is_killed(), scene.files())


def test_token_sent_twice_is_one_kill(scene: Scene) -> None:
    """The same answer; and an id means one kill for good."""
    scene.store.is_down = True
    until_s = scene.clock.now_s() + 600
    first, second, other = (scene.put(scene.token(id="incident-1", until_s=until_s + more_s)) for more_s in (0, 0, 1))
    assert (first.json(), 409) == (second.json(), other.status_code)
    assert 1 == len(scene.files())
    assert 0o600 == stat.S_IMODE(scene.files()[0].stat().st_mode)


def test_kill_that_is_never_reconciled_ends_with_its_token(scene: Scene) -> None:
    """The flag is served again, also to a newcomer; and the database that comes back later is not told."""
    client = scene.client()
    scene.store.is_down = True
    scene.put(scene.token(until_s=scene.clock.now_s() + 3_600))
    scene.until(lambda: not scene.is_on(client))
    scene.clock.ahead_s = 3_600
    scene.until(lambda: scene.is_on(client))
    assert scene.is_on(scene.client())
    scene.until(lambda: not scene.files())
    scene.store.is_down = False
    assert not scene.is_killed()


def test_whoever_comes_while_the_database_is_down_is_told_before_it_can_ask(scene: Scene) -> None:
    """From its first answer on; with the snapshot that is held, and nothing else."""
    scene.client()
    scene.store.is_down = True
    scene.put(scene.token())
    newcomer = scene.client()
    assert (False, pennon.Status.READY) == (scene.is_on(newcomer), newcomer.status)
    with scene.plane.stream() as events:
        kill, snapshot = next(events), next(events)
    assert (BreakGlass, "snapshot") == (type(kill[1]), snapshot[0])


def test_whoever_resumes_while_the_database_is_down_is_let_in(scene: Scene) -> None:
    """Where it stands, also at a server that has no other reader; a token that nobody has looked up is not."""
    scene.client()
    row = scene.real.environment("default", "production")
    known = scene.plane.client(scene.plane.sdk_tokens["staging"])
    assert known.get("/v1/sdk/ruleset").is_success
    scene.store.is_down = True
    scene.put(scene.token())
    with scene.plane.stream(after=f"{row.epoch}.{row.revision}") as events:
        assert isinstance(next(events)[1], BreakGlass)
    staging = scene.real.environment("default", "staging")
    with scene.plane.stream(after=f"{staging.epoch}.{staging.revision}", environment="staging"):
        pass
    stranger = scene.plane.client("pn_sdk_" + "A" * 43)
    assert 503 == stranger.get("/v1/sdk/stream").status_code


def test_server_that_starts_again_has_not_forgotten_it(scene: Scene) -> None:
    """The next one tells its readers, and the database when it can; a damaged file is passed over."""
    scene.store.is_down = True
    assert scene.put(scene.token(id="incident-1")).json()["kept"] is True
    (path,) = scene.files()
    path.with_name("damaged.json").write_text("{")
    second = scene.serve()
    scene.until(lambda: scene.store.refusals > 5)
    assert {path.name, "damaged.json"} == {each.name for each in scene.files()}
    scene.store.is_down = False
    client = scene.client(url=second)
    assert not scene.is_on(client)
    scene.until(scene.is_killed)
    scene.until(lambda: [path.with_name("damaged.json")] == scene.files())


def test_kill_that_cannot_be_kept_holds_and_says_so(scene: Scene) -> None:
    """The disk that is full may be the database's own."""
    client = scene.client()
    (scene.folder / "break-glass").write_text("no folder")
    scene.store.is_down = True
    taken = scene.put(scene.token())
    assert (200, False) == (taken.status_code, taken.json()["kept"])
    scene.until(lambda: not scene.is_on(client))


def test_another_server_hears_of_it_from_the_database(scene: Scene) -> None:
    """Not before, unless it is sent there too."""
    other = scene.serve("elsewhere")
    here, there = scene.client(), scene.client(url=other)
    scene.store.is_down = True
    scene.put(scene.token())
    scene.until(lambda: not scene.is_on(here))
    assert scene.is_on(there)
    scene.store.is_down = False
    scene.until(lambda: not scene.is_on(there))


# Times in seconds from now on.
TIMES = ("issued_s", "until_s", "from_s")
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"issued_s": -60, "until_s": -1}, "expired"),
    "of the future": ({"issued_s": 600, "until_s": 700}, "not_yet_valid"),
    "to count later": ({"from_s": 600, "until_s": 700}, "not_yet_valid"),
    "never to count": ({"from_s": 700, "until_s": 700}, "malformed"),
    "too long": ({"until_s": 25 * 3_600}, "too_long"),
    "another environment": ({"environment": 1}, "environment"),
    "another kind": ({"typ": OVERRIDE_TYPE}, "wrong_type"),
    "an id that is a path": ({"id": "../x"}, "malformed"),
    "no flag named": ({"flag": ""}, "malformed"),
    "an unknown key": ({"key_id": "0" * 16}, "unknown_key"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_token_that_is_not_believed_kills_nothing(case: str, scene: Scene) -> None:
    """401, with the reason; nobody is told, nothing is kept."""
    members, why = REFUSED[case]
    now_s = scene.clock.now_s()
    claims = {name: now_s + value if name in TIMES else value for name, value in members.items()}
    client = scene.client()
    scene.store.is_down = True
    refused = scene.put(scene.token(**claims))
    assert (401, "token_refused") == (refused.status_code, refused.json()["code"])
    assert f"the token is not believed: {why}" == refused.json()["detail"]
    assert (True, []) == (scene.is_on(client), scene.files())


def test_signer_is_believed_for_what_it_is_there(scene: Scene) -> None:
    """For kills only, in its own environment, until it ends, and with its own signature."""
    pem, public = new_key()
    overrides = scene.put_signer(public, use=SignerUse.OVERRIDE.value)
    other_pem, other_public = new_key()
    elsewhere = scene.put_signer(other_public, environment="staging")
    late_pem, late_public = new_key()
    late = scene.put_signer(late_public, until_s=scene.clock.now_s() - 1)
    token = scene.token()
    header, _, signature = token.split(".")
    changed = scene.token(flag="other").split(".")[1]
    tried = [
        scene.token(key_id=overrides, pem=pem),
        scene.token(key_id=elsewhere, pem=other_pem),
        scene.token(key_id=late, pem=late_pem),
        scene.token(pem=pem),
        f"{header}.{changed}.{signature}",
        token[:-10],
        "",
        "\xff",
    ]
    said = [scene.put(one).json()["detail"].rpartition(" ")[2] for one in tried]
    bad = ["bad_signature", "bad_signature", "malformed", "malformed", "malformed"]
    assert ["signer_use", "unknown_signer", "signer_expired", *bad] == said
    assert not scene.is_killed()


def test_signer_that_was_removed_is_not_believed(scene: Scene) -> None:
    """Nor while the database is down, if that was known before."""
    path = f"/v1/projects/default/environments/production/signers/{scene.signer}"
    etag = scene.plane.admin.get(path).headers["etag"]
    assert scene.plane.admin.delete(path, headers={"if-match": etag}).is_success
    scene.until(lambda: "unknown_key" in scene.put(scene.token(flag="none")).text)
    scene.store.is_down = True
    assert 401 == scene.put(scene.token()).status_code


@pytest.mark.parametrize("archives", [True, False])
def test_flag_that_nobody_is_served_by_is_not_found(archives: bool, scene: Scene) -> None:
    """A slip of the pen must not look like success."""
    if archives:
        path = f"/v1/projects/default/flags/{scene.flag}"
        etag = scene.plane.admin.get(path).headers["etag"]
        assert scene.plane.admin.delete(path, headers={"if-match": etag}).is_success
        scene.until(lambda: 404 == scene.put(scene.token()).status_code)
    scene.store.is_down = True
    refused = scene.put(scene.token(flag=scene.flag if archives else "none"))
    assert (404, "not_found") == (refused.status_code, refused.json()["code"])


def test_what_is_no_token_is_refused_by_its_form(scene: Scene) -> None:
    """415 and 413, as everywhere."""
    assert 415 == scene.put(scene.token(), content_type="application/json").status_code
    assert 413 == scene.put("x" * 5_000).status_code


@pytest.fixture
def slow_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that no machine is too slow to empty."""
    monkeypatch.setattr("pennon.server.judging._RATE_PER_S", 2.0)


@pytest.mark.usefixtures("slow_bucket")
def test_too_many_at_once_are_sent_away_for_a_moment(scene: Scene) -> None:
    """429 with Retry-After; what is signed gets through after it."""
    header = scene.token().split(".")[0]
    with httpx.Client(base_url=scene.url, headers={"content-type": "application/jwt"}) as http:
        answers = (http.put("/v1/break-glass", content=f"{header}.{i:05d}.{'A' * 86}") for i in range(1_000))
        limited = next(answer for answer in answers if answer.status_code == 429)
    assert ("1", "too_many_requests") == (limited.headers["retry-after"], limited.json()["code"])
    scene.until(lambda: scene.put(scene.token()).is_success)


def test_ruleset_names_what_is_reconciled(scene: Scene) -> None:
    """For clients that poll, too."""
    scene.put(scene.token(id="incident-1"))
    scene.until(scene.reconciled)
    ruleset = decode_ruleset(scene.plane.sdk.get("/v1/sdk/ruleset").content)
    assert ({"incident-1"}, True) == (set(ruleset.reconciled), ruleset.flags[scene.flag].killed)
