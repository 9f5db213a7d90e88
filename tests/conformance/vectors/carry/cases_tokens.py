"""The cases of override.json: what a verified token claims, and whether it is believed now."""

from typing import Any

from tests.conformance.vectors.carry.judging import Json

NOW_S = 1_800_000_000
DAY_S = 86_400
PAYLOAD: Json = {
    "jti": "o1",
    "aud": "0102030405",
    "iat": NOW_S - 60,
    "exp": NOW_S + 3_600,
    "flag": "checkout",
    "variant": "on",
    "unit": {"kind": "user", "key": "7"},
}
GONE = object()


def read_claims(payload: Json) -> Json | None:
    """What the payload of a token says; None if it is no override's."""
    unit = payload.get("unit")
    if not isinstance(unit, dict):
        return None
    texts = [payload.get(key) for key in ("jti", "flag", "variant")] + [unit.get("kind"), unit.get("key")]
    times = [payload.get("iat"), payload.get("exp")]
    if any(not isinstance(text, str) or not text for text in texts):
        return None
    if len(str(texts[0])) > 64 or any(not (c.isascii() and c.isalnum()) and c not in "._-" for c in str(texts[0])):
        return None
    if any(type(time) is not int or time < 0 for time in times):
        return None
    audience = payload.get("aud")
    if not isinstance(audience, str) or len(audience) != 10 or not set(audience) <= set("0123456789abcdef"):
        return None
    issued_s, until_s = times
    from_s = payload.get("nbf", 0)
    if "nbf" in payload and (type(from_s) is not int or from_s not in range(payload["exp"])):
        return None
    return {
        "id": texts[0],
        "environment": int(audience, 16),
        "flag": texts[1],
        "variant": texts[2],
        "unit_kind": texts[3],
        "unit_key": texts[4],
        "issued_s": issued_s,
        "until_s": until_s,
        "from_s": from_s,
    }


def refusal(claims: Json, key_id: str, ruleset: Json, now_s: int) -> str | None:
    """Why it is not believed now, by the first rule that it breaks."""
    signer = ruleset["signers"].get(key_id, {"use": None, "until_s": None})
    flag = ruleset["flags"].get(claims["flag"], {"overridable": None, "variants": []})
    signer_until_s = now_s + 1 if signer["until_s"] is None else signer["until_s"]
    rules = [
        ("unknown_signer", signer["use"] is None),
        ("signer_expired", now_s >= signer_until_s),
        ("signer_use", signer["use"] != "override"),
        ("revoked", claims["id"] in ruleset["revocations"]),
        ("expired", now_s >= claims["until_s"]),
        ("not_yet_valid", max(claims["issued_s"], claims["from_s"]) > now_s + 60),
        ("too_long", claims["until_s"] - claims["issued_s"] > 7 * DAY_S),
        ("environment", claims["environment"] != ruleset["environment"]["id"]),
        ("unknown_flag", flag["overridable"] is None),
        ("not_overridable", not flag["overridable"]),
        ("unknown_variant", claims["variant"] not in [each["key"] for each in flag["variants"]]),
    ]
    return next((name for name, is_broken in rules if is_broken), None)


CLAIMS: list[Json] = []
REFUSALS: list[Json] = []


def payload(**changes: Any) -> Json:
    return {key: said for key, said in (PAYLOAD | changes).items() if said is not GONE}


def claims(name: str, why: str, said: Json) -> None:
    CLAIMS.append({"id": name, "why": why, "payload": said, "claims": read_claims(said)})


claims("claims", "All that a token says.", payload())
claims("claims-unknown-ones", "What is not known is passed over.", payload(sub="tester", scope=["x"], later=1))
claims("claims-in-another-unit", "Any kind of unit.", payload(unit={"kind": "account", "key": "acme"}))
claims(
    "claims-of-the-lowest-environment", "The audience is the environment's id, ten digits.", payload(aud="0000000000")
)
claims("claims-of-the-highest-environment", "The audience is the environment's id, ten digits.", payload(aud="f" * 10))
for key in PAYLOAD:
    claims(f"claims-without-{key}", "None of them may be missing.", payload(**{key: GONE}))
for key in ("jti", "flag", "variant"):
    claims(f"claims-empty-{key}", "Nor empty.", payload(**{key: ""}))
    claims(f"claims-number-{key}", "Nor of another type.", payload(**{key: 7}))
claims("claims-longest-jti", "An id has up to 64 characters.", payload(jti="Az09._-" + "o" * 57))
claims("claims-long-jti", "Not more.", payload(jti="o" * 65))
claims("claims-strange-jti", "Of letters, digits, dot, underscore and dash.", payload(jti="o 1"))
claims("claims-line-end-jti", "And nothing behind them.", payload(jti="o1\n"))
WRONG_AUDIENCES = {
    "upper-case": "0102030A0F",
    "short": "102030405",
    "long": "00102030405",
    "key": "production",
    "list": ["0102030405"],
    "number": 4_328_719_365,
    "sign": "+102030405",
    "line-end": "0102030405\n",
}
for key, said in WRONG_AUDIENCES.items():
    claims(f"claims-audience-{key}", "An environment has one spelling.", payload(aud=said))
for key, said in {"text": "1800000000", "float": 1_800_000_000.5, "negative": -1, "bool": True, "null": None}.items():
    claims(f"claims-expiry-{key}", "Times are whole seconds since 1970.", payload(exp=said))
    claims(f"claims-issued-{key}", "Times are whole seconds since 1970.", payload(iat=said))
    claims(f"claims-from-{key}", "Times are whole seconds since 1970.", payload(nbf=said))
claims("claims-from-1970", "It may say from when on it counts.", payload(nbf=0))
claims("claims-from-before-it-was-issued", "Whenever that is.", payload(nbf=NOW_S - DAY_S))
claims("claims-from-its-last-second", "Before its end.", payload(nbf=NOW_S + 3_599))
claims("claims-from-its-end", "Not at it: it would never count.", payload(nbf=NOW_S + 3_600))
claims("claims-from-its-end-in-1970", "Wherever that is.", payload(nbf=0, exp=0))
claims("claims-that-end-in-1970", "Who says nothing of it says nothing wrong.", payload(exp=0))
for key, said in {
    "text": "7",
    "no-key": {"kind": "user"},
    "no-kind": {"key": "7"},
    "number": {"kind": "user", "key": 7},
}.items():
    claims(f"claims-unit-{key}", "A unit is kind and key, both text.", payload(unit=said))

RULESET: Json = {
    "environment": {"id": 0x0102030405, "key": "production", "salt": "salt"},
    "epoch": 5,
    "revision": 60,
    "flags": {
        key: {
            "key": key,
            "id": number,
            "type": "boolean",
            "variants": [{"key": "on", "id": 1, "value": True}, {"key": "off", "id": 2, "value": False}],
            "off": "off",
            "fallthrough": {"variant": "off"},
            "overridable": is_overridable,
        }
        for key, number, is_overridable in (("checkout", 77, True), ("payment", 78, False))
    },
    "signers": {
        key_id: {"id": key_id, "key": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "use": use, "until_s": until_s}
        for key_id, use, until_s in (
            ("k1", "override", None),
            ("ending", "override", NOW_S + 10),
            ("ended", "override", NOW_S),
            ("killer", "kill", None),
            ("ended-killer", "kill", NOW_S - 1),
        )
    },
    "revocations": {"o2": {"id": "o2", "until_s": NOW_S + DAY_S}},
}


def believed(name: str, why: str, *, key_id: str = "k1", now_s: int = NOW_S, **changes: Any) -> None:
    said = payload(**changes)
    read = read_claims(said)
    assert read is not None
    refused = refusal(read, key_id, RULESET, now_s)
    REFUSALS.append({"id": name, "why": why, "payload": said, "key_id": key_id, "now_s": now_s, "refusal": refused})


believed("believed", "A signer that is known, a flag on the allowlist, in time.")
believed("unknown-signer", "The ruleset has no such key: it was taken away, or never there.", key_id="k9")
believed("signer-of-nothing", "A key without a name is none.", key_id="")
believed("signer-ending", "Believed before its end.", key_id="ending")
believed("signer-ended", "Not at it.", key_id="ended")
believed("signer-of-kills", "A key that signs kills signs no overrides.", key_id="killer")
believed("signer-of-kills-ended", "Which is asked after its end.", key_id="ended-killer")
believed("revoked", "Taken back.", jti="o2")
believed("revoked-and-expired", "Which is asked before its end.", jti="o2", exp=NOW_S - 1)
believed("second-before-its-end", "Believed before its end.", exp=NOW_S + 1)
believed("at-its-end", "Not at it.", exp=NOW_S)
believed("after-its-end", "Nor after it.", exp=NOW_S - DAY_S, iat=NOW_S - 2 * DAY_S)
believed("issued-ahead", "Clocks differ: up to a minute ahead.", iat=NOW_S + 60)
believed("issued-too-far-ahead", "No more.", iat=NOW_S + 61)
believed("counts-from-now", "It counts from its nbf on.", nbf=NOW_S)
believed("counts-from-before-it-was-issued", "Whenever that was.", nbf=1)
believed("counts-from-ahead", "Clocks differ: up to a minute ahead.", nbf=NOW_S + 60)
believed("counts-from-too-far-ahead", "No more, whenever it was issued.", nbf=NOW_S + 61)
believed("counts-later-and-has-begun", "Believed once its time has come.", nbf=NOW_S + 61, now_s=NOW_S + 1)
believed("counts-from-now-and-issued-too-far-ahead", "The later of the two.", nbf=NOW_S, iat=NOW_S + 61)
believed("counts-later-and-for-long", "Which is asked first.", nbf=NOW_S + 61, exp=NOW_S + 8 * DAY_S)
believed("for-a-week-of-which-it-counts-a-second", "At most a week, from its issue.", nbf=NOW_S, exp=NOW_S + 8 * DAY_S)
believed("a-week", "At most a week.", iat=NOW_S - 100, exp=NOW_S - 100 + 7 * DAY_S)
believed("over-a-week", "No more.", iat=NOW_S - 100, exp=NOW_S - 99 + 7 * DAY_S)
believed("over-a-week-and-ended", "A token that has ended has ended.", iat=1, exp=NOW_S)
believed("before-it-was-issued", "One that ends before it began has ended.", iat=NOW_S + 60, exp=NOW_S - 60)
believed("other-environment", "Its audience is one environment.", aud="0102030406")
believed("unknown-flag", "The flag is not here.", flag="gone")
believed("not-overridable", "The author does not allow it.", flag="payment")
believed("unknown-variant", "The flag has no such variant.", variant="gone")
believed("variant-in-another-case", "Keys are compared exactly.", variant="ON")
believed("off-variant", "The off variant is one like any other.", variant="off")
believed("any-unit", "Whether the unit is meant is asked at each use.", unit={"kind": "account", "key": "acme"})
believed(
    "all-wrong", "The first rule that is broken is told.", key_id="k9", jti="o2", exp=1, aud="0000000000", flag="gone"
)
