"""The cases of fingerprint.json and exposure.json."""

from typing import Any

from tests.conformance.vectors.carry.wire_format import ORIGINS, exposure, fingerprint

_UNITS = {
    "plain": ("salt", "user", "7"),
    "another-kind": ("salt", "account", "7"),
    "another-environment": ("other", "user", "7"),
    "empty-key": ("salt", "user", ""),
    "empty": ("", "", ""),
    "leading-zero": ("salt", "user", "07"),
    "moved-border": ("salt", "use", "r7"),
    "moved-border-of-salt": ("saltu", "ser", "7"),
    "two-bytes": ("salt", "user", "é"),
    "decomposed": ("salt", "user", "e\u0301"),
    "four-bytes": ("salt", "user", "\U0001f6a9"),
    "lone-surrogate": ("salt", "user", "\ud800"),
    "nul-inside": ("salt", "user", "nul\0inside"),
    "23-bytes": ("salt", "user", "x" * 23),
    "24-bytes": ("salt", "user", "x" * 24),
    "255-bytes": ("salt", "user", "x" * 255),
    "256-bytes": ("salt", "user", "x" * 256),
    "65536-bytes": ("salt", "user", "x" * 65_536),
    "upper-case": ("salt", "USER", "7"),
    "space-around": ("salt", "user", " 7 "),
    "device": ("8f1c2d3e4a5b6c7d", "device", "550e8400-e29b-41d4-a716-446655440000"),
}

FINGERPRINTS: list[dict[str, Any]] = [
    {"id": name, "salt": salt, "kind": kind, "key": key, "fingerprint": fingerprint(salt, kind, key)}
    for name, (salt, kind, key) in _UNITS.items()
]

_TREATMENTS = {
    "plain": (0x0102030405, 77, 1, "user", "7", 1),
    "another-variant": (0x0102030405, 77, 1, "user", "7", 2),
    "another-phase": (0x0102030405, 77, 2, "user", "7", 1),
    "another-flag": (0x0102030405, 78, 1, "user", "7", 1),
    "another-environment": (0x0102030406, 77, 1, "user", "7", 1),
    "another-kind": (0x0102030405, 77, 1, "account", "7", 1),
    "another-key": (0x0102030405, 77, 1, "user", "8", 1),
    "all-zero": (0, 0, 0, "", "", 0),
    "all-highest": (2**40 - 1, 2**24 - 1, 2**32, "device", "\ud800 \U0001f6a9", 255),
    "23-and-24": (23, 24, 255, "user", "x" * 300, 24),
    "65535-and-65536": (65_535, 65_536, 256, "user", "é", 23),
    "of-the-page": (0x0102030405, 61_862, 1, "user", "7", 1),
}

EXPOSURES: list[dict[str, Any]] = [
    {
        "id": name,
        "environment": environment,
        "flag_id": flag_id,
        "phase": phase,
        "unit_kind": kind,
        "unit_key": key,
        "variant_id": variant_id,
        "exposure_id": exposure(environment, flag_id, phase, kind, key, variant_id),
    }
    for name, (environment, flag_id, phase, kind, key, variant_id) in _TREATMENTS.items()
]

# Which uses of a decision are exposures: those of an experiment's flag that a split or a rule decided, no replay.
USES: list[dict[str, Any]] = [
    {
        "id": f"use-of-{origin}-{'exposing' if exposes else 'plain'}{'-replayed' if is_replay else ''}",
        "origin": origin,
        "exposes": exposes,
        "is_replay": is_replay,
        "is_exposure": exposes and not is_replay and origin in {"split", "rule"},
    }
    for origin in ORIGINS
    for exposes in (True, False)
    for is_replay in (False, True)
]
