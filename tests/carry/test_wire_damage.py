"""What a damaged member says: groups that were there, or fewer.

How sure that is: the checksum is linear, so a change of a group goes unseen exactly if the change, taken as a group by
itself, has the checksum 0. `_syndromes` gives that for each single bit. What follows from their ranks holds for every
group and every change, not only for those that somebody tried; examples come on top.
"""

import base64
import random
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import GroupFault, decode, encode_entries
from pennon.context import Entry, Origin

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
SHORTEST_BYTES = 25
UNBOUNDED = 1_000_000

entries_of_any = st.builds(
    Entry,
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**24 - 1),
    st.sampled_from([29_925_600, 29_925_601]),
    st.integers(0, 2**24 - 1),
    st.integers(0, 255),
    st.sampled_from(Origin),
    st.one_of(st.integers(0, 2**16), st.integers(0, 2**56 - 1)),
)
members = st.lists(entries_of_any, min_size=1, max_size=6)


@given(members, st.booleans(), st.data())
def test_decode_of_one_damaged_character_gives_whole_groups(
    entries: list[Entry], is_replay: bool, data: st.DataObject
) -> None:
    """Cut, replaced, repeated, or another put before it."""
    value = encode_entries(entries, is_replay=is_replay, budget_bytes=UNBOUNDED).value
    at = data.draw(st.integers(0, len(value) - 1))
    sign = data.draw(st.one_of(st.sampled_from(["%", "=", " ", "%2E", *SIGNS]), st.characters()))
    instead = data.draw(st.sampled_from(["", sign, value[at] * 2, sign + value[at]]))
    _demand_whole_groups(value, value[:at] + instead + value[at + 1 :])


@given(members, st.booleans(), st.data())
def test_decode_of_one_damaged_byte_gives_whole_groups(
    entries: list[Entry], is_replay: bool, data: st.DataObject
) -> None:
    """The same below base64: a byte of a group cut, flipped, repeated or put in."""
    value = encode_entries(entries, is_replay=is_replay, budget_bytes=UNBOUNDED).value
    groups = value.split(".")
    number = data.draw(st.integers(0, len(groups) - 1))
    raw = _bytes_of(groups[number])
    at, byte = data.draw(st.integers(0, len(raw) - 1)), bytes([data.draw(st.integers(0, 255))])
    instead = data.draw(st.sampled_from([b"", byte, raw[at : at + 1] * 2, byte + raw[at : at + 1]]))
    groups[number] = _text_of(raw[:at] + instead + raw[at + 1 :])
    _demand_whole_groups(value, ".".join(groups))


@given(members, st.data())
def test_decode_of_a_cut_value_gives_whole_groups(entries: list[Entry], data: st.DataObject) -> None:
    """A member that begins anywhere, or ends anywhere."""
    value = encode_entries(entries, budget_bytes=UNBOUNDED).value
    begin, end = sorted((data.draw(st.integers(0, len(value))), data.draw(st.integers(0, len(value)))))
    _demand_whole_groups(value, value[begin:end])


@given(members, st.data())
def test_decode_of_shuffled_groups_gives_all(entries: list[Entry], data: st.DataObject) -> None:
    """Reordered and doubled groups say the same set, up to which of one revision stands first."""
    unique = {(each.environment, each.epoch, each.fingerprint, each.flag_id): each for each in entries}
    value = encode_entries(list(unique.values()), budget_bytes=UNBOUNDED).value
    groups = value.split(".")
    shuffled = data.draw(st.permutations(groups)) + data.draw(st.lists(st.sampled_from(groups), max_size=3))
    assert set(unique.values()) == set(decode(".".join(shuffled)).entries)


def test_checksum_sees_every_change_within_29_bits() -> None:
    """Hence of three bytes or four characters that stand together, wherever; four bytes before the checksum too."""
    for length in (5, SHORTEST_BYTES, 100):
        syndromes = _syndromes(length)
        for at in range(len(syndromes)):
            burst = syndromes[at : at + 29]
            assert len(burst) == _rank(burst)
        for at in range(0, len(syndromes) - 64 + 1, 8):
            assert 32 == _rank(syndromes[at : at + 32])


def test_checksum_overlooks_one_random_change_in_2_to_the_32() -> None:
    """Of all changes of n bits, 2 ** (n - 32) have the checksum of none: their map to 32 bits is onto."""
    for length in (5, SHORTEST_BYTES, 26, 383):
        assert 32 == _rank(_syndromes(length))


@pytest.mark.slow
def test_decode_of_randomly_damaged_groups_gives_nothing() -> None:
    """100,000 tries; a checksum of 16 bits would let one or two pass."""
    entries = [Entry(7, 7, 7, 7, number, 1, Origin.SPLIT, 300) for number in range(3)]
    raw = _bytes_of(encode_entries(entries).value)
    drawn = random.Random(7)
    for _ in range(100_000):
        begin, end = sorted(drawn.sample(range(len(raw) + 1), 2))
        damaged = raw[:begin] + drawn.randbytes(end - begin) + raw[end:]
        assert damaged == raw or () == decode(_text_of(damaged)).entries


@pytest.mark.parametrize("value", ["é", "\ud800", "\x00", "A" * 33 + "\u0660", "\uff0e", "=" * 34, "+" * 34, "/" * 34])
def test_decode_of_foreign_characters_drops_the_group(value: str) -> None:
    """Whatever a decoder in C takes for a digit or for padding."""
    assert ((), 1) == (decode(value).entries, len(decode(value).dropped))


def test_decode_of_a_revision_that_runs_into_the_checksum_drops_the_group() -> None:
    """Whatever the checksum begins with: what could be the number's last byte, and what could not."""
    for number in range(256):
        body = bytes((*range(15), 0, 0, number, 1, 0, 0x81))
        decoded = decode(_text_of(body + crc32(body).to_bytes(4, "big")))
        assert ((), (GroupFault.DECISION,)) == (decoded.entries, decoded.dropped)


def _demand_whole_groups(value: str, damaged: str) -> None:
    """What is read of the damaged value are entries of whole groups of the other, marks included."""
    here, there = decode(damaged), decode(value)
    whole = set(value.split(".")) & set(damaged.split("."))
    assert set(decode(".".join(group for group in value.split(".") if group in whole)).entries) == set(here.entries)
    assert there.is_replay >= here.is_replay
    assert there.was_cut >= here.was_cut


def _bytes_of(group: str) -> bytes:
    return base64.urlsafe_b64decode(group + "=" * (-len(group) % 4))


def _text_of(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _syndromes(length: int) -> list[int]:
    """For each bit of a group, first to last, what flipping it does to the difference of checksum said and computed."""
    body = bytes(length - 4)
    flips = [(1 << (8 * length - 1 - at)).to_bytes(length, "big") for at in range(8 * length)]
    return [crc32(flip[:-4]) ^ crc32(body) ^ int.from_bytes(flip[-4:], "big") for flip in flips]


def _rank(vectors: list[int]) -> int:
    """How many of them are independent over GF(2)."""
    basis: dict[int, int] = {}
    for vector in vectors:
        left = vector
        while left and left.bit_length() in basis:
            left ^= basis[left.bit_length()]
        if left:
            basis[left.bit_length()] = left
    return len(basis)
