"""The wire format under anything: round trips, damage, budgets."""

from hypothesis import given
from hypothesis import strategies as st

from pennon.carry import decode, encode_entries
from pennon.context import Entry, Origin

SIGNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

entries_of_few = st.builds(
    Entry,
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 2),
    st.integers(0, 5),
    st.integers(0, 2),
    st.sampled_from(Origin),
    st.integers(0, 300),
)
entries_of_any = st.builds(
    Entry,
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**24 - 1),
    st.integers(0, 255),
    st.sampled_from(Origin),
    st.one_of(st.integers(0, 2**16), st.integers(0, 2**56 - 1)),
)
entry_lists = st.lists(st.one_of(entries_of_few, entries_of_any), max_size=12)
UNBOUNDED = 1_000_000


def _place(entry: Entry) -> tuple[int, int, int, int]:
    return entry.environment, entry.epoch, entry.fingerprint, entry.flag_id


def _unique(entries: list[Entry]) -> list[Entry]:
    """Of one environment, epoch, unit and flag one entry, as a ledger has it."""
    return list({_place(entry): entry for entry in entries}.values())


@given(entry_lists, st.booleans(), st.booleans())
def test_decode_gives_back_what_was_encoded(entries: list[Entry], was_cut: bool, is_replay: bool) -> None:
    """Nothing is lost, added or changed within the budget."""
    entries = _unique(entries)
    decoded = decode(encode_entries(entries, was_cut=was_cut, is_replay=is_replay, budget_bytes=UNBOUNDED).value)
    assert set(entries) == set(decoded.entries)
    assert (was_cut, is_replay, ()) == (decoded.was_cut, decoded.is_replay, decoded.dropped)


@given(entry_lists)
def test_decode_takes_the_first_of_each_place(entries: list[Entry]) -> None:
    """However groups interleave: of one environment, epoch, unit and flag the entry that stands first on the wire."""
    value = encode_entries(entries, budget_bytes=UNBOUNDED).value
    groups = {(entry.environment, entry.epoch, entry.fingerprint, entry.decided_min): None for entry in entries}
    on_the_wire = [
        entry
        for group in groups
        for entry in entries
        if group == (entry.environment, entry.epoch, entry.fingerprint, entry.decided_min)
    ]
    firsts = {_place(entry): entry for entry in reversed(on_the_wire)}
    assert set(firsts.values()) == set(decode(value).entries)


@given(st.lists(entries_of_any, min_size=1, max_size=6), st.booleans(), st.data())
def test_decode_of_one_damaged_character_gives_a_subset(
    entries: list[Entry], is_replay: bool, data: st.DataObject
) -> None:
    """Cut, replaced or repeated: groups that were there, or fewer; never another decision."""
    value = encode_entries(_unique(entries), is_replay=is_replay, budget_bytes=UNBOUNDED).value
    at = data.draw(st.integers(0, len(value) - 1))
    sign = data.draw(
        st.one_of(st.sampled_from(["", value[at] * 2, "%", "=", " "]), st.sampled_from(SIGNS), st.characters())
    )
    decoded = decode(value[:at] + sign + value[at + 1 :])
    assert set(decoded.entries) <= set(entries)
    assert is_replay or not decoded.is_replay
    assert not decoded.was_cut


@given(st.lists(entries_of_any, min_size=1, max_size=6), st.data())
def test_decode_of_a_cut_value_gives_a_subset(entries: list[Entry], data: st.DataObject) -> None:
    """A member that ends anywhere, or begins anywhere."""
    value = encode_entries(_unique(entries), budget_bytes=UNBOUNDED).value
    begin, end = sorted((data.draw(st.integers(0, len(value))), data.draw(st.integers(0, len(value)))))
    assert set(decode(value[begin:end]).entries) <= set(entries)


@given(st.one_of(st.text(), st.text(alphabet=SIGNS, max_size=400), st.text(alphabet="A.", max_size=60)))
def test_decode_never_raises_and_counts_every_group(value: str) -> None:
    """Any text at all: it has no decisions that nobody made, and each group is accounted for."""
    decoded = decode(value)
    assert () == decoded.entries
    assert (value.count(".") + 1 if value else 0) >= len(decoded.dropped)


@given(st.binary(max_size=60), st.booleans())
def test_decode_never_raises_behind_a_right_checksum(body: bytes, as_decisions: bool) -> None:
    """Bytes that somebody checksummed on purpose: read, or dropped whole; what is read can be written again."""
    import base64
    import zlib

    body = bytes(15) + body if as_decisions else body
    raw = body + zlib.crc32(body).to_bytes(4, "big")
    value = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    decoded = decode(value)
    assert 1 >= len(decoded.dropped)
    again = decode(encode_entries(decoded.entries, budget_bytes=UNBOUNDED).value)
    assert set(decoded.entries) == set(again.entries)


@given(st.lists(st.one_of(entries_of_few, entries_of_any), max_size=90), st.integers(0, 600), st.booleans())
def test_encode_never_exceeds_its_budget(entries: list[Entry], budget_bytes: int, is_replay: bool) -> None:
    """Whatever there is to say; and what was dropped is counted and marked."""
    entries = _unique(entries)
    encoded = encode_entries(entries, is_replay=is_replay, budget_bytes=budget_bytes)
    decoded = decode(encoded.value)
    assert budget_bytes >= len(encoded.value)
    assert len(entries) - encoded.cut_count == len(decoded.entries)
    assert decoded.was_cut == (encoded.cut_count > 0 and encoded.value != "")
    assert decoded.is_replay == (is_replay and encoded.value != "")


@given(st.lists(st.one_of(entries_of_few, entries_of_any), max_size=90))
def test_encode_drops_nothing_newer_than_what_it_keeps(entries: list[Entry]) -> None:
    """The oldest go: no dropped decision was decided in a later minute than a kept one."""
    entries = _unique(entries)
    kept = set(decode(encode_entries(entries, budget_bytes=200).value).entries)
    dropped = [entry.decided_min for entry in entries if entry not in kept]
    assert max(dropped, default=0) <= min((entry.decided_min for entry in kept), default=2**32)


@given(entry_lists, entry_lists)
def test_decode_of_two_members_prefers_the_first(one: list[Entry], two: list[Entry]) -> None:
    """Joined by a dot they unite; where both speak of one environment, epoch, unit and flag, the first holds."""
    one, two = _unique(one), _unique(two)
    values = [encode_entries(entries, budget_bytes=UNBOUNDED).value for entries in (one, two)]
    united = {_place(entry): entry for entry in [*two, *one]}
    assert set(united.values()) == set(decode(".".join(filter(None, values))).entries)
