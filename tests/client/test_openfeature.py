"""The OpenFeature provider, through OpenFeature's stock client."""

import asyncio
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent
from openfeature.exception import ErrorCode, ProviderNotReadyError
from openfeature.flag_evaluation import FlagEvaluationDetails
from openfeature.provider import ProviderStatus

import pennon
from pennon.ambient import entered
from pennon.client import Change, Client, Notice, Status, answering
from pennon.client.openfeature import PennonProvider
from pennon.flags import FlagType, Ruleset
from pennon.sync import Delta, Put

Connect = Callable[..., Client]
Until = Callable[[Callable[[], object]], None]


@pytest.fixture
def stock() -> Iterator[OpenFeatureClient]:
    """OpenFeature's own client; whatever provider a test sets is shut down."""
    yield api.get_client()
    api.shutdown()
    api.clear_providers()


@pytest.fixture
def answered(stock: OpenFeatureClient, make: Any) -> Iterator[OpenFeatureClient]:
    """The stock client over a few fixed flags."""
    flags = [
        make.flag("boolean", id=1),
        make.valued("string", FlagType.STRING, "blue", id=2),
        make.valued("integer", FlagType.INTEGER, 7, id=3),
        make.valued("float", FlagType.FLOAT, 0.5, id=4),
        make.valued("object", FlagType.JSON, {"a": [1]}, id=5),
        make.flag("ruled", id=6, serve="off", rules=(make.rule("plan", "pro", "on"),), revision=4),
        make.split("split", id=7),
        make.flag("killed", id=8, killed=True),
        make.split("of-accounts", id=9, unit="account"),
    ]
    with answering(Ruleset.of(make.ruleset(*flags, revision=9))):
        api.set_provider_and_wait(PennonProvider(pennon.connect()))
        yield stock


CALLS: list[tuple[str, str, Any, Any]] = [
    ("boolean", "boolean", True, False),
    ("string", "string", "blue", "x"),
    ("integer", "integer", 7, 1),
    ("float", "float", 0.5, 1.5),
    ("float", "integer", 7.0, 1.5),
    ("object", "object", {"a": [1]}, {}),
]


@pytest.mark.parametrize(("call", "flag", "value", "default"), CALLS)
def test_stock_client_gets_values_and_details(
    answered: OpenFeatureClient, call: str, flag: str, value: Any, default: Any
) -> None:
    """Every type, with its details."""
    found = getattr(answered, f"get_{call}_value")(flag, default)
    details: FlagEvaluationDetails[Any] = getattr(answered, f"get_{call}_details")(flag, default)
    assert (value, type(value)) == (found, type(found))
    assert (value, "STATIC", None) == (details.value, details.reason, details.error_code)
    assert details.flag_metadata == {"revision": 1, "origin": "fallthrough"}


def test_stock_client_awaits_values(answered: OpenFeatureClient) -> None:
    """In asyncio too."""
    assert "blue" == asyncio.run(answered.get_string_value_async("string", "x"))


@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("unknown", ErrorCode.FLAG_NOT_FOUND),
        ("string", ErrorCode.TYPE_MISMATCH),
        ("split", ErrorCode.TARGETING_KEY_MISSING),
    ],
)
def test_trouble_is_the_default_and_openfeatures_code(answered: OpenFeatureClient, flag: str, code: ErrorCode) -> None:
    """And a message in words."""
    details = answered.get_boolean_details(flag, default_value=True)
    assert (True, "ERROR", code) == (details.value, details.reason, details.error_code)
    assert details.error_message is not None
    assert details.error_message.startswith(f"{flag}: the caller's default")


def test_targeting_key_is_the_user(answered: OpenFeatureClient) -> None:
    """Not the account."""
    context = EvaluationContext("u")
    assert "SPLIT" == answered.get_boolean_details("split", default_value=False, evaluation_context=context).reason
    of_accounts = answered.get_boolean_details("of-accounts", default_value=False, evaluation_context=context)
    assert ErrorCode.TARGETING_KEY_MISSING is of_accounts.error_code


def test_attributes_choose_the_rule(answered: OpenFeatureClient) -> None:
    """With its id in the metadata."""
    context = EvaluationContext("u", {"plan": "pro"})
    details = answered.get_boolean_details("ruled", default_value=False, evaluation_context=context)
    expected: tuple[Any, ...] = (True, "TARGETING_MATCH", "on", {"revision": 4, "origin": "rule", "rule": "r1"})
    assert expected == (details.value, details.reason, details.variant, details.flag_metadata)


def test_own_reasons_pass_as_text(answered: OpenFeatureClient) -> None:
    """OpenFeature allows any."""
    assert "KILLED" == answered.get_boolean_details("killed", default_value=True).reason


def test_request_is_used_without_a_targeting_key_and_for_its_own_unit(answered: OpenFeatureClient, make: Any) -> None:
    """As with our own calls: another targeting key gets nothing of the request."""
    with entered(make.request({"user": "u"}, {"plan": "pro"})):
        values = [
            answered.get_boolean_value("ruled", default_value=False, evaluation_context=context)
            for context in (None, EvaluationContext("u"), EvaluationContext("v"))
        ]
    assert [True, True, False] == values


@pytest.fixture
def events(stock: OpenFeatureClient) -> "Queue[tuple[ProviderEvent, EventDetails]]":
    """What the stock client's handlers are told."""
    told: Queue[tuple[ProviderEvent, EventDetails]] = Queue()
    for event in ProviderEvent:
        stock.add_handler(event, lambda details, event=event: told.put((event, details)))  # type: ignore[misc]
    # Of the provider before ours, which is READY from its birth.
    assert ProviderEvent.PROVIDER_READY is told.get(timeout=60)[0]
    return told


def test_events_follow_the_client(
    server: Any, connect: Connect, make: Any, stock: OpenFeatureClient, events: Any
) -> None:
    """READY, CONFIGURATION_CHANGED with the flags, STALE, READY again."""
    client = connect()
    stream = server.accept()
    stream.send(make.ruleset(make.flag()))
    api.set_provider_and_wait(PennonProvider(client))
    assert ProviderStatus.READY is stock.get_provider_status()
    seen = [events.get(timeout=60)[0]]
    stream.send(Delta(7, 1, 1, 2, Put(flags={"checkout": make.flag(serve="off", revision=2)})))
    event, details = events.get(timeout=60)
    assert ["checkout"] == details.flags_changed
    stream.cut()
    seen += [event, events.get(timeout=60)[0]]
    assert ProviderStatus.STALE is stock.get_provider_status()
    server.accept().send(make.Ping())
    seen.append(events.get(timeout=60)[0])
    assert [
        ProviderEvent.PROVIDER_READY,
        ProviderEvent.PROVIDER_CONFIGURATION_CHANGED,
        ProviderEvent.PROVIDER_STALE,
        ProviderEvent.PROVIDER_READY,
    ] == seen
    assert ProviderStatus.READY is stock.get_provider_status()


def test_readiness_is_told_once(connect: Connect, server: Any, make: Any, events: Any) -> None:
    """By OpenFeature itself when `initialize` returns; the client's own word of it may come a moment later."""
    client = connect()
    server.accept().send(make.ruleset(make.flag()))
    provider = PennonProvider(client)
    api.set_provider_and_wait(provider)
    provider._on_notice(Notice(Change.READY))
    provider._on_notice(Notice(Change.STALE))
    provider._on_notice(Notice(Change.READY))
    told = [events.get(timeout=60)[0] for _ in range(3)]
    assert [ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_READY] == told


def test_provider_that_is_not_ready_in_time_becomes_so_later(
    server: Any, connect: Connect, make: Any, stock: OpenFeatureClient, events: Any
) -> None:
    """An error first, READY when the first ruleset comes."""
    provider = PennonProvider(connect(), ready_timeout_s=0.05)
    with pytest.raises(ProviderNotReadyError):
        api.set_provider_and_wait(provider)
    assert ProviderEvent.PROVIDER_ERROR is events.get(timeout=60)[0]
    assert ProviderStatus.ERROR is stock.get_provider_status()
    server.accept().send(make.ruleset(make.flag()))
    assert ProviderEvent.PROVIDER_READY is events.get(timeout=60)[0]
    assert stock.get_boolean_value("checkout", default_value=False)


def test_refused_token_is_an_error_event(
    server: Any, connect: Connect, make: Any, stock: OpenFeatureClient, events: Any
) -> None:
    """With the reason in the message."""
    server.script("/v1/sdk/stream", *[make.Reply(500)] * 2)
    server.script_for_ever("/v1/sdk/stream", make.Reply(403))
    provider = PennonProvider(connect(poll_after_count=1_000), ready_timeout_s=0.01)
    with pytest.raises(ProviderNotReadyError):
        api.set_provider_and_wait(provider)
    # Which attempt ends while the provider is being set decides how many events come before; the reason comes at last.
    while "the server answered 403 Forbidden" not in (events.get(timeout=60)[1].message or ""):
        pass


def test_shutdown_closes_the_client(server: Any, connect: Connect, make: Any, stock: OpenFeatureClient) -> None:
    """OpenFeature ends what it was given."""
    client = connect()
    server.accept().send(make.ruleset(make.flag()))
    api.set_provider_and_wait(PennonProvider(client))
    api.shutdown()
    assert Status.CLOSED is client.status
