"""The probe: a request that carries one of everything, as a verified caller would send it."""

import os
import time
from functools import cache
from typing import Final

import msgspec

from pennon.carry import CARRY_KEY, encode_entries
from pennon.context import ActorType, Entry, Identity, Member, Origin, SpanId, Trace, TraceId
from pennon.errors import SettingInvalid
from pennon.headers import (
    Boundary,
    Contract,
    Downstream,
    UnknownMembers,
    format_baggage,
    format_traceparent,
    mesh,
)
from pennon.headers.allowlist import PREFIX_MARK, spec_of
from pennon.headers.deadline import format_deadline
from pennon.signing import ContextSigner, SignedContext, new_key

IDENTITY = Identity(tenant="probe-tenant", actor="probe-actor", actor_type=ActorType.SERVICE)
ISSUER: Final = "pennon-doctor"

# What a declared syntax may take.
_VALUES: Final = ("probe", "p", "1", "true", "1.0", "eu-1", "PROBE")

# Long enough for every probe of a run, short enough that a cap above it does not hide what was sent.
_DEADLINE_S: Final = 60
_MINUTE_NS: Final = 60 * 10**9


@cache
def signer() -> ContextSigner | None:
    """Who signs identity for downstreams that want it so; None where the library for it is missing."""
    try:
        return ContextSigner(new_key()[0], issuer=ISSUER)
    except SettingInvalid:
        return None


def reader(downstream: Downstream) -> Boundary:
    """The boundary of a downstream that believes probes: what is signed, where it is to get identity so."""
    signing = signer()
    if downstream.audience is None or signing is None:
        return mesh()
    trusted = SignedContext({ISSUER: {signing.key_id: signing.public}}, audience=downstream.audience)
    return mesh(verify=trusted.verify, identity=trusted.identity)


class Probe(msgspec.Struct, frozen=True):
    """What is sent. member: None where the contract lets none of anybody's in."""

    trace: Trace
    request_id: str
    correlation_id: str
    member: Member | None
    entry: Entry
    headers: tuple[tuple[bytes, bytes], ...]


def probe_for(contract: Contract) -> Probe:
    """A new probe: ids that no other has."""
    drawn = os.urandom(32).hex()
    trace = Trace(TraceId(drawn[:32]), SpanId(drawn[32:48]), None, 1, "")
    request_id, correlation_id = f"probe-{drawn[48:56]}", f"probe-{drawn[56:]}"
    member = _member(contract)
    entry = Entry(1, 1, 1, time.time_ns() // _MINUTE_NS, 1, 1, Origin.SPLIT, 1)
    ours = Member(CARRY_KEY, encode_entries([entry]).value)
    headers = [
        (b"traceparent", format_traceparent(trace.trace_id, trace.span_id, trace.flags)),
        (b"x-request-id", request_id.encode()),
        (b"x-correlation-id", correlation_id.encode()),
        (b"baggage", format_baggage([ours] if member is None else [ours, member])),
    ]
    if contract.deadline is not None:
        form = contract.deadline.accept[0]
        # A form is one of the enum's members once the policy is built.
        value = format_deadline(form, _DEADLINE_S * 10**9, now_ns=time.time_ns())  # type: ignore[arg-type]
        headers.append((str(form).encode(), value))
    return Probe(trace, request_id, correlation_id, member, entry, tuple(headers))


def _member(contract: Contract) -> Member | None:
    """One that the contract lets in; None where we find no value that it takes."""
    if not contract.baggage.allow:
        return None if contract.baggage.on_unknown is UnknownMembers.DROP else Member("probe", "probe")
    for spec in map(spec_of, contract.baggage.allow):
        key = spec.key.replace(PREFIX_MARK, "probe")
        for value in (*(spec.enum or ()), *_VALUES):
            if contract.priorities.unfit(key, value) is None:
                return Member(key, value)
    return None
