"""The flags, as every service of StreamSocial follows them."""

from collections.abc import Sequence

import pennon
from pennon.client import Sink

# Of carried decisions so many are compared with what the service itself would say. A hundredth, the default, is plenty
# for a fleet; here people want to see something within a minute.
DIVERGENCE_SHARE = 0.2


def connect(*, sinks: Sequence[Sink] = ()) -> pennon.Client:
    """Server and token come from the environment, and so does the service's name, which reports bear."""
    return pennon.connect(sinks=sinks, divergence=DIVERGENCE_SHARE)
