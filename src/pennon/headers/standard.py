"""What a built-in field says beyond a field of yours, and the ways in which such fields are treated.

A `StandardField` is a `Field`: what takes one takes the other. The ways (`Way`) hold what trust, propagation and scope
have to say together, so that the table in `std` tells each header's own story only.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pennon.headers.fields import Category, Classification, Field, Log, Propagate, Trust


class HeaderScope(StrEnum):
    """How far a header means something (RFC 9110 §7.6.1)."""

    HOP = "hop"
    """On this connection, or for this hop; never forwarded."""
    END_TO_END = "end_to_end"
    """For whoever handles the request; whether it is forwarded is `propagate`'s to say."""


class Direction(StrEnum):
    """In which messages a header stands."""

    REQUEST = "request"
    RESPONSE = "response"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandardField(Field):
    """The declaration of a header that pennon knows.

    scope: how far it means something. direction: in which messages it stands.
    is_list: several lines are one list (RFC 9110 §5.3); else it stands once.
    source: where it is defined.
    """

    scope: HeaderScope
    direction: Direction
    is_list: bool
    source: str


@dataclass(frozen=True, slots=True)
class Way:
    """Whose word counts, and where it goes: what goes together."""

    trust: Trust
    caller_may_set: bool
    gateway_overwrites: bool
    propagate: Propagate
    scope: HeaderScope = HeaderScope.END_TO_END
    direction: Direction = Direction.REQUEST

    def field(
        self,
        name: str,
        category: Category,
        owner: str,
        source: str,
        syntax: str,
        max_length: int,
        description: str,
        *,
        log: Log = Log.CLEAR,
        classification: Classification = Classification.PUBLIC,
        direction: Direction | None = None,
        is_list: bool = False,
    ) -> StandardField:
        """A field that is treated in this way. direction: this way's own unless said."""
        return StandardField(
            name,
            category=category,
            owner=owner,
            syntax=syntax,
            max_length=max_length,
            trust=self.trust,
            caller_may_set=self.caller_may_set,
            gateway_overwrites=self.gateway_overwrites,
            downstream_may_forward=self.propagate is not Propagate.NEVER,
            propagate=self.propagate,
            log=log,
            classification=classification,
            description=description,
            scope=self.scope,
            direction=direction or self.direction,
            is_list=is_list,
            source=source,
        )


CALLERS: Final = Way(Trust.CLIENT, caller_may_set=True, gateway_overwrites=False, propagate=Propagate.NEVER)
"""Anybody's word, for this service alone."""
TRAVELLING: Final = Way(Trust.CLIENT, caller_may_set=True, gateway_overwrites=False, propagate=Propagate.ALWAYS)
"""Anybody's word, which goes on to every service of ours."""
MESH: Final = Way(Trust.MESH, caller_may_set=False, gateway_overwrites=True, propagate=Propagate.ALWAYS)
"""A verified service's word; at the edge it is made anew; it goes on to every service of ours."""
GATEWAYS: Final = Way(Trust.GATEWAY, caller_may_set=False, gateway_overwrites=True, propagate=Propagate.ALWAYS)
"""The gateway's word, which goes on to every service of ours."""
IDENTITY: Final = Way(Trust.GATEWAY, caller_may_set=False, gateway_overwrites=True, propagate=Propagate.PER_DOWNSTREAM)
"""Verified identity: the gateway's word, which goes on to those that are named."""
SERVICES: Final = Way(Trust.MESH, caller_may_set=False, gateway_overwrites=True, propagate=Propagate.PER_DOWNSTREAM)
"""A verified service's word, said anew on each call."""
ANSWERS: Final = Way(
    Trust.MESH,
    caller_may_set=False,
    gateway_overwrites=False,
    propagate=Propagate.NEVER,
    direction=Direction.RESPONSE,
)
"""What a service answers; in a request it means nothing."""
CONNECTION: Final = Way(
    Trust.CLIENT,
    caller_may_set=True,
    gateway_overwrites=True,
    propagate=Propagate.NEVER,
    scope=HeaderScope.HOP,
    direction=Direction.BOTH,
)
"""What concerns one connection; the server's and the client library's business."""
NEAREST: Final = Way(
    Trust.GATEWAY,
    caller_may_set=False,
    gateway_overwrites=True,
    propagate=Propagate.NEVER,
    scope=HeaderScope.HOP,
)
"""What the hop before says to this one."""
