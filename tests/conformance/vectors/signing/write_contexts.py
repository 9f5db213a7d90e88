"""Writes contexts.json. Tokens are put together by hand here, so that the vectors do not say what the library does.

    python tests/conformance/vectors/signing/write_contexts.py

Ed25519 is deterministic: running it again writes the same file. The gateway's key is that of RFC 8037, appendix A.
"""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GATEWAY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
BILLING = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NOW_S = 1_795_256_100
DAY_S = 86_400
HEADER = {"alg": "Ed25519", "typ": "pennon-context+jwt", "kid": "g1"}
CLAIMS: dict[str, Any] = {
    "iss": "gateway",
    "aud": "posts",
    "iat": NOW_S - 100,
    "exp": NOW_S + 200,
    "sub": "user-991",
    "tenant": "tenant-42",
    "actor_type": "HUMAN",
    "units": {"user": "991"},
}
ADA = {
    "tenant": "tenant-42",
    "actor": "user-991",
    "actor_type": "HUMAN",
    "on_behalf_of": None,
    "units": {"user": "991"},
}
LATE = ADA | {"actor": "system:feed", "actor_type": "SYSTEM", "on_behalf_of": "user-991"}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(claims: dict[str, Any], *, key: Ed25519PrivateKey = GATEWAY, **header: Any) -> str:
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (HEADER | header, claims))
    signed = ".".join(map(encoded, parts))
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name not in names}


def case(
    name: str,
    text: str,
    expected: object,
    *,
    now_s: int = NOW_S,
    topic: str | None = None,
    audiences: Sequence[str] = ("posts",),
) -> dict[str, Any]:
    """topic: of the record; None: a request. expected: the identity, or why there is none."""
    return {
        "id": name, "token": text, "now_s": now_s, "topic": topic, "audiences": audiences, "expected": expected
    }  # fmt: skip


GOOD = token(CLAIMS)
SUPPORT = CLAIMS | {"sub": "agent-3", "actor_type": "SUPPORT", "on_behalf_of": "user-991"}
NOBODY = dict.fromkeys(ADA) | {"units": {}}
CASES = [
    case("good", GOOD, ADA),
    case("claims-unknown-here", token(CLAIMS | {"jti": "x", "scope": ["a"]}), ADA),
    case("support", token(SUPPORT), ADA | {"actor": "agent-3", "actor_type": "SUPPORT", "on_behalf_of": "user-991"}),
    case("nobody", token(without("sub", "tenant", "actor_type", "units")), NOBODY),
    case("last-second", GOOD, ADA, now_s=NOW_S + 204),
    case("expired", GOOD, "expired", now_s=NOW_S + 205),
    case("record-in-time", GOOD, ADA, topic="posts"),
    case("record-late", GOOD, LATE, now_s=NOW_S + 205, topic="posts"),
    case("record-of-a-month-ago", GOOD, LATE, now_s=NOW_S + 30 * DAY_S, topic="posts"),
    case("record-too-old", GOOD, "too_old", now_s=NOW_S + 91 * DAY_S, topic="posts"),
    case(
        "record-late-of-a-system-for-somebody",
        token(CLAIMS | {"sub": "system:mover", "actor_type": "SYSTEM", "on_behalf_of": "user-991"}),
        LATE,
        now_s=NOW_S + DAY_S,
        topic="posts",
    ),
    case("record-late-and-forged", token(CLAIMS, key=BILLING), "bad_signature", now_s=NOW_S + DAY_S, topic="posts"),
    case("issued-within-the-leeway", token(CLAIMS | {"iat": NOW_S + 5}), ADA),
    case("issued-in-the-future", token(CLAIMS | {"iat": NOW_S + 6}), "not_yet_valid"),
    case("counts-from-now", token(CLAIMS | {"nbf": NOW_S}), ADA),
    case("counts-from-within-the-leeway", token(CLAIMS | {"nbf": NOW_S + 5}), ADA),
    case("counts-later", token(CLAIMS | {"nbf": NOW_S + 6}), "not_yet_valid"),
    case("counts-later-than-its-time-of-issue", token(CLAIMS | {"nbf": NOW_S + 100}), "not_yet_valid"),
    case("counts-later-and-has-begun", token(CLAIMS | {"nbf": NOW_S + 100}), ADA, now_s=NOW_S + 95),
    case("record-that-counts-later", token(CLAIMS | {"nbf": NOW_S + 6}), "not_yet_valid", topic="posts"),
    case("record-late-that-had-to-wait", token(CLAIMS | {"nbf": NOW_S + 6}), LATE, now_s=NOW_S + DAY_S, topic="posts"),
    case("counts-from-before-its-time-of-issue", token(CLAIMS | {"nbf": NOW_S - DAY_S}), ADA),
    case("counts-from-1970", token(CLAIMS | {"nbf": 0}), ADA),
    case("counts-from-before-1970", token(CLAIMS | {"nbf": -1}), "claims"),
    case("counts-from-a-fraction", token(CLAIMS | {"nbf": NOW_S + 0.5}), "claims"),
    case("counts-from-a-text", token(CLAIMS | {"nbf": str(NOW_S)}), "claims"),
    case("counts-from-null", token(CLAIMS | {"nbf": None}), "claims"),
    case("counts-from-when-it-ends", token(CLAIMS | {"nbf": NOW_S + 200}), "claims"),
    case("counts-for-a-second", token(CLAIMS | {"nbf": NOW_S + 199}), ADA, now_s=NOW_S + 199),
    case("lives-too-long", token(CLAIMS | {"iat": NOW_S - 3_606, "exp": NOW_S + DAY_S}), "too_old"),
    case("another-audience", token(CLAIMS | {"aud": "feed"}), "wrong_audience"),
    case("one-of-the-service-s-names", GOOD, ADA, audiences=("feed", "posts")),
    case("of-its-topic", GOOD, ADA, topic="posts", audiences=("posts", "likes")),
    case("of-another-topic", GOOD, "wrong_audience", topic="likes", audiences=("posts", "likes")),
    case(
        "of-another-topic-late",
        GOOD,
        "wrong_audience",
        now_s=NOW_S + DAY_S,
        topic="likes",
        audiences=("posts", "likes"),
    ),
    case("of-a-topic-that-no-audience-is-called-after", GOOD, ADA, topic="posts.v2", audiences=("posts", "likes")),
    case("several-audiences", token(CLAIMS | {"aud": ["posts", "feed"]}), "claims"),
    case("no-audience", token(without("aud")), "claims"),
    case("no-expiry", token(without("exp")), "claims"),
    case("no-time-of-issue", token(without("iat")), "claims"),
    case("expiry-with-a-fraction", token(CLAIMS | {"exp": NOW_S + 0.5}), "claims"),
    case("expiry-before-issue", token(CLAIMS | {"iat": NOW_S + 300}), "claims"),
    case("no-issuer", token(without("iss")), "malformed"),
    case("unknown-issuer", token(CLAIMS | {"iss": "nobody"}), "unknown_issuer"),
    case("speaks-for-another-by-its-own-key", token(CLAIMS, key=BILLING, kid="b1"), "unknown_key"),
    case("speaks-for-another-by-its-key-s-name", token(CLAIMS, key=BILLING), "bad_signature"),
    case("billing-speaks-for-itself", token(CLAIMS | {"iss": "billing"}, key=BILLING, kid="b1"), ADA),
    case("actor-is-an-address", token(CLAIMS | {"sub": "ada@example.org"}), "claims"),
    case("actor-type-unknown", token(CLAIMS | {"actor_type": "GOD"}), "claims"),
    case("supporter-of-nobody", token(CLAIMS | {"actor_type": "SUPPORT"}), "claims"),
    case("for-somebody-by-nobody", token(without("sub", "actor_type") | {"on_behalf_of": "user-7"}), "claims"),
    case("unit-with-a-space", token(CLAIMS | {"units": {"user": "a b"}}), "claims"),
    case("an-override", token(CLAIMS, typ="pennon-override+jwt"), "wrong_type"),
    case("a-plain-jwt", token(CLAIMS, typ="JWT"), "wrong_type"),
    case("no-algorithm", token(CLAIMS, alg="none"), "wrong_algorithm"),
    case("algorithm-named-without-its-curve", token(CLAIMS, alg="EdDSA"), "wrong_algorithm"),
    case("padded", GOOD + "=", "malformed"),
]


def main() -> None:
    document = {
        "about": "Signed contexts as the service 'feed' is shown them, addressed as one of the audiences. topic: of "
        "the record, null for a request; where it is itself one of the audiences, no other counts. expected: the "
        "identity, or why there is none. Leeway 5 s; a request's token counts for an hour at most, a record's for 90 "
        "days.",
        "service": "feed",
        "issuers": {
            "gateway": {"g1": encoded(GATEWAY.public_key().public_bytes_raw())},
            "billing": {"b1": encoded(BILLING.public_key().public_bytes_raw())},
        },
        "cases": CASES,
    }
    path = Path(__file__).with_name("contexts.json")
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
