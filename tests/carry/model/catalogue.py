"""The world's flags, units and attributes: few, so that the same ones meet often."""

from typing import Any, Final

from tests.conformance.vectors.carry.wire_format import fingerprint

from pennon.context import Environment
from pennon.flags import SignerRecord, SignerUse

PRODUCTION: Final = "production"
STAGING: Final = "staging"
# One project: both environments have the same flags with the same ids.
ENVIRONMENTS: Final = {
    PRODUCTION: Environment(0x0102030405, PRODUCTION, "salt-p"),
    STAGING: Environment(0x0102030406, STAGING, "salt-s"),
}

HALVES: Final = 50_000


def _flag(key: str, unit: str, variants: dict[str, Any], **more: Any) -> dict[str, Any]:
    kind = "boolean" if set(map(type, variants.values())) == {bool} else "string"
    named = [{"key": name, "value": value} for name, value in variants.items()]
    return {"key": key, "type": kind, "unit": unit, "variants": named, **more}


# The last variant is the off variant. All are split; two bear an experiment.
FLAGS: Final[dict[str, dict[str, Any]]] = {
    "gate": _flag("gate", "account", {"on": True, "off": False}),
    "color": _flag("color", "user", {"red": "r", "blue": "b", "plain": "p"}, exposes=True, overridable=True),
    "layout": _flag("layout", "user", {"wide": "w", "narrow": "n"}, exposes=True),
    "fresh": _flag("fresh", "device", {"new": "n", "old": "o"}, carry_max_age_s=600),
    "sent": _flag("sent", "user", {"mail": "m", "push": "p"}, at="publish"),
}
# What each may be in play with, itself first.
IN_PLAY: Final = (
    ("color", "layout", "gate"),
    ("layout", "gate", "color"),
    ("gate", "layout", "color"),
    ("gate", "layout", "sent"),
    ("fresh", "color", "gate"),
    ("sent", "color", "layout"),
)
NEEDING, NEEDED, NEEDED_VARIANT = "layout", "gate", "on"
OVERRIDABLE: Final = "color"

# Who signs override tokens, in every environment; what the tokens are called.
SIGNER: Final = SignerRecord("key-1", "A" * 43, SignerUse.OVERRIDE)
TOKENS: Final = ("token-1", "token-2")

# By kind; the first of each is most often the request's own.
UNITS: Final = {"user": ("u1", "u2", "u3"), "account": ("a1", "a2"), "device": ("d1", "d2")}

# The wire holds 24 bits of a unit. Two that share them are one to it, in 1 of 2**24 cases; these do not.
FINGERPRINTS: Final[dict[tuple[str, str, str | None], int]] = {
    (environment.key, kind, key): fingerprint(environment.salt, kind, key)
    for environment in ENVIRONMENTS.values()
    for kind, keys in UNITS.items()
    for key in keys
}
assert len(set(FINGERPRINTS.values())) == len(FINGERPRINTS)


def split_over(variants: list[str], first_weight: int, coverage: int) -> dict[str, Any]:
    """A split: the first variant has `first_weight`, the second the remainder, others nothing."""
    weights = [first_weight, 2 * HALVES - first_weight, *[0] * (len(variants) - 2)]
    named = [{"variant": variant, "weight": weight} for variant, weight in zip(variants, weights, strict=True)]
    return {"weights": named, "coverage": coverage}
