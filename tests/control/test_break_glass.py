"""Which break-glass kills are believed, by the clock of whoever judges them."""

import pytest

from pennon.context import Environment
from pennon.control.break_glass import BreakGlassRefusal, Known, break_glass_refusal
from pennon.flags import SignerRecord, SignerUse
from pennon.sync import BREAK_GLASS_LIMIT_S, BreakGlassClaims

NOW_S = 1_795_266_000
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
KNOWN = Known(
    project="default",
    environment=Environment(7, "production", "salt"),
    position=(1, 1),
    signers={"key": SignerRecord("key", PUBLIC, SignerUse.KILL)},
    flags={"checkout": 77},
    reconciled=frozenset(),
)


def refused(*, issued_s: int = NOW_S - 60, until_s: int = NOW_S + 60, from_s: int = 0) -> BreakGlassRefusal | None:
    """Why a kill is not believed now that is signed by who may."""
    claims = BreakGlassClaims("8c1f", "key", 7, "checkout", issued_s, until_s, from_s=from_s)
    return break_glass_refusal(claims, KNOWN, NOW_S)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({}, None),
        ({"until_s": NOW_S + 1}, None),
        ({"until_s": NOW_S}, BreakGlassRefusal.EXPIRED),
        ({"issued_s": NOW_S + 60, "until_s": NOW_S + 90}, None),
        ({"issued_s": NOW_S + 61, "until_s": NOW_S + 90}, BreakGlassRefusal.NOT_YET_VALID),
        ({"issued_s": NOW_S, "until_s": NOW_S + BREAK_GLASS_LIMIT_S}, None),
        ({"issued_s": NOW_S - 1, "until_s": NOW_S + BREAK_GLASS_LIMIT_S}, BreakGlassRefusal.TOO_LONG),
    ],
)
def test_kill_is_believed_while_it_holds(times: dict[str, int], expected: BreakGlassRefusal | None) -> None:
    """Before its end and for a day at most; the clock that issued it may be a minute ahead."""
    assert expected == refused(**times)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"from_s": NOW_S}, None),
        ({"from_s": 1}, None),
        ({"from_s": NOW_S + 60, "until_s": NOW_S + 90}, None),
        ({"from_s": NOW_S + 61, "until_s": NOW_S + 90}, BreakGlassRefusal.NOT_YET_VALID),
        ({"from_s": NOW_S, "issued_s": NOW_S + 61, "until_s": NOW_S + 90}, BreakGlassRefusal.NOT_YET_VALID),
        ({"from_s": NOW_S + 61, "until_s": NOW_S + BREAK_GLASS_LIMIT_S}, BreakGlassRefusal.NOT_YET_VALID),
        ({"from_s": NOW_S - 1, "until_s": NOW_S}, BreakGlassRefusal.EXPIRED),
        ({"from_s": NOW_S, "until_s": NOW_S + BREAK_GLASS_LIMIT_S}, BreakGlassRefusal.TOO_LONG),
    ],
)
def test_kill_does_not_count_before_its_time(times: dict[str, int], expected: BreakGlassRefusal | None) -> None:
    """RFC 7519 §4.1.5, with the leeway of its issue; how long it holds is still asked from its issue on."""
    assert expected == refused(**times)
