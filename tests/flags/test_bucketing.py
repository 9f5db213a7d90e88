"""Bucketing against published vectors, hand-built bytes and a plain reference; statistics of what it gives."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.flags import BUCKETS, Algo, bucket_of, cbor_text, member_hash

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)


def murmur3_32(data: bytes, seed: int = 0) -> int:
    """MurmurHash3_x86_32 as its author published it, word by word."""
    mask, h = 0xFFFFFFFF, seed
    body = len(data) & ~3
    for at in [*range(0, body, 4), body]:
        k = int.from_bytes(data[at : at + 4], "little") * 0xCC9E2D51 & mask
        h ^= ((k << 15 | k >> 17) & mask) * 0x1B873593 & mask
        if at < body:
            h = ((h << 13 | h >> 19) & mask) * 5 + 0xE6546B64 & mask
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    return h ^ h >> 16


def murmur3_x64_h1(data: bytes) -> int:
    """The first word of MurmurHash3_x64_128, seed 0, as its author published it."""
    mask, c1, c2 = 2**64 - 1, 0x87C37B91114253D5, 0x4CF5AD432745937F

    def rotated(x: int, by: int) -> int:
        return (x << by | x >> 64 - by) & mask

    def mixed(x: int) -> int:
        x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD & mask
        x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 & mask
        return x ^ x >> 33

    h1 = h2 = 0
    body = len(data) & ~15
    for at in [*range(0, body, 16), body]:
        k1, k2 = (int.from_bytes(data[at + off : at + off + 8], "little") for off in (0, 8))
        h1 ^= rotated(k1 * c1 & mask, 31) * c2 & mask
        if at < body:
            h1 = (rotated(h1, 27) + h2) * 5 + 0x52DCE729 & mask
        h2 ^= rotated(k2 * c2 & mask, 33) * c1 & mask
        if at < body:
            h2 = (rotated(h2, 31) + h1) * 5 + 0x38495AB5 & mask
    h1, h2 = h1 ^ len(data), h2 ^ len(data)
    h1 = h1 + h2 & mask
    h2 = h2 + h1 & mask
    return mixed(h1) + mixed(h2) & mask


# Verification values in wide use; first collected at https://stackoverflow.com/a/31929528 (I. Boyd).
PUBLISHED_32 = [
    ("", 0, 0),
    ("", 1, 0x514E28B7),
    ("", 0xFFFFFFFF, 0x81F16F39),
    ("ffffffff", 0, 0x76293B50),
    ("21436587", 0, 0xF55B516B),
    ("21436587", 0x5082EDEE, 0x2362F9DE),
    ("214365", 0, 0x7E4A8634),
    ("2143", 0, 0xA0F7B07A),
    ("21", 0, 0x72661CF4),
    ("00000000", 0, 0x2362F9DE),
    ("000000", 0, 0x85F0B427),
    ("0000", 0, 0x30F4C306),
    ("00", 0, 0x514E28B7),
    (b"aaaa".hex(), 0x9747B28C, 0x5A97808A),
    (b"Hello, world!".hex(), 0x9747B28C, 0x24884CBA),
    ("ππππππππ".encode().hex(), 0x9747B28C, 0xD58063C1),
    (b"The quick brown fox jumps over the lazy dog".hex(), 0x9747B28C, 0x2FA826CD),
]

# From the test suites of the implementations in Go (spaolacci, twmb) and Guava.
PUBLISHED_128 = [
    ("", 0),
    ("hello", 0xCBD8A7B341BD9B02),
    ("hello, world", 0x342FAC623A5EBC8E),
    ("19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC),
    ("The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9),
    ("The quick brown fox jumps over the lazy dog", 0xE34BBC7BBC071B6C),
]


@pytest.mark.parametrize(("data_hex", "seed", "expected"), PUBLISHED_32)
def test_reference_murmur3_32_gives_published_values(data_hex: str, seed: int, expected: int) -> None:
    """The reference that the vectors are held to is murmur3_32."""
    assert expected == murmur3_32(bytes.fromhex(data_hex), seed)


@pytest.mark.parametrize(("text", "expected"), PUBLISHED_128)
def test_reference_murmur3_128_gives_published_values(text: str, expected: int) -> None:
    """The reference that segment members are held to is murmur3_x64_128."""
    assert expected == murmur3_x64_h1(text.encode())


# RFC 8949 appendix A, and the edges between widths of the head.
@pytest.mark.parametrize(
    ("text", "expected_hex"),
    [
        ("", "60"),
        ("a", "6161"),
        ("IETF", "6449455446"),
        ('"\\', "62225c"),
        ("ü", "62c3bc"),
        ("水", "63e6b0b4"),
        ("𐅑", "64f0908591"),
        ("\ud800", "63eda080"),
        ("x" * 23, "77" + "78" * 23),
        ("x" * 24, "7818" + "78" * 24),
        ("x" * 255, "78ff" + "78" * 255),
        ("x" * 256, "790100" + "78" * 256),
        ("x" * 65_536, "7a00010000" + "78" * 65_536),
    ],
)
def test_cbor_text_is_canonical(text: str, expected_hex: str) -> None:
    """The head is the shortest that holds the length in bytes."""
    assert expected_hex == cbor_text(text).hex()


def test_bucket_of_fulfils_the_vectors(vectors: Callable[[str], dict[str, Any]]) -> None:
    """Every vector's bytes hash to its hash in the reference, and its unit to its bucket here."""
    for case in vectors("bucketing")["cases"]:
        text = f"{case['salt']}:{case['unit_key']}"
        encoded = cbor_text(text) if case["algo"] == "m3-cbor" else text.encode("utf-8", "surrogatepass")
        assert case["bytes_hex"] == encoded.hex()
        assert case["hash"] == murmur3_32(bytes.fromhex(case["bytes_hex"]))
        assert case["bucket"] == bucket_of(case["algo"], case["salt"], case["unit_key"])


@given(algo=st.sampled_from(Algo), salt=st.text(max_size=10), unit_key=ANY_TEXT)
def test_bucket_of_agrees_with_the_reference(algo: Algo, salt: str, unit_key: str) -> None:
    """Any key of any length, lone surrogates included, gets the bucket that the definition gives."""
    body = f"{salt}:{unit_key}".encode("utf-8", "surrogatepass")
    long_head = b"\x79" + len(body).to_bytes(2) if len(body) > 255 else b"\x78" + bytes([len(body) & 255])
    head = bytes([0x60 + len(body)]) if len(body) < 24 else long_head
    assert murmur3_32(head + body if algo == "m3-cbor" else body) * 100_000 >> 32 == bucket_of(algo, salt, unit_key)


def test_bucket_of_refuses_an_unknown_algo() -> None:
    """A bucket by another hash would be a wrong one."""
    with pytest.raises(ValueError, match="sha1"):
        bucket_of("sha1", "s", "user-7")


@given(salt=st.text(max_size=10), key=ANY_TEXT)
def test_member_hash_agrees_with_the_reference(salt: str, key: str) -> None:
    """A listed key is the first word of murmur3_x64_128, as 16 hex digits."""
    data = f"{salt}:{key}".encode("utf-8", "surrogatepass")
    assert f"{murmur3_x64_h1(data):016x}" == member_hash(salt, key)


def chi_square_limit(freedom: int, z: float) -> float:
    """The quantile of chi-square at the normal quantile z by Wilson and Hilferty (1931), a few per mille off."""
    part = 2 / (9 * freedom)
    return freedom * (1 - part + z * math.sqrt(part)) ** 3


def chi_square(observed: Counter[Any], cells: int, total: int) -> float:
    """How far counts lie from equal ones."""
    even = total / cells
    return sum((observed[cell] - even) ** 2 for cell in observed) / even + even * (cells - len(observed))


@pytest.mark.slow
@pytest.mark.parametrize("algo", Algo)
def test_buckets_are_uniform(algo: Algo) -> None:
    """100,000 numbered users fall evenly into 100 parts.

    The keys and salts are fixed; of ideal hashes one in a million would fail for a salt.
    """
    count = 100_000
    for salt in ("checkout", "s", "7f3a"):
        parts = Counter(bucket_of(algo, salt, f"user-{number}") // (BUCKETS // 100) for number in range(count))
        assert chi_square(parts, 100, count) < chi_square_limit(99, 4.753)


@pytest.mark.slow
@pytest.mark.parametrize("algo", Algo)
def test_buckets_of_two_salts_are_independent(algo: Algo) -> None:
    """Where one split puts a user says nothing about where another does, also if their salts are nearly equal.

    The keys and salts are fixed; of ideal hashes one in a million would fail for a pair.
    """
    count = 50_000
    keys = [f"user-{number}" for number in range(count)]
    for one, other in (("a", "b"), ("salt-1", "salt-2"), ("checkout", "checkout2")):
        cells = Counter(
            (bucket_of(algo, one, key) * 10 // BUCKETS, bucket_of(algo, other, key) * 10 // BUCKETS) for key in keys
        )
        # The margins are uniform too, so 99 degrees of freedom.
        assert chi_square(cells, 100, count) < chi_square_limit(99, 4.753)
