"""`pennon signer`, `pennon override` and `pennon divergence`, as typed, against a real server."""

import json
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pennon.carry import OverrideRefusal, override_claims_of, override_refusal
from pennon.clock import SYSTEM_CLOCK
from pennon.flags import Ruleset, decode_ruleset
from pennon.signing import OVERRIDE_TYPE, SigningFault, Verifier

pytestmark = [pytest.mark.system, pytest.mark.slow]

Done = subprocess.CompletedProcess[str]
Run = Callable[..., Done]


class Operator:
    """An operator at a new control plane, and a replica that judges what is signed."""

    def __init__(self, run: Run, plane: Any) -> None:
        self.run = run
        self.plane = plane
        self.folder: Path = plane.credentials.parent.parent

    def done(self, *arguments: str) -> str:
        """What a command prints that is done."""
        done = self.run(*arguments)
        assert 0 == done.returncode, done.stderr
        return done.stdout.strip()

    def told(self, *arguments: str) -> Any:
        """The same as JSON."""
        return json.loads(self.done(*arguments, "--json"))

    def flag(self, *, overridable: bool = True) -> None:
        """The flag `checkout`."""
        self.done("flags", "create", "checkout")
        if overridable:
            self.done("flags", "edit", "checkout", "--overridable")

    def create(self, *arguments: str) -> str:
        """A new token: for user 7 to see `checkout` on."""
        return self.done("override", "create", "--flag", "checkout", "--variant", "on", "--unit", "user:7", *arguments)

    def judged(self, token: str) -> OverrideRefusal | SigningFault | None:
        """What a replica says of a token now."""
        headers = {"authorization": f"Bearer {self.plane.sdk_token}"}
        answer = httpx.get(f"{self.plane.url}/v1/sdk/ruleset", headers=headers).raise_for_status()
        ruleset, verifier = Ruleset.of(decode_ruleset(answer.content)), Verifier(OVERRIDE_TYPE)
        said = verifier.claims(token, {one.id: one.key for one in ruleset.signers.values()})
        if isinstance(said, SigningFault):
            return said
        key_id = verifier.key_id(token)
        assert isinstance(key_id, str)
        claims = override_claims_of(said, key_id=key_id)
        assert claims is not None
        assert ("checkout", "on", "user", "7") == (claims.flag, claims.variant, claims.unit_kind, claims.unit_key)
        return override_refusal(claims, ruleset, SYSTEM_CLOCK.now_ns() // 10**9)


@pytest.fixture
def operator(run: Run, control_plane: Any) -> Operator:
    """At a server of their own."""
    return Operator(run, control_plane)


def test_override_lives_from_create_to_revoke(operator: Operator) -> None:
    """A replica believes the token until it is revoked; the audit says who, what, for whom, until when and why."""
    operator.flag()
    signer = operator.told("signer", "create", "ops", "--use", "override")["id"]
    token = operator.create("--ttl", "30m", "--reason", "look at it")
    assert operator.judged(token) is None

    (listed,) = operator.told("override", "list")
    assert 1_800 == listed["until_s"] - listed["issued_s"]
    assert (signer, "checkout", "on", "user", "7", "credentials file", "look at it") == tuple(
        listed[name] for name in ("signer", "flag", "variant", "unit_kind", "unit_key", "who", "why")
    )
    assert all(word in operator.done("override", "list") for word in (listed["id"], "user:7", "until", "look at it"))

    for _ in range(2):
        assert "is revoked in production" in operator.done("override", "revoke", listed["id"])
    assert OverrideRefusal.REVOKED is operator.judged(token)
    assert "revoked" in operator.done("override", "list")


def test_signers_rotate_with_overlap(operator: Operator) -> None:
    """The old one's tokens are believed until it ends, new ones are its heir's; what is removed ends at once."""
    operator.flag()
    first = operator.told("signer", "create", "ops-1", "--use", "override")["id"]
    old = operator.create()
    assert first in operator.done("signer", "retire", first, "--after", "1h")
    second = operator.told("signer", "create", "ops-2", "--use", "override")["id"]
    new = operator.told("override", "create", "--flag", "checkout", "--variant", "on", "--unit", "user:7")
    assert (second, None, None) == (new["signer"], operator.judged(old), operator.judged(new["token"]))

    operator.done("signer", "retire", first, "--after", "0s")
    assert (OverrideRefusal.SIGNER_EXPIRED, None) == (operator.judged(old), operator.judged(new["token"]))
    assert "not since" in operator.done("signer", "list")

    operator.done("signer", "remove", second)
    assert SigningFault.UNKNOWN_KEY is operator.judged(new["token"])
    refused = operator.run("override", "create", "--flag", "checkout", "--variant", "on", "--unit", "user:7")
    assert (1, "") == (refused.returncode, refused.stdout)
    assert "pennon signer create NAME --use override" in refused.stderr


def test_signer_in_every_environment_is_one_key(operator: Operator) -> None:
    """--all, for each of the commands; the names of environments that have it are told."""
    made = operator.told("signer", "create", "ops", "--use", "override", "--all")
    assert ["production", "staging"] == made["environments"]
    for environment in made["environments"]:
        assert [made["id"]] == [one["id"] for one in operator.told("signer", "list", "--env", environment)]
    assert {"production", "staging"} == set(operator.told("signer", "retire", made["id"], "--all"))
    operator.done("signer", "remove", made["id"])
    assert ["staging"] == list(operator.told("signer", "remove", made["id"], "--all"))
    assert 1 == operator.run("signer", "remove", made["id"], "--all").returncode


def test_private_key_is_the_operators_alone(operator: Operator) -> None:
    """0600 in a folder of 0700; a key that others may read is not used, one that is there is not overwritten."""
    operator.flag()
    operator.done("signer", "create", "ops", "--use", "override")
    path = operator.folder / ".pennon/keys/ops.pem"
    pem = path.read_bytes()
    assert (0o600, 0o700) == tuple(stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent))

    again = operator.run("signer", "create", "ops", "--use", "override")
    assert (1, pem) == (again.returncode, path.read_bytes())
    assert "exists already" in again.stderr

    path.chmod(0o640)
    refused = operator.run("override", "create", "--flag", "checkout", "--variant", "on", "--unit", "user:7")
    assert 1 == refused.returncode
    assert "mode 0640 lets others at a private key, must be 0600" in refused.stderr


def test_key_that_could_not_be_registered_is_kept_and_registered_later(operator: Operator) -> None:
    """No server, no loss; and the same key may be registered as often as one likes."""
    path = operator.folder / "elsewhere.pem"
    create = ("signer", "create", "ops", "--use", "override")
    failed = operator.run(*create, "--out", str(path), "--env", "none")
    assert (1, True) == (failed.returncode, path.exists())
    assert f"register it with --key {path}" in failed.stderr

    first, again = (operator.told(*create, "--key", str(path)) for _ in range(2))

    assert first["id"] == again["id"]
    operator.flag()
    assert operator.judged(operator.create("--key", str(path))) is None


def test_nothing_secret_is_kept_or_logged(operator: Operator) -> None:
    """Neither the private key nor the token reaches the server, its database or its log."""
    operator.flag()
    operator.done("signer", "create", "ops", "--use", "override")
    token = operator.create()
    operator.plane.http.get("/flags", headers={"pennon-override": token})
    secret = (operator.folder / ".pennon/keys/ops.pem").read_text().splitlines()[1]
    kept = [path for path in operator.folder.iterdir() if path.is_file()]
    assert {"pennon.db", "server.log"} <= {path.name for path in kept}
    for path in kept:
        said = path.read_bytes().decode(errors="replace")
        assert not [part for part in (secret, token, *token.split(".")[1:]) if part in said], path.name


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("--unit", "7"), 2, "'7' is not KIND:KEY, e.g. user:7"),
    (("--ttl", "1w"), 2, "'1w' is not a duration such as 90s, 30m, 24h or 7d"),
    (("--ttl", "8d"), 1, "/until_s: 691200 s after issued_s, must be from 1 to 604800: 7 days"),
    (("--variant", "blue"), 1, "/variant"),
    (("--unit", "device:7"), 1, "/unit_kind"),
    (("--flag", "none"), 1, "/flag"),
    (("--env", "none"), 1, "no environment 'none'"),
    (("--key", "none.pem"), 1, "none.pem: cannot be read"),
    (("--key", "pennon.db"), 1, "pennon.db: mode"),
    (("--unit", "user:" + "\U0001f600" * 200), 1, "its claims are too long"),
]


def test_override_that_cannot_be_made_prints_no_token(operator: Operator) -> None:
    """Nothing that could be mistaken for one; one line that says what is allowed, and its exit code."""
    operator.flag()
    operator.done("signer", "create", "ops", "--use", "override")
    plain = ("--flag", "checkout", "--variant", "on", "--unit", "user:7")
    for arguments, code, said in REFUSED:
        done = operator.run("override", "create", *plain, *arguments)
        assert (arguments, code, "") == (arguments, done.returncode, done.stdout)
        assert said in done.stderr
    assert [] == operator.told("override", "list")


def test_override_of_a_flag_that_does_not_allow_it_says_how_to(operator: Operator) -> None:
    """The command that helps, helps."""
    operator.flag(overridable=False)
    operator.done("signer", "create", "ops", "--use", "override")
    refused = operator.run("override", "create", "--flag", "checkout", "--variant", "on", "--unit", "user:7")
    assert 1 == refused.returncode
    assert "pennon flags edit checkout --overridable" in refused.stderr
    operator.done("flags", "edit", "checkout", "--overridable")
    assert operator.judged(operator.create()) is None


def test_uses_and_divergence_are_printed(operator: Operator) -> None:
    """As services report them: tables for people, items for programs."""
    operator.flag()
    assert "no uses reported" in operator.done("override", "uses")
    assert "nothing was sampled in production within 24h" in operator.done("divergence")
    use = {"id": "8c1f", "flag": "checkout", "variant": "on", "count": 3, "first_ms": 0, "last_ms": 1_795_266_000_000}
    divergence = [
        {"flag": "checkout", "cause": cause, "count": count}
        for cause, count in (("agreed", 90), ("revision_skew", 7), ("dropped", 2))
    ]
    report = {"report": f"{1:032x}", "service": "orders", "overrides": [use], "divergence": divergence}
    headers = {"authorization": f"Bearer {operator.plane.sdk_token}"}
    httpx.post(f"{operator.plane.url}/v1/sdk/reports", json=report, headers=headers).raise_for_status()

    assert [use | {"service": "orders"}] == operator.told("override", "uses", "--id", "8c1f")
    assert [] == operator.told("override", "uses", "--id", "other")
    assert "2026-11-21 13:00:00Z" in operator.done("override", "uses")
    assert 3 == len(operator.told("divergence", "--since", "1h"))
    head, row = operator.done("divergence").splitlines()
    assert ["service", "flag", "sampled", "agreed"] == head.split()[:4]
    assert ["orders", "checkout", "97", "90", "7", "2"] == row.split()
