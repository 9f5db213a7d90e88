"""The flags, as every service of StreamSocial follows them."""

from collections.abc import Sequence

import pennon
from pennon.client import Sink

# Of carried decisions so many are compared with what the service itself would say. A hundredth, the default, is plenty
# for a fleet; here people want to see something within a minute.
DIVERGENCE_SHARE = 0.2
# Between two reports of it. A service that has exposures to send does not wait so long.
REPORT_S = 5.0


def connect(*, sinks: Sequence[Sink] = ()) -> pennon.Client:
    """Server and token come from the environment, and so does the service's name, which reports bear."""
    timing = pennon.Timing() if sinks else pennon.Timing(flush_s=REPORT_S)
    return pennon.connect(sinks=sinks, timing=timing, divergence=DIVERGENCE_SHARE)
