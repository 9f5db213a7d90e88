"""Break-glass tokens are limited before their signatures are looked at, and strangers' not at all."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from pennon.errors import TokenRefused
from pennon.server.judging import Judge
from pennon.signing import KILL_TYPE, key_id_of, new_key, sign
from pennon.testing import ManualClock

PEM, PUBLIC = new_key()
MEMORY: Any = SimpleNamespace(keys={key_id_of(PUBLIC): PUBLIC}, known={})


def _forged(number: int, key_id: str) -> str:
    """A token of this form, signed by nobody."""
    header = sign({}, PEM, key_id=key_id, typ=KILL_TYPE).split(".")[0]
    return f"{header}.{number:04d}.{'A' * 86}"


def test_bucket_is_for_those_who_know_a_signer() -> None:
    """However many strangers there were before; and it refills."""
    clock = ManualClock()
    judge = Judge(MEMORY, clock)
    for number in range(1_000):
        with pytest.raises(TokenRefused, match="unknown_key"):
            judge.judged(_forged(number, "0" * 16))
    for number in range(100):
        with pytest.raises(TokenRefused, match="bad_signature"):
            judge.judged(_forged(number, key_id_of(PUBLIC)))
    with pytest.raises(HTTPException) as limited:
        judge.judged(_forged(100, key_id_of(PUBLIC)))
    assert (429, {"retry-after": "1"}) == (limited.value.status_code, limited.value.headers)
    clock.advance(1)
    with pytest.raises(TokenRefused, match="bad_signature"):
        judge.judged(_forged(100, key_id_of(PUBLIC)))


def test_signature_is_looked_at_only_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what costs."""
    judge = Judge(MEMORY, ManualClock())
    looked: list[str] = []

    def claims(token: str, _: object) -> dict[str, Any]:
        looked.append(token)
        return {}

    monkeypatch.setattr(judge._verifier, "claims", claims)
    for number in range(300):
        with pytest.raises((TokenRefused, HTTPException)):
            judge.judged(_forged(number, key_id_of(PUBLIC)))
    assert 100 == len(looked)
