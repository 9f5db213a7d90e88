"""One record, several times and in several hands: retried, forwarded, duplicated, replayed, late."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

import pennon.http
import pennon.kafka
from pennon import ambient
from pennon.carry import decode, exposure_of
from pennon.client.exposures import Buffer
from pennon.context import Ledger, RequestContext, RequestId, SpanId, Trace, TraceId
from pennon.headers import Contract, Downstream, Identity, Inbound, mesh, parse_baggage, public

CONTRACT = Contract(
    "feed",
    version="1",
    owner="feed-team",
    downstreams=(
        Downstream("posts", topic="posts"),
        Downstream("again", topic="again"),
        Downstream("audit", topic="audit", decisions=False),
        Downstream("ranking", host="ranking.internal"),
    ),
)
BARE = Trace(TraceId("a" * 32), SpanId("b" * 16), None, 1, "")

Headers = list[tuple[str, Any]]
Produced = Callable[..., Headers]


def request_here() -> RequestContext:
    """A request being served, of user 7."""
    return RequestContext(BARE, RequestId("req-1"), Ledger(), identity=Identity(units={"user": "7"}))


@pytest.fixture
def produced(wrapped: Any) -> Produced:
    """Produces one record to a topic of the contract, and gives its headers."""

    def produced(topic: str = "posts", *, decide: Any = None, headers: Headers | None = None) -> Headers:
        wrapped.sent.clear()
        pennon.kafka.producer(wrapped, CONTRACT, decide=decide).produce(topic, b"hello", headers=headers)
        found: Headers = wrapped.headers
        return found

    return produced


@pytest.fixture
def decided(produced: Produced, replica: Any) -> Headers:
    """The headers of a record whose producer had decided "on"."""
    with ambient.entered(request_here()):
        replica("on").ask()
        return produced()


def test_retried_record_gives_the_same_answers(record: Any, decided: Headers, replica: Any) -> None:
    """The handler failed, the rollout went on, the group begins again: what was decided stands each time."""
    given, answers = record(decided), []
    for variant in ("off", "on", "off"):
        with pennon.kafka.process(given, CONTRACT, boundary=mesh()):
            answers.append(replica(variant).ask())

    assert [("on", "CARRIED")] * 3 == answers


def headers_of(record: Any) -> Any:
    """A record's headers, whichever library's it is."""
    return record.headers() if callable(record.headers) else record.headers


def test_handling_a_record_does_not_change_it(record: Any, decided: Headers, produced: Produced, replica: Any) -> None:
    """Whoever reads it next, in this process or another group, reads what was produced."""
    given, before = record(decided), list(decided)
    with pennon.kafka.process(given, CONTRACT, boundary=mesh(), replay=True):
        replica("off").ask("another")
        produced("again", headers=headers_of(given))

    assert before == list(headers_of(given))


def test_retry_topic_carries_what_the_first_try_decided(record: Any, produced: Produced, replica: Any) -> None:
    """Nothing was decided before the record was produced; its first handler decides, fails, and sends it on."""
    with pennon.kafka.process(record(produced()), CONTRACT, boundary=mesh()):
        first = replica("on").ask()
        retried = produced("again")
    with pennon.kafka.process(record(retried), CONTRACT, boundary=mesh()):
        second = replica("off").ask()

    assert (("on", "SPLIT"), ("on", "CARRIED")) == (first, second)


@pytest.mark.parametrize("is_in_block", [True, False])
def test_forwarded_record_carries_on(
    record: Any, decided: Headers, produced: Produced, replica: Any, is_in_block: bool
) -> None:
    """By a handler that asks nothing, or by a job that moves records without looking into them."""
    given = record(decided)
    if is_in_block:
        with pennon.kafka.process(given, CONTRACT, boundary=mesh()):
            forwarded = produced("again", headers=headers_of(given))
    else:
        forwarded = produced("again", headers=headers_of(given))
    with pennon.kafka.process(record(forwarded), CONTRACT, boundary=mesh()):
        assert ("on", "CARRIED") == replica("off").ask()


def exposures_of(record: Any, headers: list[Headers], consumer: Any, **options: Any) -> list[str]:
    """The ids that one consumer process reports for these records, one after the other."""
    buffer = Buffer()
    for each in headers:
        with pennon.kafka.process(record(each), CONTRACT, boundary=mesh(), **options) as context:
            decision = consumer.decide()
            # As the client does (client/asking.py): a replay is not even buffered.
            if not context.is_replay:
                buffer.add(consumer.flag, consumer.ruleset, decision, 1)
    return [exposure.id for exposure in buffer.take(consumer.ruleset)]


def test_duplicate_is_exposed_once_by_its_id(record: Any, decided: Headers, produced: Produced, replica: Any) -> None:
    """Twice in one process is one exposure; another group, another service, a retry topic make the same id."""
    with pennon.kafka.process(record(decided), CONTRACT, boundary=mesh()):
        forwarded = produced("again", headers=decided)
    one, other = replica("on", exposes=True), replica("off", exposes=True)

    first = exposures_of(record, [decided, decided, forwarded], one)
    second = exposures_of(record, [forwarded, decided], other)

    assert 1 == len(first)
    assert first == second


def test_replay_is_never_exposed_here_or_downstream(
    record: Any, decided: Headers, produced: Produced, replica: Any
) -> None:
    """The same answers, and nobody's treatment: not at the handler, not at a record or call that it causes."""
    consumer, marked = replica("off", exposes=True), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        marked.append(ambient.current())
        await send({"type": "http.response.start", "status": 204})
        await send({"type": "http.response.body"})

    with pennon.kafka.process(record(decided), CONTRACT, boundary=mesh(), replay=True) as context:
        decision = consumer.decide()
        caused = produced("again")
        sent: list[httpx.Request] = []
        with httpx.Client(transport=httpx.MockTransport(lambda request: answer(request, sent))) as client:
            pennon.http.httpx(client, CONTRACT).get("http://ranking.internal/")

    assert ("on", True) == (decision.answer.variant, context.is_replay)
    assert None is exposure_of(consumer.flag, decision, is_replay=context.is_replay, now_ns=1)
    assert [] == exposures_of(record, [decided], consumer, replay=True)
    assert [] == exposures_of(record, [caused], consumer)
    [line] = [value for name, value in sent[0].headers.raw if name == b"baggage"]
    assert decode(parse_baggage([line]).members[0].value).is_replay


def answer(request: httpx.Request, sent: list[httpx.Request]) -> httpx.Response:
    """Keep the request."""
    sent.append(request)
    return httpx.Response(204)


def test_replay_mark_reaches_those_who_were_told_nothing_else(record: Any, produced: Produced) -> None:
    """Also where the record carries no decision."""
    with pennon.kafka.process(record(produced()), CONTRACT, boundary=mesh(), replay=True):
        caused = produced("again")
    with pennon.kafka.process(record(caused), CONTRACT, boundary=mesh()) as context:
        assert context.is_replay


def test_replay_mark_of_a_stranger_counts_for_nothing(record: Any, produced: Produced) -> None:
    """It would keep somebody's treatments out of the results."""
    with pennon.kafka.process(record(None), CONTRACT, boundary=mesh(), replay=True):
        caused = produced("again")
    with pennon.kafka.process(record(caused), CONTRACT, boundary=public()) as context:
        assert not context.is_replay


def test_two_groups_agree_on_what_was_decided_at_publish(record: Any, produced: Produced, replica: Any) -> None:
    """However late each of them is, and whatever the flag says by then: the producer decided for both."""
    with ambient.entered(request_here()):
        headers = produced(decide=replica("on").ask)
    answers = []
    for variant, after_min in (("off", 5), ("on", 60 * 24 * 30)):
        with pennon.kafka.process(record(headers), CONTRACT, boundary=mesh()):
            made = replica(variant).decide(after_min=after_min)
            answers.append((made.answer.variant, made.answer.reason.value))

    assert [("on", "CARRIED")] * 2 == answers


def test_two_groups_may_differ_on_what_nobody_decided(record: Any, produced: Produced, replica: Any) -> None:
    """The check above can fail."""
    with ambient.entered(request_here()):
        headers = produced()
    answers = []
    for variant in ("off", "on"):
        with pennon.kafka.process(record(headers), CONTRACT, boundary=mesh()):
            answers.append(replica(variant).ask())

    assert [("off", "SPLIT"), ("on", "SPLIT")] == answers


def test_producer_decides_where_it_can_be_told(produced: Produced) -> None:
    """Not outside a request, and not for a topic that gets no decisions."""
    asked: list[str] = []
    produced("posts", decide=lambda: asked.append("outside"))
    with ambient.entered(request_here()), pennon.detached():
        produced("posts", decide=lambda: asked.append("detached"))
    with ambient.entered(request_here()):
        for topic in ("audit", "elsewhere", "posts", "again"):
            produced(topic, decide=lambda topic=topic: asked.append(topic))

    assert ["posts", "again"] == asked


def test_override_is_read_from_a_topic_of_strangers_only(record: Any, produced: Produced) -> None:
    """As at any public boundary; and no record of ours carries it on, also where it is copied by hand."""
    token = "eyJhbGciOiJFZERTQSJ9.e30.c2ln"
    given: Headers = [("Pennon-Override", token.encode())]
    with pennon.kafka.process(record(given), CONTRACT, boundary=public()) as context:
        assert token == context.ledger.override
        for topic in ("posts", "elsewhere"):
            assert token.encode() not in [value for _, value in produced(topic, headers=given)]
    for topic in ("posts", "elsewhere"):
        assert [] == produced(topic, headers=given)
    for boundary in (mesh(), mesh(verify=lambda _: False)):
        with pennon.kafka.process(record(given), CONTRACT, boundary=boundary) as context:
            assert None is context.ledger.override


def test_identity_of_a_record_decides_for_its_own_unit(record: Any, decided: Headers, replica: Any) -> None:
    """What was decided for user 7 is not user 8's, in the same record."""

    def identity(_: Inbound) -> Identity:
        return Identity(units={"user": "7"})

    with pennon.kafka.process(record(decided), CONTRACT, boundary=mesh(identity=identity)):
        assert ("on", "CARRIED") == replica("off").ask("7")
        assert ("off", "SPLIT") == replica("off").ask("8")
