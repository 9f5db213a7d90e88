"""The contract as a fragment of OpenAPI 3.1: `components` to refer to from a description of an API."""

from typing import Any, Final

from pennon.headers.contract import Contract
from pennon.headers.fields import Field
from pennon.headers.schemas import component_keys, direction_of, documented, is_end_to_end, schema_of, terms_of
from pennon.headers.standard import Direction

# OpenAPI 3.1.1 §4.8.12.1: header parameters of these names are ignored; a Content-Type header too (§4.8.21).
_IGNORED_PARAMETERS: Final = frozenset({"accept", "content-type", "authorization"})
_IGNORED_HEADERS: Final = frozenset({"content-type"})
# What OpenAPI has another place for.
_ELSEWHERE: Final = frozenset({"cookie", "set-cookie"})


def openapi(contract: Contract) -> dict[str, Any]:
    """`{"components": {"parameters": …, "headers": …}}`: what requests, and what responses hold."""
    fields = [each for each in documented(contract) if is_end_to_end(each) and each.name.lower() not in _ELSEWHERE]
    keys = component_keys(each.name.lower() for each in fields)
    parameters = {
        keys[each.name.lower()]: _parameter(each)
        for each in fields
        if direction_of(each) is not Direction.RESPONSE and each.name.lower() not in _IGNORED_PARAMETERS
    }
    headers = {
        keys[each.name.lower()]: _header(each)
        for each in fields
        if direction_of(each) is not Direction.REQUEST and each.name.lower() not in _IGNORED_HEADERS
    }
    return {"components": {"parameters": parameters, "headers": headers}}


def _parameter(each: Field) -> dict[str, Any]:
    return {"name": each.name.lower(), "in": "header", "required": each.required, **_header(each)}


def _header(each: Field) -> dict[str, Any]:
    return {"description": each.description, "schema": schema_of(each), "x-pennon": terms_of(each)}
