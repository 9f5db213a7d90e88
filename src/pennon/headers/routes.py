"""What may go to one downstream, worked out once when the contract is built.

House rules: an undeclared downstream gets nothing of ours, and what somebody copied in by hand of ours is taken off:
our headers, the ids, the baggage whole (it is internal, and our member is in it), every declared field that is not
public. A traceparent set by hand stays there: a trace id gives nothing away, and whoever set it meant it. At a declared
one, what the contract withholds is taken off in the same way, and what it sends takes the place of what stood there.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.headers.fields import Classification, Downstream, Field, Propagate
from pennon.headers.grammar import BAGGAGE, CORRELATION_ID, OWN, REQUEST_ID, TRACEPARENT, TRACESTATE


class Route(msgspec.Struct, frozen=True):
    """What one downstream gets, and what is taken off a request to it.

    fields: name -> wire name of the fields that it gets. withheld: wire names always taken off.
    """

    trace: bool = False
    request_id: bool = False
    correlation_id: bool = False
    baggage: bool = False
    decisions: bool = False
    fields: dict[str, bytes] = {}  # msgspec copies it
    withheld: frozenset[bytes] = frozenset()


_TRACE: Final = (TRACEPARENT, TRACESTATE)


def route_to(downstream: Downstream | None, fields: Sequence[Field]) -> Route:
    """The route to a downstream of a contract with these fields; None: to an undeclared one."""
    sent = {each.name.lower(): _wire_name(each, downstream) for each in fields if _may_have(downstream, each)}
    withheld = {*OWN, *_withheld_standard(downstream)}
    for each in fields:
        if each.name.lower() not in sent and each.classification is not Classification.PUBLIC:
            withheld |= {each.name.lower(), (each.kafka or each.name).lower()}
    taken_off = frozenset(name.encode() for name in withheld)
    if downstream is None:
        return Route(withheld=taken_off)
    is_ours = not downstream.external
    return Route(
        trace=downstream.trace,
        request_id=downstream.request_id,
        correlation_id=downstream.correlation_id,
        baggage=downstream.baggage and is_ours,
        decisions=downstream.decisions and is_ours,
        fields=sent,
        withheld=taken_off,
    )


def _withheld_standard(downstream: Downstream | None) -> set[str]:
    if downstream is None:
        return {BAGGAGE, REQUEST_ID, CORRELATION_ID}
    withheld = set() if downstream.trace else set(_TRACE)
    if not downstream.request_id:
        withheld.add(REQUEST_ID)
    if not downstream.correlation_id:
        withheld.add(CORRELATION_ID)
    if downstream.external or not (downstream.baggage or downstream.decisions):
        withheld.add(BAGGAGE)
    return withheld


def _may_have(downstream: Downstream | None, declared: Field) -> bool:
    """Whether the field goes there when it was received here."""
    if downstream is None or not declared.downstream_may_forward or declared.propagate is Propagate.NEVER:
        return False
    if declared.name.lower() in {name.lower() for name in downstream.fields}:
        return True
    return declared.propagate is Propagate.ALWAYS and not downstream.external


def _wire_name(declared: Field, downstream: Downstream | None) -> bytes:
    is_topic = downstream is not None and downstream.topic is not None
    name = (declared.kafka or declared.name) if is_topic else declared.name
    return name.lower().encode()
