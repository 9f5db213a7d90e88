"""Decisions that arrived: whose they are, how new, and what they expose, by whichever door they came."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import pennon
from pennon.ambient import CURRENT, entered
from pennon.carry import CARRY_KEY, decode, encode
from pennon.client import Client, answering
from pennon.context import ErrorCode, Identity, Origin, Reason, RequestContext, Unit
from pennon.counters import Count
from pennon.flags import Ruleset, bucket_of
from pennon.headers import Contract, Downstream, mesh
from pennon.sync import Delta, Put

Connect = Callable[..., Client]
Until = Callable[[Callable[[], object]], None]
Counted = Callable[[Count], dict[str, int]]

KINDS = ("user", "account", "device")
ON_HERE = {key: bucket_of("m3-cbor", "salt", key) < 50_000 for key in map(str, range(40))}


def experiment(make: Any, **fields: Any) -> Any:
    """A split that exposes."""
    return make.split("experiment", exposes=True, **fields)


@pytest.fixture
def client(server: Any) -> Iterator[Client]:
    """A client that answers from the blocks of the test, and counts what it notes."""
    with pennon.testing.flags({}), pennon.connect(server.url, token="t") as client:
        yield client


@pytest.fixture
def following(server: Any, connect: Connect, make: Any) -> Callable[..., tuple[Client, Any]]:
    """Makes a client that has this ruleset, and the stream that it follows."""

    def follow(*flags: Any, revision: int = 9, epoch: int = 5, **timing: float) -> tuple[Client, Any]:
        client = connect(**timing)
        stream = server.accept()
        stream.send(make.ruleset(*flags, revision=revision, epoch=epoch))
        assert client.wait_ready(60)
        return client, stream

    return follow


def test_decision_about_another_unit_is_none_about_this_one(client: Client, make: Any, counted: Counted) -> None:
    """Fan-out: each follower is decided here, the author's decision is the author's; the mismatch is counted."""
    with answering(Ruleset.of(make.ruleset(make.split(), revision=9))):
        for variant_id in (1, 2):
            context = make.request({"user": "author"})
            make.arrived(context, unit="author", variant_id=variant_id)
            with entered(context):
                assert {key: client.for_unit(key).is_on("checkout") for key in ON_HERE} == ON_HERE
                assert (variant_id == 1) is client.is_on("checkout")
    assert {"fingerprint": 2 * len(ON_HERE)} == counted(Count.CARRY_NOTED)


@pytest.mark.parametrize("kind", KINDS)
def test_decision_about_a_unit_is_none_about_another_kind(
    client: Client, make: Any, counted: Counted, kind: str
) -> None:
    """User 7, account 7 and device 7 are three, also to the wire."""
    flags = [make.split(f"of-{each}", id=10 + at, unit=each) for at, each in enumerate(KINDS)]
    units = dict.fromkeys(KINDS, "7")
    context = make.request(units)
    for at in range(len(KINDS)):
        make.arrived(context, flag_id=10 + at, kind=kind, unit="7", variant_id=1 + ON_HERE["7"])
    with answering(Ruleset.of(make.ruleset(*flags, revision=9))), entered(context):
        for each in KINDS:
            evaluation = client.decision(f"of-{each}")
            carried = each == kind
            assert (Unit(each, "7"), carried) == (evaluation.unit, evaluation.reason is Reason.CARRIED)
            assert evaluation.value is (not ON_HERE["7"] if carried else ON_HERE["7"])
    assert {"fingerprint": 2} == counted(Count.CARRY_NOTED)


@pytest.mark.parametrize("asked_between", [False, True])
def test_decision_that_became_void_in_mid_request_is_counted(
    client: Client, make: Any, counted: Counted, asked_between: bool
) -> None:
    """Also where every ask takes the shortest path, because other requests have asked before."""
    before = Ruleset.of(make.ruleset(make.split(), make.split("other", id=11), revision=9))
    after = Ruleset.of(make.ruleset(make.split(void_before=10, revision=10), make.split("other", id=11), revision=10))
    context = make.request({"user": "u"})
    with answering(before):
        for asking in (make.request({"user": "somebody"}), context):
            with ambient_of(asking):
                client.is_on("checkout")
    with answering(after):
        with entered(make.request({"user": "somebody"})):
            client.is_on("checkout")
            client.is_on("other")
        with ambient_of(context):
            if asked_between:
                client.is_on("other")
            client.is_on("checkout")
    assert {"void": 1} == counted(Count.CARRY_NOTED)


@contextmanager
def ambient_of(context: RequestContext) -> Iterator[None]:
    """The request goes on in the block, and is not over at its end."""
    token = CURRENT.set(context)
    try:
        yield
    finally:
        CURRENT.reset(token)


@pytest.mark.parametrize("ahead", [{"revision": 12}, {"epoch": 6}])
def test_sign_of_being_behind_fetches_one_ruleset(
    server: Any, following: Any, make: Any, until: Until, ahead: dict[str, int]
) -> None:
    """However many requests show it meanwhile; then the client has caught up."""
    client, _ = following(make.split(), resync_s=30.0, flush_s=30.0)
    server.ruleset = make.ruleset(make.split(revision=12), revision=12, epoch=ahead.get("epoch", 5))
    # The courier waits for the first sign; all others come before it may fetch again.
    for at in range(50):
        context = make.request({"user": f"u{at}"})
        make.arrived(context, unit=f"u{at}", **{"epoch": 5, "revision": 9, **ahead})
        with entered(context):
            client.is_on("checkout")
    until(lambda: client.peek("checkout", unit="x").revision == 12)
    assert 1 == len(server.seen_at("/v1/sdk/ruleset"))


@pytest.mark.parametrize("behind", [{"epoch": 4}, {"revision": 9}, {"environment": 8}])
def test_what_is_no_sign_of_being_behind_fetches_none(
    server: Any, following: Any, make: Any, until: Until, behind: dict[str, int]
) -> None:
    """Another epoch from before, this very revision, another environment."""
    client, stream = following(make.split())
    context = make.request({"user": "u"})
    entry = make.arrived(context, **{"epoch": 5, "revision": 9, **behind})
    context.ledger.arrived = {(entry.environment, 10): (entry,)}
    with entered(context):
        client.is_on("checkout")
    # What the stream brings later comes after any fetch that was due.
    stream.send(Delta(7, 5, 9, 10, Put(flags={"checkout": make.split(revision=10)})))
    until(lambda: client.peek("checkout", unit="x").revision == 10)
    assert [] == server.seen_at("/v1/sdk/ruleset")


def test_client_that_is_not_ready_answers_defaults_and_forwards(connect: Connect, make: Any) -> None:
    """Whether the flag has been killed cannot be known; those further down may know."""
    client = connect()
    context = make.request({"user": "u"})
    entry = make.arrived(context)
    with entered(context):
        assert [True, False] == [client.is_on("checkout", default=default) for default in (True, False)]
        assert ErrorCode.PROVIDER_NOT_READY is client.decision("checkout").error
        client.decide_at_ingress("checkout")()
        client.decide_at_publish()
        assert {} == context.ledger.made
        assert (entry,) == decode(encode(context.ledger).value).entries


@pytest.mark.parametrize("origin", Origin)
def test_only_what_a_split_or_a_rule_decided_is_exposed(server: Any, following: Any, make: Any, origin: Origin) -> None:
    """Wherever it was decided: not outside coverage, by fallthrough, off, overridden or killed."""
    client, _ = following(experiment(make))
    context = make.request({"user": "u"})
    make.arrived(context, origin=origin, epoch=5)
    with entered(context):
        for _ in range(2):
            client.is_on("experiment")
            client.decision("experiment")
    client.close()
    assert (1 if origin in {Origin.SPLIT, Origin.RULE} else 0) == len(server.exposures)


def test_replayed_carried_decision_is_not_exposed(server: Any, following: Any, make: Any) -> None:
    """Whom it treated was treated then."""
    client, _ = following(experiment(make))
    context = make.request({"user": "u"}, is_replay=True)
    make.arrived(context, epoch=5)
    with entered(context):
        assert client.is_on("experiment")
    client.close()
    assert [] == server.exposures


class Record:
    """A record of the topic "posts", as confluent-kafka gives them."""

    def __init__(self, headers: list[tuple[str, bytes | None]]) -> None:
        self._headers = headers

    def headers(self) -> list[tuple[str, bytes | None]]:
        return self._headers

    def set_headers(self, headers: object) -> None:
        raise AssertionError(f"nobody is to give this record other headers: {headers}")

    def topic(self) -> str:
        return "posts"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def timestamp(self) -> tuple[int, int]:
        return (0, -1)

    def value(self) -> bytes | None:
        return None

    def error(self) -> None:
        return None


class Producer:
    """Keeps the headers of what it sends."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def produce(self, topic: str, *, headers: list[tuple[str, bytes | None]]) -> None:
        self.records.append(Record([(name, value) for name, value in headers]))


CONTRACT = Contract("test", version="1", owner="pennon", downstreams=(Downstream("posts", topic="posts"),))
BOUNDARY = mesh(verify=lambda _: True, identity=lambda _: Identity(units={"user": "u"}))


def test_same_treatment_has_one_id_through_http_and_kafka(server: Any, following: Any, make: Any, until: Until) -> None:
    """A service decides and produces a record; its consumer, and who is called with its baggage, expose the same."""
    clients = [following(experiment(make))[0] for _ in range(3)]
    producer = Producer()

    async def app(*_: Any) -> None:
        clients[0].is_on("experiment")
        pennon.kafka.producer(producer, CONTRACT, decide=clients[0].decide_at_publish).produce("posts")

    async def behind(*_: Any) -> None:
        assert Reason.CARRIED is clients[2].decision("experiment").reason

    asyncio.run(_called(app, []))
    (record,) = producer.records
    with pennon.kafka.process(record, CONTRACT, boundary=BOUNDARY):
        assert Reason.CARRIED is clients[1].decision("experiment").reason
    baggage = dict(record.headers())["baggage"]
    assert baggage is not None
    assert CARRY_KEY.encode() in baggage
    asyncio.run(_called(behind, [(b"baggage", baggage)]))
    until(lambda: len(server.exposures) == 3)
    assert 1 == len({exposure["id"] for exposure in server.exposures})


async def _called(app: Any, headers: list[tuple[bytes, bytes]]) -> None:
    """One request through the door."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Any) -> None:
        """Nobody reads it."""

    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers, "client": ("127.0.0.1", 1)}
    await pennon.http.asgi(app, CONTRACT, boundary=BOUNDARY)(scope, receive, send)
