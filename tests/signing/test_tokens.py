"""Tokens: what is believed, and everything else."""

import base64
import json
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jwt.algorithms import get_default_algorithms

from pennon.errors import SettingInvalid
from pennon.signing import KILL_TYPE, OVERRIDE_TYPE, TOKEN_LIMIT_BYTES, SigningFault, Verifier, sign, tokens
from pennon.signing.tokens import claims_in

VECTORS = json.loads((Path(__file__).parents[1] / "conformance/vectors/signing/tokens.json").read_text())
BASE64URL = string.ascii_letters + string.digits + "-_."


def _judged(token: str) -> Any:
    return Verifier(VECTORS["type"]).claims(token, VECTORS["keys"])


@pytest.mark.parametrize("case", VECTORS["believed"], ids=lambda case: case["id"])
def test_vector_is_believed(case: dict[str, Any]) -> None:
    """Tokens that were put together by hand, with RFC 8037's key."""
    assert VECTORS["claims"].items() <= _judged(case["token"]).items()


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["id"])
def test_vector_is_refused(case: dict[str, Any]) -> None:
    """Each for its reason."""
    assert SigningFault(case["fault"]) is _judged(case["token"])


@pytest.mark.parametrize(
    "case", [each for each in VECTORS["refused"] if each["fault"] == "wrong_algorithm"], ids=lambda case: case["id"]
)
def test_library_knows_no_other_algorithm(case: dict[str, Any]) -> None:
    """Past the form as well: under another name for its algorithm no signature is good, ours neither."""
    (public,) = VECTORS["keys"].values()
    assert SigningFault.BAD_SIGNATURE is claims_in(case["token"], public)


def test_library_that_learns_the_name_changes_nothing(signer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PyJWT that has `Ed25519` of its own would refuse to be told it again."""
    known = get_default_algorithms()
    monkeypatch.setattr("jwt.api_jws.get_default_algorithms", lambda: known | {"Ed25519": known["EdDSA"]})
    tokens._jws.cache_clear()
    assert {"flag": "checkout"} == Verifier(OVERRIDE_TYPE).claims(signer.token(), signer.keys)


def test_token_names_its_algorithm_with_its_curve(signer: Any) -> None:
    """RFC 9864: `Ed25519`, not `EdDSA`; and nothing but that, the kind of token and the key."""
    header = signer.token().partition(".")[0]
    said = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    assert {"alg": "Ed25519", "typ": OVERRIDE_TYPE, "kid": signer.id} == said


GOOD = VECTORS["believed"][0]["token"]


@given(at=st.integers(0, len(GOOD) - 1), put=st.sampled_from(BASE64URL) | st.characters())
@example(at=len(GOOD) - 1, put="B")
@settings(max_examples=400, deadline=None)
def test_token_with_one_character_changed_is_refused(at: int, put: str) -> None:
    """Wherever, and whatever stands there instead."""
    changed = GOOD[:at] + put + GOOD[at + 1 :]
    assert (changed == GOOD) is not isinstance(_judged(changed), SigningFault)


def test_token_ends_in_one_spelling_only() -> None:
    """Sixteen last characters decode to the same signature where decoders are lenient."""
    assert [GOOD[-1]] == [last for last in BASE64URL if not isinstance(_judged(GOOD[:-1] + last), SigningFault)]


@given(at=st.integers(0, len(GOOD)), put=st.characters() | st.text(max_size=3))
@settings(max_examples=200, deadline=None)
def test_token_with_something_put_in_is_refused(at: int, put: str) -> None:
    """Also padding, white space and what lenient decoders skip."""
    assert not put or isinstance(_judged(GOOD[:at] + put + GOOD[at:]), SigningFault)


@pytest.mark.parametrize("at", range(0, len(GOOD), 7))
def test_token_cut_anywhere_is_refused(at: int) -> None:
    """At either end."""
    assert all(isinstance(_judged(cut), SigningFault) for cut in (GOOD[:at], GOOD[at + 1 :]))


@given(text=st.text(max_size=300) | st.text(BASE64URL, max_size=300))
@settings(max_examples=200, deadline=None)
def test_anything_else_is_refused_and_never_raises(text: str) -> None:
    """A header comes from strangers."""
    assert isinstance(_judged(text), SigningFault)


CLAIMS = st.dictionaries(
    st.text(max_size=8).filter(lambda name: name not in {"exp", "iat", "nbf", "iss", "sub"}),
    st.text(st.characters(codec="utf-8"), max_size=20) | st.integers(-(2**53), 2**53) | st.booleans() | st.none(),
    max_size=6,
)


@given(claims=CLAIMS)
@settings(max_examples=100, deadline=None)
def test_signed_claims_come_back(claims: dict[str, Any], signer: Any) -> None:
    """Whatever was signed is what is read."""
    token = sign(claims, signer.pem, key_id=signer.id, typ=OVERRIDE_TYPE)
    assert claims == Verifier(OVERRIDE_TYPE).claims(token, signer.keys)


def test_token_of_one_kind_is_not_the_other(signer: Any) -> None:
    """A kill's token overrides nothing, and the other way round."""
    kinds = (OVERRIDE_TYPE, KILL_TYPE)
    said = [[Verifier(asked).claims(signer.token(typ), signer.keys) for asked in kinds] for typ in kinds]
    assert [
        [{"flag": "checkout"}, SigningFault.WRONG_TYPE],
        [SigningFault.WRONG_TYPE, {"flag": "checkout"}],
    ] == said


def test_key_under_anothers_name_signs_nothing(signer: Any, other: Any) -> None:
    """`kid` says which key to ask; it does not choose what is believed."""
    token = sign({"flag": "checkout"}, other.pem, key_id=signer.id, typ=OVERRIDE_TYPE)
    assert SigningFault.BAD_SIGNATURE is Verifier(OVERRIDE_TYPE).claims(token, signer.keys | other.keys)


@pytest.mark.parametrize("public", ["", "A" * 42, "A" * 44, "A" * 42 + "B", "A" * 42 + "=", "ä" * 43])
def test_key_that_is_none_is_not_believed(public: str, signer: Any) -> None:
    """A ruleset with nonsense in it raises nothing."""
    assert SigningFault.UNKNOWN_KEY is Verifier(OVERRIDE_TYPE).claims(signer.token(), {signer.id: public})


def test_claims_that_make_too_long_a_token_are_not_signed(signer: Any) -> None:
    """Rather here than at every boundary."""
    with pytest.raises(SettingInvalid, match=f"must be at most {TOKEN_LIMIT_BYTES}"):
        signer.token(unit="x" * TOKEN_LIMIT_BYTES)
