"""The header contract of StreamSocial: one declaration for all its services."""

import json
import os

from pennon.headers import BaggagePolicy, Contract, Downstream

POSTS_TOPIC = "streamsocial.posts"
UPDATES_TOPIC = "streamsocial.feed-updates"
METRICS_TOPIC = "streamsocial.metrics"
EXPOSURES_TOPIC = "streamsocial.exposures"
TOPICS = (POSTS_TOPIC, UPDATES_TOPIC, METRICS_TOPIC, EXPOSURES_TOPIC)


def simulated_name(number: int) -> str:
    """The name of a simulated service."""
    return f"simulated-{number}"


def simulated_topic(number: int) -> str | None:
    """The topic that a simulated service reads; None for one that is called over HTTP."""
    if number % 2 == 0:
        return None
    return POSTS_TOPIC if number == 1 else f"streamsocial.{simulated_name(number)}"


def topics(simulated_count: int) -> tuple[str, ...]:
    """All topics of a network with so many simulated services."""
    more = (simulated_topic(number) for number in range(2, simulated_count + 1))
    return (*TOPICS, *(topic for topic in more if topic is not None))


def hosts() -> dict[str, str]:
    """Where each service that speaks HTTP listens: name -> "127.0.0.1:4711"."""
    return dict(json.loads(os.environ["HOSTS"]))


def contract() -> Contract:
    """What may go where. A host or topic that is not named here gets nothing of ours."""
    return Contract(
        "streamsocial",
        version="1",
        owner="platform",
        baggage=BaggagePolicy(allow=("region",)),
        downstreams=(
            # Ours all the way: what one of them decides, it tells whoever has called it.
            *(Downstream(name, host=host, decides=True) for name, host in hosts().items()),
            *(Downstream(topic, topic=topic) for topic in topics(int(os.environ["SIMULATED_COUNT"]))),
        ),
    )
