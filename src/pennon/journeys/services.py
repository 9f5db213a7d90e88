"""What the routes share: the memory, the live events, the control plane and the page's token of one app."""

import msgspec
from starlette.requests import Request

from pennon.journeys.control import ControlPlane
from pennon.journeys.gate import Gate
from pennon.journeys.live import Live
from pennon.journeys.memory import Memory
from pennon.web import Lane


class Services(msgspec.Struct, frozen=True):
    """Made once per app. control: None where the app only shows journeys. decoding: a thread for large bodies."""

    memory: Memory
    live: Live
    control: ControlPlane | None
    gate: Gate
    decoding: Lane
    page_token: str


def services_of(request: Request) -> Services:
    """The services of the app that this request came to."""
    services: Services = request.app.state.services
    return services
