"""What a verifier remembers, and what it asks anew."""

from collections import Counter
from typing import Any

import pytest

from pennon.signing import OVERRIDE_TYPE, SigningFault, Verifier, verifier
from pennon.signing.tokens import claims_in


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the signature of each token was verified."""
    counts: Counter[str] = Counter()

    def counting(token: str, public: str) -> Any:
        counts[token] += 1
        return claims_in(token, public)

    monkeypatch.setattr(verifier, "claims_in", counting)
    return counts


def test_signature_is_verified_once(signer: Any, verified: Counter[str]) -> None:
    """However often the token is shown, also as another text object."""
    asked, token = Verifier(OVERRIDE_TYPE), signer.token()
    for _ in range(3):
        assert {"flag": "checkout"} == asked.claims("".join(token), signer.keys)
    assert {token: 1} == verified


def test_refusal_is_remembered_too(signer: Any, other: Any, verified: Counter[str]) -> None:
    """A flood of the same bad token costs one verification."""
    asked, token = Verifier(OVERRIDE_TYPE), other.token()
    keys = {other.id: signer.public}
    assert {SigningFault.BAD_SIGNATURE} == {asked.claims(token, keys) for _ in range(3)}
    assert {token: 1} == verified


def test_signer_that_is_gone_is_not_believed_from_memory(signer: Any) -> None:
    """Keys come with the ruleset: what was verified with one that was taken away counts no more."""
    asked, token = Verifier(OVERRIDE_TYPE), signer.token()
    held: list[dict[str, str]] = [signer.keys, {}, signer.keys]
    said = [asked.claims(token, keys) for keys in held]
    assert [{"flag": "checkout"}, SigningFault.UNKNOWN_KEY, {"flag": "checkout"}] == said


def test_refused_token_is_believed_once_its_key_is_known(signer: Any, other: Any) -> None:
    """A replica that was behind learns of a new signer."""
    asked, token = Verifier(OVERRIDE_TYPE), signer.token()
    held: list[dict[str, str]] = [{}, {signer.id: other.public}, signer.keys]
    said = [asked.claims(token, keys) for keys in held]
    assert [SigningFault.UNKNOWN_KEY, SigningFault.BAD_SIGNATURE, {"flag": "checkout"}] == said


def test_memory_is_bounded_and_keeps_what_is_shown(signer: Any, verified: Counter[str]) -> None:
    """The least recently shown token is forgotten, not the one in use."""
    asked = Verifier(OVERRIDE_TYPE, remembered_limit_count=2)
    used, *others = (signer.token(flag=f"flag-{i}") for i in range(6))
    for token in others:
        asked.claims(used, signer.keys)
        asked.claims(token, signer.keys)
    asked.claims(others[0], signer.keys)
    assert (1, 2) == (verified[used], verified[others[0]])


def test_long_texts_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused before they take room: strangers choose the length of a header."""
    monkeypatch.setattr(verifier, "key_id_in", lambda *_, **__: pytest.fail("asked"))
    assert SigningFault.TOO_LONG is Verifier(OVERRIDE_TYPE).claims("A" * 2_049, {})


def test_claims_cannot_be_changed_by_who_reads_them(signer: Any) -> None:
    """They are shared by everybody who shows the token."""
    claims: Any = Verifier(OVERRIDE_TYPE).claims(signer.token(), signer.keys)
    with pytest.raises(TypeError):
        claims["flag"] = "other"
