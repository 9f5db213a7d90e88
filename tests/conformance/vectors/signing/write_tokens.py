"""Writes tokens.json. Tokens are put together by hand here, so that the vectors do not say what the library does.

    python tests/conformance/vectors/signing/write_tokens.py

Ed25519 is deterministic: running it again writes the same file. The key is that of RFC 8037, appendix A.
"""

import base64
import hmac
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY = Ed25519PrivateKey.from_private_bytes(
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
)
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KID = "90facafea9b15566"
HEADER = {"alg": "Ed25519", "typ": "pennon-override+jwt", "kid": KID}
CLAIMS: dict[str, Any] = {
    "jti": "8c1f2e3d4a5b6c7d",
    "aud": "70b0ee12cd",
    "iat": 1795266000,
    "exp": 1795269600,
    "flag": "new-checkout",
    "variant": "on",
    "unit": {"kind": "user", "key": "7"},
}


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def json_of(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def token(header: object = HEADER, claims: object = CLAIMS, *, key: Ed25519PrivateKey = KEY) -> str:
    parts = (part if isinstance(part, bytes) else json_of(part) for part in (header, claims))
    signed = ".".join(map(encoded, parts))
    return f"{signed}.{encoded(key.sign(signed.encode()))}"


def public(key: Ed25519PrivateKey) -> str:
    return encoded(key.public_key().public_bytes_raw())


def hashed(algorithm: str, digest: str, secret: bytes) -> str:
    """A token whose secret is what everybody knows: the public key."""
    signed = f"{encoded(json_of(HEADER | {'alg': algorithm}))}.{encoded(json_of(CLAIMS))}"
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), digest).digest())}"


def padded_to(length: int) -> str:
    """A good token of so many characters. Base64 leaves lengths out; header and claims together reach every one."""
    grown = (
        token(HEADER | {"x": "y" * more}, CLAIMS | {"note": "x" * size}) for size in range(length) for more in range(4)
    )
    return next(text for text in grown if len(text) == length)


GOOD = token()
BODY, _, SIGNATURE = GOOD.rpartition(".")
RAW = KEY.public_key().public_bytes_raw()
SPARE = {"A": "B", "Q": "R", "g": "h", "w": "x"}[GOOD[-1]]
PEM = b"-----BEGIN PUBLIC KEY-----\n" + base64.b64encode(bytes.fromhex("302a300506032b6570032100") + RAW)

REFUSED = {
    "unknown_key": {
        "key-unknown": token(HEADER | {"kid": "0123456789abcdef"}),
        "key-not-named": token({"alg": "Ed25519", "typ": "pennon-override+jwt"}),
    },
    "bad_signature": {
        "signed-by-another-key": token(key=OTHER),
        "signature-of-other-claims": f"{BODY}.{token(claims=CLAIMS | {'variant': 'off'}).rpartition('.')[2]}",
        "claims-of-another-token": (
            f"{GOOD.partition('.')[0]}.{encoded(json_of(CLAIMS | {'variant': 'off'}))}.{SIGNATURE}"
        ),
        "signature-of-zeros": f"{BODY}.{'A' * 86}",
    },
    "wrong_type": {
        "type-of-a-kill": token(HEADER | {"typ": "pennon-kill+jwt"}),
        "type-jwt": token(HEADER | {"typ": "JWT"}),
        "type-in-capitals": token(HEADER | {"typ": "PENNON-OVERRIDE+JWT"}),
        "type-missing": token({"alg": "Ed25519", "kid": KID}),
    },
    "wrong_algorithm": {
        "algorithm-none": token(HEADER | {"alg": "none"}),
        "algorithm-none-in-capitals": token(HEADER | {"alg": "NONE"}),
        "algorithm-empty": token(HEADER | {"alg": ""}),
        "algorithm-eddsa": token(HEADER | {"alg": "EdDSA"}),
        "rfc-8037-a4-which-says-eddsa": (
            "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc."
            "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
        ),
        "algorithm-in-lower-case": token(HEADER | {"alg": "ed25519"}),
        "algorithm-in-capitals": token(HEADER | {"alg": "ED25519"}),
        "algorithm-with-a-space": token(HEADER | {"alg": "Ed25519 "}),
        "algorithm-ed25519ph": token(HEADER | {"alg": "Ed25519ph"}),
        "algorithm-ed448": token(HEADER | {"alg": "Ed448"}),
        "algorithm-es256": token(HEADER | {"alg": "ES256"}),
        "algorithm-hs256": token(HEADER | {"alg": "HS256"}),
        "hs512-with-the-public-key": hashed("HS512", "sha512", RAW),
        "hs512-with-the-public-key-as-text": hashed("HS512", "sha512", public(KEY).encode()),
        "hs512-with-the-public-key-as-pem": hashed("HS512", "sha512", PEM + b"\n-----END PUBLIC KEY-----\n"),
    },
    "malformed": {
        "empty": "",
        "dots": "..",
        "hs256-with-the-public-key": hashed("HS256", "sha256", RAW),
        "algorithm-none-without-signature": f"{encoded(json_of(HEADER | {'alg': 'none'}))}.{encoded(json_of(CLAIMS))}.",
        "algorithm-missing": token({"typ": "pennon-override+jwt", "kid": KID}),
        "algorithm-a-number": token(HEADER | {"alg": 1}),
        "algorithm-a-list": token(HEADER | {"alg": ["Ed25519"]}),
        "without-signature": BODY,
        "with-empty-signature": f"{BODY}.",
        "signature-cut": GOOD[:-1],
        "claims-empty": f"{GOOD.partition('.')[0]}..{SIGNATURE}",
        "header-empty": f".{encoded(json_of(CLAIMS))}.{SIGNATURE}",
        "four-parts": f"{GOOD}.{SIGNATURE}",
        "five-parts": f"{GOOD}.{SIGNATURE}.{SIGNATURE}",
        "signature-padded": f"{GOOD}==",
        "signature-with-spare-bits": GOOD[:-1] + SPARE,
        "signature-longer": f"{GOOD}A",
        "line-end-after": f"{GOOD}\n",
        "space-before": f" {GOOD}",
        "space-within": GOOD[:50] + " " + GOOD[50:],
        "plus-for-minus": f"{GOOD[:-3]}+{GOOD[-2:]}",
        "not-ascii": GOOD[:-1] + "\uff21",
        "header-not-json": token(b"alg: Ed25519"),
        "header-not-an-object": token(["Ed25519"]),
        "header-not-utf-8": token(json_of(HEADER)[:-2] + b'\xff"}'),
        "header-too-deep": token(b'{"alg":"Ed25519","typ":"pennon-override+jwt","kid":' + b"[" * 900 + b"}"),
        "header-critical": token(HEADER | {"crit": ["exp"], "exp": 1}),
        "header-critical-empty": token(HEADER | {"crit": []}),
        "header-unencoded-payload": token(HEADER | {"b64": False, "crit": ["b64"]}),
        "header-encoded-payload": token(HEADER | {"b64": True}),
        "key-id-a-number": token(HEADER | {"kid": 7}),
        "claims-not-json": token(claims=b"flag=on"),
        "claims-not-an-object": token(claims=["on"]),
        "claims-not-utf-8": token(claims=b'{"flag":"\xff"}'),
        "claims-too-deep": token(claims=b'{"flag":' + b"[" * 1_100 + b"]" * 50 + b"}"),
    },
    "too_long": {"one-byte-too-long": padded_to(2_049), "far-too-long": "A" * 5_000},
}
BELIEVED = {
    "good": GOOD,
    "header-in-another-order": token({"kid": KID, "typ": "pennon-override+jwt", "alg": "Ed25519"}),
    "header-with-an-unknown-member": token(HEADER | {"x": [1]}),
    "as-long-as-may-be": padded_to(2_048),
}


def main() -> None:
    cases = [
        {"id": name, "token": text, "fault": fault}
        for fault, tokens in REFUSED.items()
        for name, text in tokens.items()
    ]
    document = {
        "about": "Tokens as a replica is shown them, with the one key that it believes. Expiry is not looked at.",
        "type": "pennon-override+jwt",
        "keys": {KID: public(KEY)},
        "believed": [{"id": name, "token": text} for name, text in BELIEVED.items()],
        "claims": CLAIMS,
        "refused": cases,
    }
    path = Path(__file__).with_name("tokens.json")
    path.write_text(json.dumps(document, indent=1, ensure_ascii=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
