"""The services that are called, composed as they run, without control plane and network: for `contract check --app`.

They are looked at, not called: their flags are closed, and `posts` would find no Kafka. Tests give them both.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

import pennon
import pennon.testing
from pennon.testing.headers import DownstreamSpy
from streamsocial.contract import documented
from streamsocial.gateway import Gateway
from streamsocial.posts import Posts
from streamsocial.producing import Producing
from streamsocial.profiles import Profiles


def gateway() -> ASGIApp:
    """What strangers call."""
    with _flags() as flags:
        return Gateway(documented(), flags, region="eu-1").app()


def posts() -> ASGIApp:
    """What the gateway calls, and who writes to Kafka."""
    declared = documented()
    with _flags() as flags:
        return Posts(declared, flags, Producing(declared, DownstreamSpy(declared).producer)).app()


def profiles() -> ASGIApp:
    """What the gateway and `notify` call."""
    with _flags() as flags:
        return Profiles(documented(), flags).app()


@contextmanager
def _flags() -> Iterator[pennon.Client]:
    with pennon.testing.flags({}), pennon.connect() as flags:
        yield flags
