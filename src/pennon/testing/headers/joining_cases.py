"""The cases of what joins two services: identity signed for who is called, and the decisions that come back."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

import msgspec

from pennon.carry import encode_entries
from pennon.context import Entry, Origin
from pennon.headers import DECIDED
from pennon.headers.grammar import CONTEXT
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.service import Needs, Service, Setting
from pennon.testing.headers.spy import UNDECLARED

_MINUTE_NS: Final = 60_000_000_000


def joining_cases(setting: Setting) -> Iterator[Case]:
    """All of them, in a request of the caller that is believed most. What is signed is asked where the library is."""
    make = partial(Case, setting, "downstreams")
    sender = setting.callers.verified or setting.callers.stranger
    assert sender is not None  # noqa: S101  # whom a boundary does not verify is a stranger
    for downstream in (*setting.contract.downstreams, None):
        name = UNDECLARED if downstream is None else downstream.name
        audience = None if downstream is None else downstream.audience
        if find_spec("jwt") is not None:
            told = "no signed context" if audience is None else f"a context signed for {audience!r}"
            says = f"{name!r} gets {told}"
            yield make(f"{name}/audience", says, partial(_signed, sender, name, audience), Needs.INSIDE)
        if downstream is None or downstream.host is not None:
            decides = downstream is not None and downstream.decides
            says = f"what {name!r} says it has decided {'joins' if decides else 'does not join'} the ledger"
            yield make(f"{name}/decides", says, partial(_returned, sender, name, decides), Needs.INSIDE)


def _signed(sender: Caller, name: str, audience: str | None, service: Service) -> None:
    for reached in service.serve(caller=sender, calling=[name]).reached[name]:
        lines = [value for key, value in reached.lines if key == CONTEXT]
        wanted = int(audience is not None)
        service.expect(len(lines) == wanted, f"{wanted} signed contexts arrive", f"{len(lines)} do")
        for token in lines:
            found = _audience_of(token)
            service.expect(found == audience, "it is signed for the declared audience", "it is for another")


def _returned(sender: Caller, name: str, decides: bool, service: Service) -> None:
    # Decided just now: what is older was kept by a cache.
    entry = Entry(1, 1, 1, time.time_ns() // _MINUTE_NS, 1, 1, Origin.SPLIT, 1)
    answering = [(DECIDED, encode_entries([entry]).value)]
    seen = service.ask(caller=sender, calling=[name], answering=answering)
    service.expect(seen.reached.get(name), f"a call reaches {name!r}", seen.answered)
    is_held = entry in seen.context_here.ledger.returned
    service.expect(is_held is decides, "the ledger holds it" if decides else "it does not", "the opposite")


def _audience_of(token: str) -> Any:
    """Whom a token is for (RFC 7519 §4.1.3); whether its signature is right is not looked at."""
    claims = token.split(".")[1]
    return msgspec.json.decode(urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["aud"]
