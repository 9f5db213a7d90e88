"""What may stand in a log line: nothing that is secret by its name, its class, or its look."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennon.headers import Classification, Contract, Field, Log, Propagate, std
from pennon.headers.leaks import leak_in, without_leaks
from pennon.headers.redaction import (
    HEADERS_LIMIT_COUNT,
    REDACTED,
    TEXT_LIMIT_CHARS,
    Redaction,
    is_sensitive_name,
    safe_header_value,
)

Case = dict[str, Any]
Make = Callable[..., Field]
SALT = b"salt"
EMPTY = Contract("c", version="1", owner="t")

values = st.one_of(st.binary(max_size=400), st.text(max_size=400))


@pytest.fixture(scope="module")
def declared(make_field: Make) -> Contract:
    """One field of each rule, with a name for records, and some that ask for more than they may have."""
    ask = {"log": Log.CLEAR, "propagate": Propagate.NEVER}
    return Contract(
        "c",
        version="1",
        owner="t",
        fields=[
            make_field("x-clear", **ask, classification=Classification.INTERNAL, kafka="clear"),
            make_field("x-hash", log=Log.HASH),
            make_field("x-redacted", log=Log.REDACTED),
            make_field("x-never", log=Log.NEVER),
            make_field("x-personal", **ask, classification=Classification.PERSONAL),
            make_field("x-classified", **ask, classification=Classification.SECRET),
            make_field("X-Session-Token", **ask, classification=Classification.PUBLIC),
            make_field("x-alias", **ask, classification=Classification.PUBLIC, kafka="api-key"),
            make_field("x-secret-hash", log=Log.HASH),
        ],
    )


@pytest.mark.req(97, 98)
@pytest.mark.parametrize(("part", "name"), [("clear", "x-clear"), ("hash", "X-Hash")])
def test_value_stands_as_the_vector_says(
    part: str, name: str, declared: Contract, vectors: Callable[[str, str], list[Case]]
) -> None:
    """In clear: one line, cut, escaped (req 98); as a hash: keyed and short."""
    for case in vectors("redaction.json", part):
        shown = safe_header_value(name, case["value"].encode("latin-1"), declared, salt=SALT)

        assert case["shown"] == shown, case


def test_text_looks_like_what_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """Tokens, keys, cards and addresses are seen, ids and labels are not (req 25)."""
    for case in vectors("redaction.json", "leak"):
        assert case["leak"] == leak_in(case["text"]), case


@pytest.mark.req(96)
@pytest.mark.parametrize(("part", "is_sensitive"), [("sensitive", True), ("harmless", False)])
def test_names_are_told_apart_as_the_vector_says(
    part: str, is_sensitive: bool, vectors: Callable[[str, str], list[Any]]
) -> None:
    """In any case, with - or _ (req 96)."""
    for name in vectors("redaction.json", part):
        assert is_sensitive is is_sensitive_name(name) is is_sensitive_name(name.upper()), name


@pytest.mark.req(12, 96, 119)
@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("x-clear", Log.CLEAR),
        ("CLEAR", Log.CLEAR),
        ("x-hash", Log.HASH),
        ("x-redacted", Log.REDACTED),
        ("x-never", Log.NEVER),
        ("x-personal", Log.HASH),
        ("x-classified", Log.REDACTED),
        ("x-session-token", Log.REDACTED),
        ("x-alias", Log.REDACTED),
        ("api-key", Log.REDACTED),
        ("x-secret-hash", Log.REDACTED),
        ("content-type", Log.CLEAR),
        ("Authorization", Log.NEVER),
        ("forwarded", Log.REDACTED),
        ("x-tenant-id", Log.HASH),
        ("x-nobody-knows", Log.REDACTED),
    ],
)
def test_rule_is_the_strictest_of_contract_class_and_name(name: str, rule: Log, declared: Contract) -> None:
    """Nobody declares a secret open, under whatever name it travels; what is unknown is redacted (req 12, 96)."""
    assert rule is Redaction(declared, salt=SALT).rule(name)


def test_contract_may_log_a_built_in_field_in_its_own_way() -> None:
    """Declared again, a field's own rule holds, not the built-in one."""
    contract = Contract("c", version="1", owner="t", fields=[replace(std.CONTENT_TYPE, log=Log.REDACTED)])

    assert REDACTED == safe_header_value("Content-Type", b"a/b", contract, salt=SALT)
    assert "a/b" == safe_header_value("Content-Type", b"a/b", EMPTY, salt=SALT)


@given(st.sampled_from([*(each.name for each in std.ALL), "x-clear", "x-nobody-knows"]), values)
def test_shown_is_one_short_line_of_ascii(name: str, value: bytes | str) -> None:
    """Whatever stands in a header, a log line stays a line (req 97, 98)."""
    shown = safe_header_value(name, value, EMPTY, salt=SALT)

    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 300


@pytest.mark.req(97, 119)
@given(st.text("abcdefghijkmnpqrstuvwxyz0123456789", min_size=12, max_size=20))
def test_secret_is_not_shown_wherever_it_is_planted(secret: str) -> None:
    """In every header that is not in clear by rule, and in those after what makes it look like one."""
    redaction = Redaction(EMPTY, salt=SALT)
    for each in std.ALL:
        planted = f"ghp_{secret}" if redaction.rule(each.name) is Log.CLEAR else secret
        assert secret not in redaction.safe_value(each.name, planted)
        assert secret not in redaction.safe_value(each.name.upper(), f"x {planted}".encode())


def test_hashes_join_lines_of_one_salt_only() -> None:
    """The same id reads the same in every service of a fleet, and elsewhere as something else."""
    shown = {salt: safe_header_value("x-actor-id", "user-7", EMPTY, salt=salt) for salt in (b"a", b"b")}

    assert shown[b"a"] == safe_header_value("X-Actor-Id", b"user-7", EMPTY, salt=b"a")
    assert shown[b"a"] == safe_header_value("x-on-behalf-of", b"user-7", EMPTY, salt=b"a")
    assert shown[b"a"] != shown[b"b"]


@pytest.mark.req(98)
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("a" * 256, "a" * 256),
        (b"a" * 257, f"{'a' * 256}...[cut, 257 bytes]"),
        ("a" * 255 + "é", f"{'a' * 255}...[cut, 256 characters]"),
        (("a" * 254 + "é").encode(), f"{'a' * 254}...[cut, 256 bytes]"),
        ("a" * 252 + "é", "a" * 252 + "\\xe9"),
        ("a" * 253 + "\U0001f600", f"{'a' * 253}...[cut, 254 characters]"),
        ("a" * 255 + "\\", f"{'a' * 255}...[cut, 256 characters]"),
        ("a" * 254 + "\\" + "x" * 9, "a" * 254 + "\\\\...[cut, 264 characters]"),
        ("\udc80" * 43, "\\udc80" * 42 + "...[cut, 43 characters]"),
    ],
    ids=map(str, range(9)),
)
def test_cut_leaves_no_half_of_an_escape(value: bytes | str, told: str) -> None:
    """Half of one would say another character, or none."""
    assert told == Redaction(EMPTY, salt=SALT).safe_value("accept", value)


@pytest.mark.req(25, 96)
def test_jwt_goes_as_a_whole_where_its_dots_are_percent_encoded() -> None:
    """Its signature stands behind the second one."""
    token = f"eyJhbGciOiJIUzI1NiJ9%2EeyJzdWIiOiIxIn0%2e{'s' * 43}"

    assert "token: <redacted>" == without_leaks(f"token: {token}", "<redacted>")


def test_hashing_without_a_key_is_refused() -> None:
    """Short ids are found by trying."""
    with pytest.raises(ValueError, match="salt: is empty"):
        Redaction(EMPTY, salt=b"")


@given(st.text(max_size=200))
def test_no_text_raises(text: str) -> None:
    """Looking at a value never fails."""
    assert leak_in(text) is None or leak_in(text) in {"jwt", "pem", "token", "card", "email"}


@pytest.mark.req(97, 105)
def test_free_text_stands_as_the_vector_says(vectors: Callable[[str, str], list[Case]]) -> None:
    """What a name says is secret goes, and what looks like it; prose and source stay."""
    redaction = Redaction(EMPTY, salt=SALT)
    for case in vectors("redaction.json", "text"):
        assert case["shown"] == redaction.safe_text(case["text"]), case


@pytest.mark.parametrize(
    "before", ["{}: {}", "{}={}", "{!r}: {!r}", "('{}', '{}')", "[(b'{}', b'{}')]", '{{"{}": "{}"}}', "x {}: {}\nnext"]
)
@given(
    st.sampled_from([each.name for each in std.ALL if Redaction(EMPTY, salt=SALT).is_telling(each.name)]),
    st.text("abcdefghijkmnpqrstuvwxyz0123456789", min_size=12, max_size=20),
)
def test_secret_does_not_stand_in_a_text_that_names_its_header(before: str, name: str, secret: str) -> None:
    """However a line was put together, as long as it says which header it is."""
    redaction = Redaction(EMPTY, salt=SALT)
    written = [name, name.upper(), name.title(), "HTTP_" + name.upper().replace("-", "_")]

    assert all(secret not in redaction.safe_text(before.format(each, secret)) for each in written)


@given(st.text(st.sampled_from("token:='\"[]{}()\\ ,-eyJ@.b0123456789\n"), max_size=200))
def test_text_made_safe_is_safe(text: str) -> None:
    """Looking at it once more finds nothing, and no text raises."""
    redaction = Redaction(EMPTY, salt=SALT)
    safe = redaction.safe_text(text)

    assert leak_in(safe) is None


def test_long_text_is_cut_and_nothing_stands_behind_the_cut() -> None:
    """What is not looked at is not shown; what begins before the cut is found."""
    redaction = Redaction(EMPTY, salt=SALT)
    token = "ghp_0123456789abcdef"
    text = "a " * (TEXT_LIMIT_CHARS // 2 - 4) + token + " b" * 1_000
    shown = redaction.safe_text(text)

    assert "ghp_" not in shown
    assert shown.endswith(f"...[cut, {len(text)} characters]")
    assert len(shown) <= TEXT_LIMIT_CHARS + 40


@pytest.mark.req(96, 97, 105)
def test_headers_stand_by_their_rules(declared: Contract) -> None:
    """Names in lower case, repeated ones together; what is never logged is not there."""
    redaction = Redaction(declared, salt=SALT)
    hashed = redaction.safe_value("x-hash", "h")
    given: list[tuple[bytes | str, object]] = [
        ("X-Clear", "a"),
        (b"x-clear", b"b"),
        ("X-NEVER", "n"),
        ("x-hash", "h"),
        ("Cookie", "c"),
        ("x-new", "u"),
    ]

    assert {"x-clear": "a, b", "x-hash": hashed, "x-new": REDACTED} == redaction.safe_headers(given)
    assert {"x-clear": "", "x-hash": hashed} == redaction.safe_headers({"x-clear": None, "x-hash": b"h"})
    assert {"x-clear": "a, b"} == redaction.safe_headers({"x-clear": ["a", "b"]})


@pytest.mark.req(105)
def test_environ_stands_as_its_headers(declared: Contract) -> None:
    """What else a server tells an application, query and address among it, is left out."""
    environ = {
        "REQUEST_METHOD": "GET",
        "QUERY_STRING": "q",
        "HTTP_X_CLEAR": "a",
        "HTTP_COOKIE": "c",
        "CONTENT_TYPE": "a/b",
    }

    assert {"x-clear": "a", "content-type": "a/b"} == Redaction(declared, salt=SALT).safe_headers(environ)


def test_only_so_many_headers_are_told_of() -> None:
    """A stranger sends thousands, and names them as it likes."""
    given = [(f"x-{number}", "v") for number in range(5_000)]
    shown = Redaction(EMPTY, salt=SALT).safe_headers(given)

    assert HEADERS_LIMIT_COUNT + 1 == len(shown)
    assert f"[cut, {HEADERS_LIMIT_COUNT} headers]" == shown["..."]
    assert {REDACTED: REDACTED} == Redaction(EMPTY, salt=SALT).safe_headers({"ghp_0123456789abcdef": "v"})
