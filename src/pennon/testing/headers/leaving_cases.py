"""The cases of one declared field on its way out: where a value that was taken goes on to, and where it does not."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from pennon.headers import Classification, Downstream, Field, Propagate
from pennon.headers.identity import IDENTITY_NAMES, TENANT_ID
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import ask_with, case_of, is_a_standards, sample, values_for
from pennon.testing.headers.service import Needs, Seen, Service, Setting
from pennon.testing.headers.spy import UNDECLARED, Reached

_BY_HAND_SAYS: Final = "set by hand where it may not go, it is taken off, unless it is public"


def leaving_cases(setting: Setting, declared: Field, sender: Caller) -> Iterator[Case]:
    """Those of every downstream, and of what is not declared, in a request of this caller."""
    if not values_for(declared):
        return
    make = partial(case_of, setting, declared)
    rule = "propagate" if declared.downstream_may_forward else "downstream_may_forward"
    for downstream in (*setting.contract.downstreams, None):
        name = UNDECLARED if downstream is None else downstream.name
        goes = is_expected_at(downstream, declared)
        check = partial(_goes, sender=sender, downstream=downstream)
        says = f"a value that was taken {'goes' if goes else 'does not go'} on to {name!r}"
        yield make(f"{rule}/{name}", says, check, Needs.INSIDE)
        if not goes and not (is_a_standards(declared) and declared.propagate is Propagate.NEVER):
            # A standard's field that is never sent on, such as Authorization, is each message's own.
            check = partial(_by_hand, sender=sender, downstream=downstream)
            yield make(f"classification/{name}", _BY_HAND_SAYS, check, Needs.INSIDE)


def is_expected_at(downstream: Downstream | None, declared: Field) -> bool:
    """Whether a value that was taken goes on to a downstream; None: one that nobody declares."""
    if downstream is None or not declared.downstream_may_forward or declared.propagate is Propagate.NEVER:
        is_granted = False
    else:
        is_named = declared.name.lower() in {name.lower() for name in downstream.fields}
        is_granted = is_named or (declared.propagate is Propagate.ALWAYS and not downstream.external)
    name = declared.name.lower()
    if downstream is None or name not in IDENTITY_NAMES:
        return is_granted
    if downstream.external and declared.classification is not Classification.PUBLIC:
        return False
    return is_granted or (downstream.tenant if name == TENANT_ID else downstream.actor)


def _goes(service: Service, *, declared: Field, sender: Caller, downstream: Downstream | None) -> None:
    value = sample(declared) or ""
    seen = ask_with(service, declared, [value], sender, calling=[downstream])
    wanted = is_expected_at(downstream, declared)
    for arrived in _arrived(service, seen, downstream):
        wire = _wire_name(declared, downstream)
        # A client has an Accept of its own: what does not go on is this value.
        found = [
            line for line in arrived.lines if line[0] in (wire, declared.name.lower()) and (wanted or line[1] == value)
        ]
        service.expect(
            found == ([(wire, value)] if wanted else []),
            f"{wire!r} arrives once, as it came" if wanted else f"no {wire!r} arrives",
            f"{len(found)} lines arrive, or another name or value",
        )


def _by_hand(service: Service, *, declared: Field, sender: Caller, downstream: Downstream | None) -> None:
    value = sample(declared) or ""
    wire = _wire_name(declared, downstream)
    name = UNDECLARED if downstream is None else downstream.name
    seen = service.ask(caller=sender, calling=[name], copied=[(wire, value)])
    may_stay = declared.classification is Classification.PUBLIC and declared.name.lower() not in IDENTITY_NAMES
    for arrived in _arrived(service, seen, downstream):
        # A topic that is not declared has no Kafka name for the field.
        found = wire in arrived.headers
        service.expect(found is may_stay, "it is left alone" if may_stay else "it is taken off", "the opposite")


def _arrived(service: Service, seen: Seen, downstream: Downstream | None) -> Sequence[Reached]:
    name = UNDECLARED if downstream is None else downstream.name
    service.expect(seen.was_served and seen.answer.raised is None, "the request is served", seen.answered)
    service.expect(seen.reached[name], f"a call reaches {name!r}", "none did")
    return seen.reached[name]


def _wire_name(declared: Field, downstream: Downstream | None) -> str:
    is_topic = downstream is not None and downstream.topic is not None
    return ((declared.kafka or declared.name) if is_topic else declared.name).lower()
