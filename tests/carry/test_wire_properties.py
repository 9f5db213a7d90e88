"""The wire format under anything: round trips, candidates, budgets; damage is test_wire_damage.py's."""

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


@given(entry_lists, st.booleans(), st.booleans())
def test_decode_gives_back_what_was_encoded(entries: list[Entry], was_cut: bool, is_replay: bool) -> None:
    """Nothing is lost, added or changed within the budget."""
    entries = _unique(entries)
    decoded = decode(encode_entries(entries, was_cut=was_cut, is_replay=is_replay, budget_bytes=UNBOUNDED).value)
    assert set(entries) == set(decoded.entries)
    assert (was_cut, is_replay, ()) == (decoded.was_cut, decoded.is_replay, decoded.dropped)


@given(st.lists(entries_of_few, max_size=12), st.lists(entries_of_few, max_size=12))
def test_decode_keeps_candidates_by_ascending_revision(one: list[Entry], two: list[Entry]) -> None:
    """Of two members: of one place and revision what stands first on the wire, and behind it the first kill."""
    values = [encode_entries(entries, budget_bytes=UNBOUNDED).value for entries in (one, two)]
    kept: dict[tuple[int, int, int, int], list[Entry]] = {}
    for entry in [*_in_wire_order(one), *_in_wire_order(two)]:
        held = kept.setdefault(_place(entry), [])
        rivals = [each.origin for each in held if each.revision == entry.revision]
        if not rivals or (entry.origin is Origin.KILL and Origin.KILL not in rivals):
            held.append(entry)
    decoded = decode(".".join(filter(None, values)))
    assert {place: sorted(held, key=lambda entry: entry.revision) for place, held in kept.items()} == {
        place: [entry for entry in decoded.entries if _place(entry) == place] for place in kept
    }


@given(entry_lists)
def test_decode_of_a_member_twice_is_the_member(entries: list[Entry]) -> None:
    """Some proxy has doubled it."""
    value = encode_entries(entries, budget_bytes=UNBOUNDED).value
    assert decode(value).arrived == decode(".".join(filter(None, (value, value)))).arrived


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


def _place(entry: Entry) -> tuple[int, int, int, int]:
    return entry.environment, entry.epoch, entry.fingerprint, entry.flag_id


def _group(entry: Entry) -> tuple[int, int, int, int]:
    return entry.environment, entry.epoch, entry.fingerprint, entry.decided_min


def _in_wire_order(entries: list[Entry]) -> list[Entry]:
    """Groups stand in the order of their first decision."""
    groups = dict.fromkeys(_group(entry) for entry in entries)
    return [entry for group in groups for entry in entries if _group(entry) == group]


def _unique(entries: list[Entry]) -> list[Entry]:
    """Of one environment, epoch, unit, flag and revision one entry, as a ledger has it."""
    return list({(_place(entry), entry.revision): entry for entry in entries}.values())
