"""The contract as a fragment of AsyncAPI 3.0: for each topic the headers that our records bear, as a message trait."""

from typing import Any, Final

from pennon.headers.contract import Contract
from pennon.headers.fields import Downstream, Field
from pennon.headers.schemas import component_keys, documented, schema_of, terms_of
from pennon.headers.std import BAGGAGE, CONTEXT, CORRELATION_ID, REQUEST_ID, TRACEPARENT, TRACESTATE

# RFC 6901, within a message's headers (AsyncAPI 3.0, Correlation ID Object).
_CORRELATION: Final = f"$message.header#/{CORRELATION_ID.name}"


def asyncapi(contract: Contract) -> dict[str, Any]:
    """`{"components": {"messageTraits": …}}`: one trait for each topic among the downstreams."""
    fields = {each.name.lower(): each for each in documented(contract)}
    topics = [each for each in contract.downstreams if each.topic is not None]
    keys = component_keys(each.name for each in topics)
    traits = {keys[each.name]: _trait(contract, each, fields) for each in topics}
    return {"components": {"messageTraits": traits}}


def _trait(contract: Contract, topic: Downstream, fields: dict[str, Field]) -> dict[str, Any]:
    route = contract.route(topic)
    wires = {
        **dict.fromkeys((TRACEPARENT.name, TRACESTATE.name) if route.trace else ()),
        **dict.fromkeys((REQUEST_ID.name,) if route.request_id else ()),
        **dict.fromkeys((CORRELATION_ID.name,) if route.correlation_id else ()),
        **dict.fromkeys((BAGGAGE.name,) if route.baggage or route.decisions else ()),
        **route.fields,
        **route.identity,
        **dict.fromkeys((CONTEXT.name,) if route.is_told_signed else ()),
    }
    properties = {
        (wire or name.encode()).decode(): {
            **schema_of(fields[name]),
            "description": fields[name].description,
            "x-pennon": terms_of(fields[name]),
        }
        for name, wire in wires.items()
    }
    headers: dict[str, Any] = {"type": "object", "properties": properties}
    required = [(wire or name.encode()).decode() for name, wire in wires.items() if fields[name].required]
    if required:
        headers["required"] = required
    trait: dict[str, Any] = {
        "summary": f"Headers of records in {topic.topic}, under the header contract {contract.name}",
        "headers": headers,
    }
    if route.correlation_id:
        trait["correlationId"] = {"description": CORRELATION_ID.description, "location": _CORRELATION}
    return trait
