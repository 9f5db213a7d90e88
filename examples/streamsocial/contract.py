"""The header contract of StreamSocial: one declaration for all its services."""

import json
import os
from collections.abc import Mapping

from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Breaker,
    Budgets,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Retries,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies

HTTP_SERVICES = ("gateway", "posts", "profiles")

POSTS_TOPIC = "streamsocial.posts"
UPDATES_TOPIC = "streamsocial.feed-updates"
METRICS_TOPIC = "streamsocial.metrics"
# Batches of many people's: no request's headers belong on it, so it is none of the contract's.
EXPOSURES_TOPIC = "streamsocial.exposures"
TOPICS = (POSTS_TOPIC, UPDATES_TOPIC, METRICS_TOPIC)

# Above the 3 s within which a service that was killed is back: whoever has called it meanwhile is still answered.
CAP_S = 5.0


# A page without somebody's profile is still a page: `profiles` is asked a few times, then left alone for a moment.
GUARDED = "profiles"
RETRIES = Retries(attempts=3, initial_s=0.05, max_s=0.3)
BREAKER = Breaker(failures=5, rest_s=1.0)


def simulated_name(number: int) -> str:
    """The name of a simulated service."""
    return f"simulated-{number}"


def simulated_topic(number: int) -> str | None:
    """The topic that a simulated service reads; None for one that is called over HTTP."""
    if number % 2 == 0:
        return None
    return POSTS_TOPIC if number == 1 else f"streamsocial.{simulated_name(number)}"


def topics(simulated_count: int) -> tuple[str, ...]:
    """All topics of the contract, in a network with so many simulated services."""
    more = (simulated_topic(number) for number in range(2, simulated_count + 1))
    return (*TOPICS, *(topic for topic in more if topic is not None))


def url_of(contract: Contract, name: str) -> str:
    """Where a service of the contract is called."""
    return f"http://{next(each.host for each in contract.downstreams if each.name == name)}"


def contract() -> Contract:
    """The contract where services listen as they were told: name -> "127.0.0.1:4711"."""
    return _declared(json.loads(os.environ["HOSTS"]), int(os.environ["SIMULATED_COUNT"]))


def documented() -> Contract:
    """The same where they listen by their names: what the README shows."""
    return _declared({name: f"{name}.streamsocial.internal" for name in HTTP_SERVICES}, 0)


def _declared(hosts: Mapping[str, str], simulated_count: int) -> Contract:
    """What may go where. A host or topic that is not named here gets nothing of ours."""
    return Contract(
        "streamsocial",
        version="2",
        owner="platform",
        fields=(std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF, std.CALLER_SERVICE, std.REGION),
        baggage=BaggagePolicy(
            allow=(BaggageKey("tenant.tier", enum=("free", "pro"), description="What they pay for"),)
        ),
        budgets=Budgets(total_count=80, custom_bytes=1_024),
        # A record has none: whoever reads it has all the time there is.
        deadline=DeadlinePolicy(accept=(DeadlineForm.ABSOLUTE, DeadlineForm.TIMEOUT_MS), cap_s=CAP_S),
        # The load balancer before the gateway; inside nobody passes anybody on.
        proxies=TrustedProxies(("127.0.0.0/8",), reads=(ForwardedSource.X_FORWARDED,)),
        downstreams=(*(_service(*each) for each in hosts.items()), *map(_topic, topics(simulated_count))),
    )


def _service(name: str, host: str) -> Downstream:
    """Ours all the way: it knows for whom it works and until when, and tells what it has decided."""
    return Downstream(
        name,
        host=host,
        fields=("x-caller-service",),
        decides=True,
        tenant=True,
        actor=True,
        deadline=DeadlineForm.ABSOLUTE,
        retries=RETRIES if name == GUARDED else None,
        breaker=BREAKER if name == GUARDED else None,
    )


def _topic(topic: str) -> Downstream:
    """Whoever can write to it cannot say for whom: that is signed, for those who read it."""
    return Downstream(topic, topic=topic, audience=topic)
