"""Routes for signers and overrides: the API's conventions, and what reaches replicas."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pennon.clock import SYSTEM_CLOCK
from pennon.flags import RulesetRecord, SignerUse, decode_ruleset
from pennon.server.events import delta_of
from pennon.signing import key_id_of, new_key
from pennon.sync import Delta

PLACE = "/v1/projects/default/environments/{}/{}"


class Desk:
    """One author at production's signers and overrides."""

    def __init__(self, plane: Any) -> None:
        self.plane = plane
        self.http = plane.admin
        self._numbers = itertools.count(1)

    def path(self, *parts: str, environment: str = "production") -> str:
        """Of a resource."""
        return PLACE.format(environment, "/".join(parts))

    def signer(self, **members: Any) -> tuple[str, Any]:
        """The id of a new signer, and the answer."""
        key = new_key()[1]
        document = {"name": "ops", "use": "override", "key": key, **members}
        return key_id_of(key), self.http.put(self.path("signers", key_id_of(key)), json=document)

    def claims(self, **members: Any) -> dict[str, Any]:
        """What an override may claim: of a new flag, by a new signer."""
        now_s = SYSTEM_CLOCK.now_ns() // 10**9
        return {
            "signer": members.pop("signer", None) or self.signer()[0],
            "flag": members.pop("flag", None) or self.plane.flag(overridable=True),
            "variant": "on",
            "unit_kind": "user",
            "unit_key": "7",
            "issued_s": now_s,
            "until_s": now_s + 3_600,
            **members,
        }

    def override(self, **members: Any) -> str:
        """The id of a new override."""
        override = f"{next(self._numbers):016x}"
        response = self.http.put(self.path("overrides", override), json=self.claims(**members))
        assert 201 == response.status_code, response.text
        return override

    def ruleset(self) -> RulesetRecord:
        """What a replica would read."""
        return decode_ruleset(self.plane.sdk.get("/v1/sdk/ruleset").content)


@pytest.fixture(scope="module")
def desk(plane: Any) -> Desk:
    """At the served control plane."""
    return Desk(plane)


def test_signer_lives_from_put_to_delete(desk: Desk) -> None:
    """201, the same again 200, read with its ETag, changed with If-Match, listed, removed."""
    signer, made = desk.signer()
    path, document = desk.path("signers", signer), made.json()
    again = desk.http.put(path, json={name: document[name] for name in ("name", "use", "key")})
    read = desk.http.get(path)
    retired = desk.http.put(path, json=read.json() | {"until_s": 99}, headers={"if-match": read.headers["etag"]})
    assert [201, 200, 200, 200] == [response.status_code for response in (made, again, read, retired)]
    assert made.headers["etag"] == again.headers["etag"] == read.headers["etag"] == f'"{document["revision"]}"'
    assert 99 == retired.json()["until_s"]
    assert signer in [item["id"] for item in desk.http.get(desk.path("signers")).json()["items"]]

    removed = desk.http.delete(path, headers={"if-match": retired.headers["etag"]})

    assert (200, 404) == (removed.status_code, desk.http.get(path).status_code)


def test_signer_is_edited_under_preconditions(desk: Desk) -> None:
    """428 without If-Match, 412 with a stale one, 304 for who has it."""
    signer, made = desk.signer()
    path, document = desk.path("signers", signer), made.json()
    changed = {"name": "ops", "use": "override", "key": document["key"], "until_s": 99}
    statuses = [
        desk.http.put(path, json=changed).status_code,
        desk.http.put(path, json=changed, headers={"if-match": '"1"'}).status_code,
        desk.http.delete(path).status_code,
        desk.http.delete(path, headers={"if-match": '"1"'}).status_code,
        desk.http.get(path, headers={"if-none-match": made.headers["etag"]}).status_code,
    ]
    assert [428, 412, 428, 412, 304] == statuses


def test_signer_with_faults_is_told_all_of_them(desk: Desk) -> None:
    """422, each with its place."""
    refused = desk.http.put(desk.path("signers", "x"), json={"name": "", "use": "all", "key": "short", "colour": 1})
    assert 422 == refused.status_code
    assert {"/name", "/use", "/key", "/colour"} == {fault["path"] for fault in refused.json()["faults"]}


def test_signers_and_revocations_reach_an_open_stream(desk: Desk) -> None:
    """As deltas, each within its own revision; and who comes later finds them in the snapshot."""
    with desk.plane.stream() as events:
        next(events)
        signer, _ = desk.signer()
        put = _delta(events, lambda delta: signer in delta.put.signers)
        override = desk.override(signer=signer)
        desk.http.put(desk.path("overrides", override, "revocation"))
        revoked = _delta(events, lambda delta: override in delta.put.revocations)
        etag = desk.http.get(desk.path("signers", signer)).headers["etag"]
        held = desk.ruleset()
        desk.http.delete(desk.path("signers", signer), headers={"if-match": etag})
        deleted = _delta(events, lambda delta: signer in delta.delete.signers)
    assert SignerUse.OVERRIDE is put.put.signers[signer].use
    assert put.put.signers[signer] == held.signers[signer]
    assert revoked.put.revocations[override] == held.revocations[override]
    assert deleted.to_revision == desk.ruleset().revision
    assert signer not in desk.ruleset().signers


def test_one_delta_over_many_changes_puts_what_stayed_and_deletes_what_came_and_went(desk: Desk) -> None:
    """What a reader gets that was away; one in the midst of it still has what has gone."""
    at = desk.ruleset()
    stays, goes = desk.signer()[0], desk.signer()
    override = desk.override(signer=stays)
    desk.http.put(desk.path("overrides", override, "revocation"))
    desk.http.delete(desk.path("signers", goes[0]), headers={"if-match": goes[1].headers["etag"]})
    rows = desk.plane.store.changes_since(at.environment.id, epoch=at.epoch, revision=at.revision)

    delta = delta_of(rows)

    held = desk.ruleset()
    assert {stays: held.signers[stays]} == delta.put.signers
    assert {override: held.revocations[override]} == delta.put.revocations
    assert ((goes[0],), ()) == (delta.delete.signers, delta.delete.revocations)
    assert (at.revision, held.revision) == (delta.from_revision, delta.to_revision)


def test_override_lives_from_put_to_revocation(desk: Desk) -> None:
    """201, the same again 200, others' claims 409; revoked as often as one likes."""
    claims = desk.claims()
    path = desk.path("overrides", "0123456789abcdef")
    made = desk.http.put(path, json=claims | {"reason": "to see"})
    again, other = desk.http.put(path, json=claims), desk.http.put(path, json=claims | {"variant": "off"})
    assert [201, 200, 409] == [response.status_code for response in (made, again, other)]
    assert claims.items() <= made.json().items()
    assert ("admin-test", "to see", None) == tuple(made.json()[name] for name in ("who", "why", "revoked_s"))

    revoked = [desk.http.put(path + "/revocation", json={"reason": "lost"}) for _ in range(2)]

    assert [200, 200] == [response.status_code for response in revoked]
    assert revoked[0].json() == revoked[1].json()
    assert desk.http.get(path).headers["etag"] == revoked[0].headers["etag"] != made.headers["etag"]
    assert "0123456789abcdef" in [item["id"] for item in desk.http.get(desk.path("overrides")).json()["items"]]


def test_override_of_a_flag_that_does_not_allow_it_is_told_the_way_out(desk: Desk) -> None:
    """422; done as it says, it works."""
    flag = desk.plane.flag()
    claims, path = desk.claims(flag=flag), desk.path("overrides", "fedcba9876543210")
    refused = desk.http.put(path, json=claims)
    assert 422 == refused.status_code
    assert 'PATCH {"overridable": true}' in refused.json()["faults"][0]["message"]
    assert 404 == desk.http.get(path).status_code

    resource = f"/v1/projects/default/flags/{flag}"
    etag = desk.http.get(resource).headers["etag"]
    desk.http.patch(resource, json={"overridable": True}, headers={"if-match": etag})

    assert 201 == desk.http.put(path, json=claims).status_code


def test_override_with_faults_is_told_all_of_them(desk: Desk) -> None:
    """The flag is there, everything else is wrong."""
    claims = desk.claims(variant="blue", unit_kind="device", signer="none", until_s=0)
    refused = desk.http.put(desk.path("overrides", "00ff"), json=claims)
    assert {"/variant", "/unit_kind", "/signer", "/until_s"} == {fault["path"] for fault in refused.json()["faults"]}


def test_unknown_things_are_404(desk: Desk) -> None:
    """Environments, signers, overrides."""
    asks = [
        desk.http.get(desk.path("signers", environment="none")),
        desk.http.get(desk.path("signers", "none")),
        desk.http.delete(desk.path("signers", "none"), headers={"if-match": '"1"'}),
        desk.http.get(desk.path("overrides", "none")),
        desk.http.put(desk.path("overrides", "none", "revocation")),
        desk.http.get(desk.path("override-uses", environment="none")),
        desk.http.get(desk.path("divergence", environment="none")),
    ]
    assert [404] * len(asks) == [response.status_code for response in asks]


def test_sdk_token_may_neither_sign_nor_look(desk: Desk) -> None:
    """403, whatever exists."""
    sdk = desk.plane.sdk
    asks = [
        *(sdk.get(desk.path(name)) for name in ("signers", "overrides", "override-uses", "divergence")),
        sdk.put(desk.path("signers", "x"), json={}),
        sdk.put(desk.path("overrides", "x"), json={}),
        sdk.put(desk.path("overrides", "x", "revocation")),
    ]
    assert [403] * len(asks) == [response.status_code for response in asks]


def _delta(events: Iterator[Any], is_wanted: Callable[[Delta], bool]) -> Delta:
    return next(message for _, message, _ in events if isinstance(message, Delta) and is_wanted(message))
