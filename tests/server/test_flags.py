"""The authoring API over real HTTP: versions, merge patches, faults, lists, history."""

import threading
from typing import Any

import pytest

FLAGS = "/v1/projects/default/flags"


def test_create_publishes_the_flag_in_every_environment_serving_its_off_variant(plane: Any) -> None:
    """A new flag changes no answer: on, no rules, fallthrough = off variant."""
    flag = plane.flag(description="a new flag")
    for environment in ("production", "staging"):
        settings = plane.admin.get(plane.settings(flag, environment)).json()
        assert (True, "off", [], {"variant": "off"}) == tuple(
            settings[name] for name in ("on", "off", "rules", "fallthrough")
        )


def test_create_answers_where_the_flag_is_and_its_etag(plane: Any) -> None:
    """201 with Location; what stands there has the same ETag."""
    document = {"key": "located", "type": "boolean", "variants": [{"key": "a", "value": True}]}
    created = plane.admin.post(FLAGS, json=document)
    assert (201, f"{FLAGS}/located") == (created.status_code, created.headers["location"])
    assert created.headers["etag"] == plane.admin.get(created.headers["location"]).headers["etag"]


def test_create_of_a_taken_key_is_409(plane: Any) -> None:
    """Keys are never given twice."""
    flag = plane.flag()
    document = {"key": flag, "type": "boolean", "variants": [{"key": "a", "value": True}]}
    response = plane.admin.post(FLAGS, json=document)
    assert (409, "already_exists") == (response.status_code, response.json()["code"])


def test_create_with_faults_lists_every_fault_and_stores_nothing(plane: Any) -> None:
    """Three faults in three places: three are named, and the flag is not there."""
    document = {
        "key": "faulty",
        "type": "boolean",
        "variants": [{"key": "on", "value": "yes"}, {"key": "OFF", "value": False}],
        "colour": "red",
    }
    response = plane.admin.post(FLAGS, json=document)
    paths = {fault["path"] for fault in response.json()["faults"]}
    assert (422, "document_invalid") == (response.status_code, response.json()["code"])
    assert {"/variants/1/key", "/colour"} <= paths
    assert 404 == plane.admin.get(f"{FLAGS}/faulty").status_code


def test_patch_with_faults_lists_every_fault_and_changes_nothing(plane: Any) -> None:
    """A patch is taken whole or not at all, and no revision is spent."""
    flag = plane.flag()
    before = plane.admin.get(plane.settings(flag))
    patch = {
        "off": "nowhere",
        "rules": [{"id": "r1", "clauses": [], "serve": {"variant": "also-nowhere"}}],
        "fallthrough": {"variant": None, "split": {"weights": [{"variant": "on", "weight": 99_000}], "coverage": 1}},
    }
    response = plane.admin.patch(plane.settings(flag), json=patch, headers={"if-match": before.headers["etag"]})
    assert 422 == response.status_code
    assert 2 <= len(response.json()["faults"])
    assert before.content == plane.admin.get(plane.settings(flag)).content


def test_patch_without_if_match_is_428(plane: Any) -> None:
    """Whoever has read nothing changes nothing."""
    flag = plane.flag()
    for path in (plane.settings(flag), f"{FLAGS}/{flag}"):
        response = plane.admin.patch(path, json={})
        assert (428, "precondition_required") == (response.status_code, response.json()["code"])


def test_patch_with_a_stale_etag_is_412(plane: Any) -> None:
    """The version that was read is not the version that is there."""
    flag = plane.flag()
    etag = plane.admin.get(plane.settings(flag)).headers["etag"]
    plane.patch(flag, on=False)
    response = plane.admin.patch(plane.settings(flag), json={"on": True}, headers={"if-match": etag})
    assert (412, "precondition_failed") == (response.status_code, response.json()["code"])
    assert plane.admin.get(plane.settings(flag)).json()["on"] is False


def test_two_authors_at_once_the_second_gets_412(plane: Any) -> None:
    """Of two patches with the same ETag, sent together, exactly one is taken."""
    flag = plane.flag()
    etag = plane.admin.get(plane.settings(flag)).headers["etag"]
    gate, statuses = threading.Barrier(2), []

    def author(value: bool) -> None:
        with plane.client(plane.admin_token) as client:
            client.get("/health/live")
            gate.wait(60)
            patch = {"fallthrough": {"variant": "on" if value else "off"}, "on": value}
            statuses.append(client.patch(plane.settings(flag), json=patch, headers={"if-match": etag}).status_code)

    authors = [threading.Thread(target=author, args=(value,)) for value in (True, False)]
    for thread in authors:
        thread.start()
    for thread in authors:
        thread.join(60)
    assert [200, 412] == sorted(statuses)


@pytest.mark.parametrize("content_type", ["application/merge-patch+json", "application/json"])
def test_patch_merges_and_answers_the_next_etag(plane: Any, content_type: str) -> None:
    """What is not named stays; the ETag of the answer is good for the next patch."""
    flag = plane.flag(description="before")
    etag = plane.admin.get(f"{FLAGS}/{flag}").headers["etag"]
    for description in ("one", "two"):
        response = plane.admin.patch(
            f"{FLAGS}/{flag}",
            content=f'{{"description": "{description}", "reason": "because"}}',
            headers={"content-type": content_type, "if-match": etag},
        )
        assert (200, description) == (response.status_code, response.json()["description"])
        etag = response.headers["etag"]
    assert "boolean" == plane.admin.get(f"{FLAGS}/{flag}").json()["type"]


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", ""])
def test_patch_of_another_media_type_is_415(plane: Any, content_type: str) -> None:
    """Only the two that are documented."""
    flag = plane.flag()
    headers = {"content-type": content_type, "if-match": '"1"'}
    assert 415 == plane.admin.patch(plane.settings(flag), content=b"{}", headers=headers).status_code


def test_patch_that_is_too_long_is_413(plane: Any) -> None:
    """Bounded before it is parsed."""
    flag = plane.flag()
    response = plane.admin.patch(
        plane.settings(flag), json={"description": "x" * 1_100_000}, headers={"if-match": '"1"'}
    )
    assert (413, "content_too_large") == (response.status_code, response.json()["code"])


def test_read_with_the_etag_it_has_is_304(plane: Any) -> None:
    """A reader that has it gets no body; after a change it gets one."""
    flag = plane.flag()
    path = plane.settings(flag)
    etag = plane.admin.get(path).headers["etag"]
    again = plane.admin.get(path, headers={"if-none-match": etag})
    assert (304, b"", etag) == (again.status_code, again.content, again.headers["etag"])
    plane.patch(flag, on=False)
    assert 200 == plane.admin.get(path, headers={"if-none-match": etag}).status_code


def test_read_that_accepts_no_json_is_406(plane: Any) -> None:
    """Nothing else is offered."""
    assert 406 == plane.admin.get(FLAGS, headers={"accept": "text/html"}).status_code


def test_read_of_what_is_not_there_is_404(plane: Any) -> None:
    """Flag, environment, project, route: each a problem."""
    flag = plane.flag()
    paths = (
        f"{FLAGS}/none",
        plane.settings("none"),
        plane.settings(flag, "none"),
        plane.settings("none") + "/history",
        "/v1/nothing",
    )
    assert [(404, "not_found")] * len(paths) == [
        (response.status_code, response.json()["code"]) for response in map(plane.admin.get, paths)
    ]


def test_list_leads_through_all_pages_once(plane: Any) -> None:
    """Following next_cursor gives every flag once, by key; archived ones are left out."""
    made = {plane.flag() for _ in range(5)}
    keys: list[str] = []
    cursor = None
    while True:
        parameters = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = plane.admin.get(FLAGS, params=parameters).json()
        assert len(page["items"]) <= 2
        keys.extend(item["key"] for item in page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(set(keys)) == keys
    assert made <= set(keys)


@pytest.mark.parametrize("limit", ["0", "501", "many"])
def test_list_with_a_bad_limit_is_400(plane: Any, limit: str) -> None:
    """The parameter is named."""
    response = plane.admin.get(FLAGS, params={"limit": limit})
    assert (400, "/query/limit") == (response.status_code, response.json()["faults"][0]["path"])


def test_archive_takes_the_flag_out_and_keeps_its_key(plane: Any) -> None:
    """DELETE archives, with the same preconditions as PATCH."""
    flag = plane.flag()
    path = f"{FLAGS}/{flag}"
    assert 428 == plane.admin.delete(path).status_code
    archived = plane.admin.delete(path, headers={"if-match": plane.admin.get(path).headers["etag"]})
    assert (200, True) == (archived.status_code, archived.json()["archived"])
    assert flag not in {item["key"] for item in plane.admin.get(FLAGS, params={"limit": 500}).json()["items"]}
    assert flag not in plane.sdk.get("/v1/sdk/ruleset").json()["flags"]
    assert 200 == plane.admin.get(path).status_code


def test_history_says_who_what_and_why_newest_first(plane: Any) -> None:
    """Each change is there with its author, its reason and what it changed."""
    flag = plane.flag()
    plane.patch(flag, on=False, reason="it hurts")
    items = plane.admin.get(plane.settings(flag) + "/history").json()["items"]
    assert ["update", "create"] == [item["action"] for item in items]
    assert ("admin-test", "it hurts") == (items[0]["actor"], items[0]["reason"])
    assert {"path": "/on", "before": True, "after": False} in items[0]["diff"]
    assert items[0]["revision"] > items[1]["revision"]
    assert items[1]["hash"] == items[0]["previous_hash"] or len(items[0]["previous_hash"]) == 64


def test_a_new_phase_is_said_to_the_author(plane: Any) -> None:
    """Changing weights decides everybody anew; the answer of the edit says so."""
    flag = plane.flag()
    split = {"weights": [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}], "coverage": 1_000}
    plane.patch(flag, fallthrough={"variant": None, "split": split})
    read = plane.admin.get(plane.settings(flag))
    changed = [{"variant": "on", "weight": 60_000}, {"variant": "off", "weight": 40_000}]
    patch = {"fallthrough": {"split": {"weights": changed}}}
    response = plane.admin.patch(plane.settings(flag), json=patch, headers={"if-match": read.headers["etag"]})
    assert 200 == response.status_code
    assert any("phase" in note for note in response.json()["notes"])


def test_segment_is_made_then_replaced_with_if_match(plane: Any) -> None:
    """PUT without If-Match makes it, and only makes it."""
    path = "/v1/projects/default/environments/production/segments/staff"
    document = {"key": "staff", "members": ["user-1"]}
    made = plane.admin.put(path, json=document)
    assert (201, 428) == (made.status_code, plane.admin.put(path, json=document).status_code)
    replaced = plane.admin.put(
        path, json={**document, "members": ["user-2"]}, headers={"if-match": made.headers["etag"]}
    )
    assert (200, ["user-2"]) == (replaced.status_code, plane.admin.get(path).json()["members"])
    listed = plane.admin.get("/v1/projects/default/environments/production/segments").json()["items"]
    assert ["staff"] == [item["key"] for item in listed]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (f"{FLAGS}/f", "DELETE, GET, HEAD, PATCH"),
        (f"{FLAGS}/f/kill", "DELETE, PUT"),
        ("/v1/projects/default/environments/production/segments/s", "GET, HEAD, PUT"),
        ("/v1/sdk/stream", "GET, HEAD"),
    ],
)
def test_method_that_a_path_has_not_is_405_and_names_those_it_has(plane: Any, path: str, allowed: str) -> None:
    """Allow unites all routes of the path, whichever router they are in."""
    response = plane.admin.post(path, json={})
    assert (405, allowed) == (response.status_code, response.headers["allow"])
    assert "method_not_allowed" == response.json()["code"]


def test_head_answers_as_get_does_without_the_body(plane: Any) -> None:
    """Status, ETag, length and 304 are the same; a stream's ends at once; where there is no GET there is no HEAD."""
    path = plane.settings(plane.flag())
    got, headed = plane.admin.get(path), plane.admin.head(path)
    names = ("etag", "content-length", "content-type", "cache-control")
    assert (200, b"") == (headed.status_code, headed.content)
    assert [got.headers[name] for name in names] == [headed.headers[name] for name in names]
    assert 304 == plane.admin.head(path, headers={"if-none-match": got.headers["etag"]}).status_code
    stream = plane.client(plane.sdk_tokens["staging"]).head("/v1/sdk/stream")
    assert (200, "text/event-stream") == (stream.status_code, stream.headers["content-type"])
    assert [401, 404, 405] == [
        plane.client(None).head(path).status_code,
        plane.admin.head(path + "x").status_code,
        plane.admin.head(path + "/kill").status_code,
    ]


def test_forget_carried_needs_the_version_that_was_read(plane: Any) -> None:
    """428 without If-Match, 412 with an older one; nothing is forgotten."""
    flag = plane.flag()
    path = plane.settings(flag)
    before = plane.admin.get(path)
    missing = plane.admin.post(path + "/forget-carried")
    stale = plane.admin.post(path + "/forget-carried", headers={"if-match": '"0"'})
    assert (428, 412) == (missing.status_code, stale.status_code)
    assert before.json() == plane.admin.get(path).json()


def test_forget_carried_answers_the_raised_floor_and_says_so(plane: Any) -> None:
    """The settings with their next ETag and a note; reason and diff are in the history; staging is as it was."""
    flag = plane.flag()
    path = plane.settings(flag)
    etag = plane.admin.get(path).headers["etag"]
    answer = plane.admin.post(path + "/forget-carried", json={"reason": "wrong units"}, headers={"if-match": etag})
    document = answer.json()
    assert (200, document["revision"]) == (answer.status_code, document["void_before"])
    assert [f'"{document["revision"]}"'] * 2 == [answer.headers["etag"], plane.admin.get(path).headers["etag"]]
    assert ["forgotten: units are decided anew, and what was decided before is void"] == document["notes"]
    change = plane.admin.get(path + "/history").json()["items"][0]
    assert ("forget", "wrong units") == (change["action"], change["reason"])
    assert [{"path": "/void_before", "before": 0, "after": document["revision"]}] == change["diff"]
    assert 0 == plane.admin.get(plane.settings(flag, "staging")).json()["void_before"]


def test_forget_carried_is_a_delta_and_no_kill(plane: Any) -> None:
    """Replicas get the floor as they get every change."""
    flag = plane.flag()
    path = plane.settings(flag)
    with plane.stream() as events:
        next(events)
        plane.admin.post(path + "/forget-carried", headers={"if-match": plane.admin.get(path).headers["etag"]})
        name, delta, _ = next(events)
    record = delta.put.flags[flag]
    assert ("delta", delta.to_revision, False) == (name, record.void_before, record.killed)


def test_a_prerequisite_travels_to_replicas(plane: Any) -> None:
    """As it was authored, and checked against the flags of the environment."""
    flag, asked = plane.flag(), plane.flag()
    plane.patch(flag, prerequisites=[{"flag": asked, "variants": ["on"]}])
    record = plane.sdk.get("/v1/sdk/ruleset").json()["flags"][flag]
    assert [{"flag": asked, "variants": ["on"]}] == record["prerequisites"]
    path = plane.settings(asked)
    cycle = {"prerequisites": [{"flag": flag, "variants": ["on"]}]}
    refused = plane.admin.patch(path, json=cycle, headers={"if-match": plane.admin.get(path).headers["etag"]})
    (fault,) = refused.json()["faults"]
    assert (422, "/prerequisites/0/flag") == (refused.status_code, fault["path"])
    assert f"{asked} → {flag} → {asked}" in fault["message"]
