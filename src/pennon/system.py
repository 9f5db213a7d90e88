"""Work that a service begins on its own account: a scheduler's, a sweeper's, a retry's. No user acts in it."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from msgspec import structs

from pennon import ambient, otel
from pennon.context import ActorType, Identity, Ledger, RequestContext, SpanId, Trace, TraceId
from pennon.errors import Fault, SettingInvalid
from pennon.headers import new_request_id
from pennon.headers.signed import outlived, system_actor
from pennon.headers.tracecontext import RANDOM

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._\-]{0,63}")


def system_context(
    name: str, *, tenant: str | None = None, delegated: bool = False
) -> AbstractContextManager[RequestContext]:
    """A block of work that is the service's own: its actor is `system:<name>`, of the type SYSTEM.

    Within, `pennon.current()` is a new context with a request id of its own: no decisions, no baggage, no deadline and
    no units. The trace goes on where one is under way, so that the work is found from it. Afterwards all is as before.

    name: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit. tenant: whose data it is about; None: everybody's.
    delegated: it is done for whoever acts in the request served here. That is recorded as `on_behalf_of`; tenant and
        units are the request's as well, unless a tenant is named. Outside a request it is for nobody.
    Raises: SettingInvalid for a name that is none.
    """
    if _NAME.fullmatch(name) is None:
        raise SettingInvalid([Fault("/name", f"{name!r} must be 1 to 64 of a-z 0-9 . _ -, a letter or digit first")])
    return _entered(name, tenant, is_delegated=delegated)


@contextmanager
def _entered(name: str, tenant: str | None, *, is_delegated: bool) -> Iterator[RequestContext]:
    here = ambient.current()
    if is_delegated and here is not None:
        identity = outlived(here.identity, name)
        identity = identity if tenant is None else structs.replace(identity, tenant=tenant)
    else:
        identity = Identity(tenant=tenant, actor=system_actor(name), actor_type=ActorType.SYSTEM)
    trace = otel.current_trace() or (_new_trace() if here is None else here.trace)
    context = RequestContext(trace, new_request_id(os.urandom(16)), Ledger(), identity=identity)
    with otel.detached(), ambient.entered(context):
        yield context


def _new_trace() -> Trace:
    return Trace(TraceId(os.urandom(16).hex()), SpanId(os.urandom(8).hex()), None, RANDOM, "")
