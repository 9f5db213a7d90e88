"""Where a client connects to: the one place of the SDK that raises, with every fault at once."""

import pytest

import pennon
from pennon.client.target import Target, target_of
from pennon.errors import SettingInvalid


@pytest.mark.parametrize(
    ("url", "token", "environ"),
    [
        ("https://flags.internal", "pn_sdk_a", {}),
        ("https://flags.internal/", "pn_sdk_a", {}),
        (None, None, {"PENNON_SERVER": "https://flags.internal", "PENNON_TOKEN": "pn_sdk_a"}),
        ("https://flags.internal", None, {"PENNON_SERVER": "http://other", "PENNON_TOKEN": "pn_sdk_a"}),
        (None, "pn_sdk_a", {"PENNON_SERVER": "https://flags.internal", "PENNON_TOKEN": "pn_sdk_b"}),
    ],
)
def test_target_is_the_argument_else_the_environment(
    url: str | None, token: str | None, environ: dict[str, str]
) -> None:
    """Every spelling of the same target."""
    assert Target("https://flags.internal", "pn_sdk_a") == target_of(url, token, environ)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:80", "https://a.b/flags", "HTTP://A"]
)
def test_url_with_scheme_and_host_is_taken(url: str) -> None:
    """Address, name, port or path: all are URLs."""
    assert Target(url, "t") == target_of(url, "t", {})


@pytest.mark.parametrize(
    "url",
    ["localhost", "localhost:8080", "//host", "ftp://host", "http://", "http://:80", "http://h:port", "http://h:0",
     "http://h:99999", "", "http://h ost", "http://hö", "http://h\n", "http://[::1", "/v1"],
)  # fmt: skip
def test_url_that_is_not_absolute_is_named(url: str) -> None:
    """What was found, and what it could look like."""
    with pytest.raises(SettingInvalid) as invalid:
        target_of(url, "t", {})
    assert f"url: {url!r} is not an absolute URL; e.g. https://flags.internal" == str(invalid.value)


def test_url_in_the_environment_is_named_by_its_variable() -> None:
    """Whoever reads it knows where to look."""
    with pytest.raises(SettingInvalid, match=r"^PENNON_SERVER: 'localhost' is not an absolute URL"):
        target_of(None, None, {"PENNON_SERVER": "localhost", "PENNON_TOKEN": "t"})


@pytest.mark.parametrize("url", ["http://me:secret@host", "http://host?token=secret", "http://host#secret"])
def test_url_with_more_than_a_place_is_refused_unquoted(url: str) -> None:
    """A secret in it does not end in a log."""
    with pytest.raises(SettingInvalid) as invalid:
        target_of(url, "t", {})
    assert "url: must hold no user, query or fragment; e.g. https://flags.internal" == str(invalid.value)


@pytest.mark.parametrize("token", ["", "pn_sdk_a\n", "pn sdk", "pn_sdk_é", "\0"])
def test_token_that_cannot_be_a_header_is_refused_unquoted(token: str) -> None:
    """It may be the good token with a line end behind it."""
    with pytest.raises(SettingInvalid) as invalid:
        target_of("http://h", token, {})
    assert "token: must be visible ASCII, as `pennon token create` printed it" == str(invalid.value)


def test_all_faults_are_said_at_once() -> None:
    """Nobody mends one to be told of the next."""
    with pytest.raises(SettingInvalid) as invalid:
        target_of("localhost", "", {})
    assert ["url", "token"] == [fault.path for fault in invalid.value.faults]


def test_connect_without_anything_says_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument or variable."""
    monkeypatch.delenv("PENNON_SERVER", raising=False)
    monkeypatch.delenv("PENNON_TOKEN", raising=False)
    with pytest.raises(pennon.SettingInvalid) as invalid:
        pennon.connect()
    expected = (
        "url: is missing; pass it or set PENNON_SERVER, e.g. https://flags.internal; "
        "token: is missing; pass it or set PENNON_TOKEN"
    )
    assert expected == str(invalid.value)


def test_missing_token_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server alone is not enough."""
    monkeypatch.delenv("PENNON_TOKEN", raising=False)
    with pytest.raises(pennon.SettingInvalid, match=r"^token: is missing; pass it or set PENNON_TOKEN$"):
        pennon.connect("http://127.0.0.1:8080")
