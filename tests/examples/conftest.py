"""StreamSocial in this process: its services as they run, a spy in the place of the network and of Kafka."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextvars import Context
from pathlib import Path
from typing import Any, Final

import confluent_kafka
import httpx
import pytest

import pennon.testing
from pennon.headers import Boundary
from pennon.signing import ContextSigner, key_id_of, new_key
from pennon.testing.headers import DownstreamSpy, Reached

# As `PYTHONPATH=examples python -m streamsocial` finds it.
sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))

from streamsocial.contract import POSTS_TOPIC, UPDATES_TOPIC, documented
from streamsocial.feed import Feed
from streamsocial.gateway import Gateway
from streamsocial.identifying import readers_of
from streamsocial.notify import Notify
from streamsocial.posts import Posts
from streamsocial.producing import Producing
from streamsocial.profiles import Profiles

Lines = Mapping[str, str] | Sequence[tuple[bytes, bytes]]

FLAGS: Final = {"feed-ranking": "ranked", "rich-profiles": True, "reactions": True, "instant-alerts": True}


class StreamSocial:
    """The services under the contract that the README shows. What they send to each other passes the spy.

    gateway, posts, profiles: the doors. feed, notify: given a record by `read`.
    """

    def __init__(self, flags: pennon.Client, spy: DownstreamSpy) -> None:
        self.contract = documented()
        self.spy = spy.watch(self.contract)
        keys = {name: new_key() for name in ("posts", "feed")}
        trusted = {name: {key_id_of(public): public} for name, (_, public) in keys.items()}
        signers = {name: ContextSigner(private, issuer=name) for name, (private, _) in keys.items()}
        self.producing = {
            name: Producing(self.contract, spy.producer, signer, decide=flags.decide_at_publish)
            for name, signer in signers.items()
        }
        self.readers: dict[str, Boundary] = {
            topic: readers_of(topic, keys=trusted) for topic in (POSTS_TOPIC, UPDATES_TOPIC)
        }
        self.gateway: Any = Gateway(self.contract, flags, region="eu-1", transport=spy.transport).app()
        self.posts: Any = Posts(self.contract, flags, self.producing["posts"]).app()
        self.profiles: Any = Profiles(self.contract, flags).app()
        spy.answers |= {"posts": answering(self.posts), "profiles": answering(self.profiles)}
        self.feed = Feed(self.contract, self.readers[POSTS_TOPIC], flags, self.producing["feed"])
        self.notify = Notify(self.contract, self.readers[UPDATES_TOPIC], flags, transport=spy.transport)

    def ask(self, method: str, path: str, headers: Lines, **more: Any) -> int:
        """The status with which the gateway answers a request that the load balancer passes on."""
        # Sent as it stands: a client would refuse to send what hostile ones do.
        request = httpx.Request(method, f"http://streamsocial.test{path}", headers=headers, **more)
        transport = httpx.ASGITransport(self.gateway, client=("127.0.0.1", 4711))
        return asyncio.run(transport.handle_async_request(request)).status_code


def answering(app: Any) -> Callable[[httpx.Request], Awaitable[httpx.Response]]:
    """A service of the mesh: it knows nothing of whoever calls it but what the request says."""
    transport = httpx.ASGITransport(app, client=("127.0.0.1", 4711))

    def answer(request: httpx.Request) -> Awaitable[httpx.Response]:
        served = transport.handle_async_request(request)
        return asyncio.get_running_loop().create_task(served, context=Context())

    return answer


def record_of(reached: Reached) -> confluent_kafka.Message:
    """What was produced, as a consumer is given it."""
    headers: list[tuple[str, str | bytes | None]] = [(name, value.encode("latin-1")) for name, value in reached.lines]
    return confluent_kafka.Message(topic=reached.place, value=reached.body, headers=headers)


@pytest.fixture
def flags() -> Iterator[pennon.Client]:
    """Every flag as it is fixed here; no control plane."""
    with pennon.testing.flags(FLAGS), pennon.connect() as client:
        yield client


@pytest.fixture
def network(flags: pennon.Client, downstream_spy: DownstreamSpy) -> Iterator[StreamSocial]:
    """StreamSocial, as long as a test runs."""
    made = StreamSocial(flags, downstream_spy)
    with made.producing["posts"], made.producing["feed"], made.notify:
        yield made


@pytest.fixture
def as_record() -> Callable[[Reached], confluent_kafka.Message]:
    """Makes a consumer's record of what was produced."""
    return record_of
