"""The header contract of StreamSocial: one declaration for all its services."""

import os

from pennon.headers import BaggagePolicy, Contract, Downstream

POSTS_TOPIC = "streamsocial.posts"


def contract() -> Contract:
    """What may go where. A host or topic that is not named here gets nothing of ours."""
    return Contract(
        "streamsocial",
        version="1",
        owner="platform",
        baggage=BaggagePolicy(allow=("region",)),
        downstreams=(
            Downstream("posts", host=os.environ["POSTS_HOST"]),
            Downstream("feed", topic=POSTS_TOPIC),
        ),
    )
