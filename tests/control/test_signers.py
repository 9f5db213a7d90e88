"""Signers and overrides: what an operator may write, and every fault of what may not stand."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon.carry import OVERRIDE_LIMIT_S
from pennon.control import Action, Author, OverrideDocument
from pennon.control.overrides import REVOCATION_GRACE_S, demand_same, is_over, registered, revocation_of
from pennon.control.signers import SignerEdit, put_signer
from pennon.errors import AlreadyExists, DocumentInvalid
from pennon.flags import FlagRecord, FlagType, ServeRecord, SignerRecord, SignerUse, VariantRecord
from pennon.flags.keys import key_id_of

NOW_S = 1_795_266_000
# RFC 8037, appendix A.3.
KEY = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
ID = "90facafea9b15566"
DOCUMENT = {"name": "ops", "use": "override", "key": KEY}
SIGNER = SignerRecord(ID, KEY, SignerUse.OVERRIDE)
FLAG = FlagRecord(
    key="checkout",
    id=1,
    type=FlagType.BOOLEAN,
    variants=(VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False)),
    off="off",
    fallthrough=ServeRecord(variant="off"),
    overridable=True,
)
CLAIMS: dict[str, Any] = {
    "signer": ID,
    "flag": "checkout",
    "variant": "on",
    "unit_kind": "user",
    "unit_key": "7",
    "issued_s": NOW_S,
    "until_s": NOW_S + 3_600,
}


def _made(document: object = DOCUMENT, signer_id: str = ID) -> SignerEdit:
    made = put_signer(signer_id, document, None, revision=5, now_s=NOW_S)
    assert made is not None
    return made


def _faults_of_signer(document: object, signer_id: str = ID) -> list[str]:
    with pytest.raises(DocumentInvalid) as raised:
        _made(document, signer_id)
    return [str(fault) for fault in raised.value.faults]


def _registered(document: object = CLAIMS, **surroundings: Any) -> OverrideDocument:
    named: dict[str, Any] = {"flag": FLAG, "signer": SIGNER, "now_s": NOW_S} | surroundings
    return registered("8c1f", document, by=Author("anna", "to see"), **named)


def _faults(document: object = CLAIMS, **surroundings: Any) -> list[str]:
    with pytest.raises(DocumentInvalid) as raised:
        _registered(document, **surroundings)
    return [str(fault) for fault in raised.value.faults]


def test_signer_is_published_as_replicas_hold_it() -> None:
    """Its id, key and use; the name stays here."""
    made = _made()
    assert (Action.CREATE, SIGNER) == (made.action, made.record)
    assert ("ops", NOW_S, 5) == (made.document.name, made.document.created_s, made.document.revision)


@pytest.mark.parametrize(
    "document", [DOCUMENT, DOCUMENT | {"id": ID, "created_s": NOW_S, "revision": 5, "until_s": None}]
)
def test_signer_put_again_changes_nothing(document: dict[str, Any]) -> None:
    """As it was sent, and as it was read."""
    assert put_signer(ID, document, _made().document, revision=9, now_s=NOW_S + 9) is None


def test_signer_is_retired_by_its_end() -> None:
    """The one member that may change."""
    edit = put_signer(ID, DOCUMENT | {"until_s": NOW_S + 60}, _made().document, revision=9, now_s=NOW_S + 9)
    assert edit is not None
    assert (Action.UPDATE, NOW_S + 60, 9) == (edit.action, edit.record.until_s, edit.document.revision)
    assert [("/until_s", None, NOW_S + 60)] == [(d.path, d.before, d.after) for d in edit.diff]
    assert NOW_S == edit.document.created_s


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"key": "short"}, '/key: "short" found, must be an Ed25519 public key'),
        ({"key": KEY + "="}, "must be an Ed25519 public key: 32 bytes as 43 characters of base64url, unpadded"),
        ({"key": KEY[:-1] + "p"}, "must be an Ed25519 public key"),
        ({"key": 7}, "must be an Ed25519 public key"),
        ({"use": "all"}, "/use: \"all\" found, must be 'override' or 'kill'"),
        ({"name": ""}, "/name"),
        ({"until_s": -1}, "/until_s: -1 found, must be seconds since 1970, or null"),
        ({"until_s": "now"}, "/until_s"),
        ({"until_s": True}, "/until_s"),
        ({"id": "other"}, '/id: "other" found, must stay'),
        ({"revision": 3}, "/revision: 3 found, must be left out"),
        ({"secret": "x"}, "/secret: unknown, allowed are 'id', 'name', 'use', 'key', 'until_s'"),
    ],
)
def test_signer_with_a_fault_is_refused(change: dict[str, Any], fault: str) -> None:
    """Each says where and what is allowed."""
    assert fault in "\n".join(_faults_of_signer(DOCUMENT | change))


def test_signer_is_told_every_fault_at_once() -> None:
    """In the order of the document."""
    document = {"name": 1, "use": "x", "key": "y", "colour": "red"}
    assert ["/name", "/use", "/key", "/colour"] == [fault.partition(":")[0] for fault in _faults_of_signer(document)]
    assert ["must"] == [fault.partition("must")[1] for fault in _faults_of_signer([])]


def test_signer_is_called_what_follows_from_its_key() -> None:
    """Else one id could mean two keys."""
    assert [f"/id: \"mine\" found, must be '{ID}', which follows from the key"] == _faults_of_signer(DOCUMENT, "mine")


@pytest.mark.parametrize("change", [{"name": "dev"}, {"use": "kill"}, {"key": "A" * 43}])
def test_signer_stays_what_it_is(change: dict[str, Any]) -> None:
    """What was signed with it was signed for that."""
    with pytest.raises(DocumentInvalid, match=r"must stay .*; make a new one instead"):
        put_signer(ID, DOCUMENT | change, _made().document, revision=9, now_s=NOW_S)


def test_override_is_registered_with_who_and_why() -> None:
    """For the audit."""
    override = _registered()
    assert ("8c1f", "anna", "to see", NOW_S, None, 1) == (
        override.id,
        override.who,
        override.why,
        override.registered_s,
        override.revoked_s,
        override.version,
    )


@pytest.mark.parametrize("change", [{}, {"variant": "off"}, {"unit_key": "a:b"}, {"until_s": NOW_S + OVERRIDE_LIMIT_S}])
def test_override_of_what_is_there_is_taken(change: dict[str, Any]) -> None:
    """Any variant, any unit, up to seven days."""
    document = CLAIMS | change
    assert document.items() <= _registered(document).model_dump().items()


@pytest.mark.parametrize(
    ("change", "surroundings", "fault"),
    [
        ({}, {"flag": None}, '/flag: "checkout" found, must be a flag of this environment, not archived'),
        ({"variant": "blue"}, {}, "/variant: \"blue\" found, must be a variant of the flag: 'on', 'off'"),
        ({"unit_kind": "device"}, {}, "/unit_kind: \"device\" found, must be the flag's: 'user'"),
        ({"unit_key": ""}, {}, "/unit_key"),
        ({"until_s": NOW_S}, {}, "/until_s: 0 s after issued_s, must be from 1 to 604800: 7 days"),
        ({"until_s": NOW_S + OVERRIDE_LIMIT_S + 1}, {}, "/until_s: 604801 s after issued_s"),
        ({}, {"now_s": NOW_S + 3_600}, "/until_s: 1795269600 found, must be after now"),
        ({}, {"now_s": NOW_S - 61}, "/issued_s: 1795266000 found, must be at most 60 s after now"),
        ({}, {"signer": None}, f'/signer: "{ID}" found, must be a signer of this environment'),
        (
            {},
            {"signer": SignerRecord(ID, KEY, SignerUse.KILL)},
            "signs kills, must be a signer whose use is",
        ),
        ({}, {"signer": SignerRecord(ID, KEY, SignerUse.OVERRIDE, NOW_S)}, "was retired at 1795266000"),
        ({"token": "eyJ…"}, {}, "/token: unknown"),
        ({"id": "other"}, {}, '/id: "other" found, must stay'),
    ],
)
def test_override_with_a_fault_is_refused(change: dict[str, Any], surroundings: dict[str, Any], fault: str) -> None:
    """Each says where and what is allowed."""
    assert fault in "\n".join(_faults(CLAIMS | change, **surroundings))


def test_flag_that_may_not_be_overridden_is_refused_with_the_way_out() -> None:
    """Over the API and on the command line."""
    flag = FlagRecord("checkout", 1, FLAG.type, FLAG.variants, "off", FLAG.fallthrough)
    said = "\n".join(_faults(flag=flag))
    assert 'PATCH {"overridable": true}' in said
    assert "pennon flags edit checkout --overridable" in said


def test_override_is_told_every_fault_at_once() -> None:
    """Those of its shape and those of what it means."""
    faults = _faults(CLAIMS | {"variant": "blue", "unit_kind": "A b", "until_s": 0, "x": 1}, signer=None)
    assert ["/signer", "/variant", "/unit_kind", "/until_s", "/x"] == [fault.partition(":")[0] for fault in faults]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda t: (
            st.lists(t, max_size=3) | st.dictionaries(st.sampled_from([*CLAIMS, *DOCUMENT, "id", "x"]), t, max_size=9)
        ),
        max_leaves=12,
    )
)
@settings(max_examples=100, deadline=None)
def test_any_json_is_taken_or_told_its_faults(document: object) -> None:
    """Nothing else is raised."""
    for send in (_registered, _made):
        with contextlib.suppress(DocumentInvalid):
            send(document)


def test_same_claims_are_the_same_override() -> None:
    """A registration may be sent again; an id with other claims is somebody else's."""
    held = _registered()
    demand_same(held, CLAIMS)
    demand_same(held, CLAIMS | {"id": "8c1f"})
    with pytest.raises(AlreadyExists, match="'8c1f' is registered with other claims"):
        demand_same(held, CLAIMS | {"variant": "off"})


def test_revocation_is_over_when_no_clock_believes_the_token() -> None:
    """An hour after it has expired: some replica's clock may be behind."""
    revocation = revocation_of(_registered())
    end_s = NOW_S + 3_600 + REVOCATION_GRACE_S
    assert ("8c1f", NOW_S + 3_600) == (revocation.id, revocation.until_s)
    assert [False, True] == [is_over(revocation, now_s) for now_s in (end_s - 1, end_s)]


def test_id_in_these_tests_is_the_keys() -> None:
    """RFC 8037's thumbprint."""
    assert ID == key_id_of(KEY)
