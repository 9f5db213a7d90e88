"""The cases of one declared field: each of its rules, from whoever may ask, and on its way out."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields as dataclass_fields
from functools import partial
from typing import Final

from pennon.context import ActorType
from pennon.headers import Classification, Downstream, Field, Log, Propagate
from pennon.headers.identity import ACTOR_ID, ACTOR_TYPE, IDENTITY_NAMES, ON_BEHALF_OF, TENANT_ID, is_opaque_id
from pennon.headers.redaction import REDACTED, Redaction, is_sensitive_name
from pennon.headers.standard import Direction, HeaderScope, StandardField
from pennon.headers.std import HANDLED, STANDARDS_OWNERS
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case, Needs, Seen, Service, Setting
from pennon.testing.headers.driving import is_asgi
from pennon.testing.headers.records import read_record
from pennon.testing.headers.samples import longest, near_misses, too_long, values_of
from pennon.testing.headers.spy import UNDECLARED, Reached

# What no visible value holds, at its end and within: a newline that "$" lets pass, what a terminal or a log reads.
_INVISIBLE: Final = ("\n", "\r\n", "\0", "\x1b", "\x7f", "\x80", "\xff")
_SALT: Final = b"kit"
_HASHED: Final = re.compile(r"#[0-9a-f]{16}")


def field_cases(setting: Setting, declared: Field) -> Iterator[Case]:
    """All cases of a field; none where something else than the declaration decides: a codec, or the server."""
    if not _is_decided_here(declared):
        return
    make = partial(_case, setting, declared)
    yield make("declared", "the door speaks of this field as the contract does", _declared_alike, Needs.DOOR)
    yield make("log", "a log line holds its value as `log` and `classification` say", _logged, Needs.DOOR)
    verified, stranger = setting.callers.verified, setting.callers.stranger
    sender = verified or (stranger if declared.is_open else None)
    if _is_left_to_the_boundary(setting, declared):
        sender = None
    if sender is not None:
        yield from _reading(setting, declared, sender)
    if stranger is not None and not declared.is_open:
        says = "a stranger's value is not taken: `trust`, `caller_may_set` and `gateway_overwrites` do not all allow it"
        yield make("trust/stranger", says, partial(_strangers, sender=stranger), Needs.INSIDE)
    if stranger is not None and declared.is_open and verified is not None:
        says = "a stranger's value is taken: `trust`, `caller_may_set` and `gateway_overwrites` allow it"
        yield make("trust/stranger", says, partial(_takes, sender=stranger), Needs.INSIDE)
    if sender is not None:
        yield from _leaving(setting, declared, sender)
    if declared.name.lower() not in IDENTITY_NAMES:
        yield make("kafka/read", "a record's header of its Kafka name is read", _read_from_a_record, Needs.DOOR)


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


def takes_from(setting: Setting, declared: Field, caller: Caller) -> bool:
    """Whether this caller's value of a field is taken, as far as the declaration decides."""
    if not _is_decided_here(declared) or _is_left_to_the_boundary(setting, declared):
        return False
    return declared.is_open or caller == setting.callers.verified


def is_a_standards(declared: Field) -> bool:
    """Whether a standard defines it; what pennon only suggests counts among the fields of one's own."""
    return isinstance(declared, StandardField) and declared.owner in STANDARDS_OWNERS


def sample(declared: Field) -> str | None:
    """A value that the field takes; None if none is found."""
    return next(iter(_values(declared)), None)


def beside(declared: Field) -> tuple[tuple[str, str], ...]:
    """What must stand beside the field, so that it says something: nobody acts for somebody without an actor."""
    return ((ACTOR_ID, "user-1"),) if declared.name.lower() == ON_BEHALF_OF else ()


def _case(setting: Setting, declared: Field, rule: str, says: str, check: Callable[..., None], needs: Needs) -> Case:
    return Case(setting, declared.name.lower(), rule, says, partial(check, declared=declared), needs)


def _is_decided_here(declared: Field) -> bool:
    if declared.name.lower() in HANDLED:
        return False
    if not isinstance(declared, StandardField):
        return True
    return declared.scope is HeaderScope.END_TO_END and declared.direction is not Direction.RESPONSE


def _is_left_to_the_boundary(setting: Setting, declared: Field) -> bool:
    """Where the boundary says who asks, its word is all: the headers' is not taken."""
    return declared.name.lower() in IDENTITY_NAMES and setting.boundary.identity is not None


def _values(declared: Field) -> tuple[str, ...]:
    name = declared.name.lower()
    if name == ACTOR_TYPE:
        # A supporter acts as somebody: by itself the type says nothing.
        known = [each.value for each in ActorType if each is not ActorType.SUPPORT]
        return tuple(each for each in known if re.fullmatch(declared.syntax, each) and len(each) <= declared.max_length)
    values = values_of(declared.syntax, declared.max_length)
    return tuple(filter(is_opaque_id, values)) if name in IDENTITY_NAMES else values


def _reading(setting: Setting, declared: Field, sender: Caller) -> Iterator[Case]:
    make = partial(_case, setting, declared)
    if not _values(declared):
        return
    takes, refuses = partial(_takes, sender=sender), partial(_refuses, sender=sender)
    yield make("syntax/taken", "a value that matches is taken as it came", takes, Needs.INSIDE)
    yield make("syntax/refused", "a value that does not match as a whole is not taken", refuses, Needs.INSIDE)
    if declared.name.lower() != ACTOR_TYPE:
        yield make(
            "max_length", "a value may be this long, and no longer", partial(_bounded, sender=sender), Needs.INSIDE
        )
    if not (isinstance(declared, StandardField) and declared.is_list):
        says = "lines that say different things are not taken"
        yield make("once", says, partial(_once, sender=sender), Needs.INSIDE)


def _leaving(setting: Setting, declared: Field, sender: Caller) -> Iterator[Case]:
    if not _values(declared):
        return
    make = partial(_case, setting, declared)
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


_BY_HAND_SAYS: Final = "set by hand where it may not go, it is taken off, unless it is public"


def _declared_alike(service: Service, *, declared: Field) -> None:
    spoken = {each.name.lower(): each for each in service.spoken.fields}.get(declared.name.lower())
    service.expect(spoken, "the field is declared in the door's contract", "it is not")
    other = [
        each.name
        for each in dataclass_fields(declared)
        if getattr(spoken, each.name, None) != getattr(declared, each.name)
    ]
    service.expect(not other, "the same declaration", f"it differs in: {', '.join(other)}")


def _logged(service: Service, *, declared: Field) -> None:
    value = sample(declared) or "x"
    stands = Redaction(service.spoken, salt=_SALT).safe_value(declared.name, value)
    found = Log.REDACTED if stands == REDACTED else Log.HASH if _HASHED.fullmatch(stands) else Log.CLEAR
    wanted = _strictest(declared)
    service.expect(found is wanted, f"it stands there: {wanted.value}", f"it stands there: {found.value}")


def _strictest(declared: Field) -> Log:
    """What a log line holds: never more than the class of the value and the name of the header allow."""
    is_secret = declared.classification is Classification.SECRET or is_sensitive_name(declared.name)
    if is_secret or declared.log in (Log.NEVER, Log.REDACTED):
        return Log.REDACTED
    return Log.HASH if declared.classification is Classification.PERSONAL else declared.log


def _takes(service: Service, *, declared: Field, sender: Caller) -> None:
    for value in _values(declared):
        seen = _ask(service, declared, [value], sender)
        _expect_taken(service, seen, declared, value)


def _refuses(service: Service, *, declared: Field, sender: Caller) -> None:
    value = sample(declared) or ""
    hidden = [value + each for each in _INVISIBLE]
    hidden += [value[:1] + each + value[1:] for each in _INVISIBLE]
    for miss in (*near_misses(declared.syntax, declared.max_length), *hidden):
        _expect_untaken(service, _ask(service, declared, [miss], sender), declared)


def _bounded(service: Service, *, declared: Field, sender: Caller) -> None:
    syntax, most = declared.syntax, declared.max_length
    value, over = longest(syntax, most), too_long(syntax, most)
    if value is not None and (declared.name.lower() not in IDENTITY_NAMES or is_opaque_id(value)):
        _expect_taken(service, _ask(service, declared, [value], sender), declared, value)
    if over is not None:
        _expect_untaken(service, _ask(service, declared, [over], sender), declared)


def _once(service: Service, *, declared: Field, sender: Caller) -> None:
    value = sample(declared) or ""
    # Where a field has one value only, a second line cannot even match; it must not be taken either.
    other = next((each for each in _values(declared) if each != value), value + value)
    is_one_by_wsgi = declared.name.lower() == "content-type" or re.fullmatch(declared.syntax, f"{value},{other}")
    if is_one_by_wsgi and not is_asgi(service.app):
        return  # the server has made one of the lines before anybody could tell
    for lines in ([value, other], [other, value]):
        _expect_untaken(service, _ask(service, declared, lines, sender), declared)


def _strangers(service: Service, *, declared: Field, sender: Caller) -> None:
    # Where the boundary says who asks, that stands there, whatever the header says.
    bare = service.ask(caller=sender)
    for value in _values(declared) or ("x",):
        _expect_untaken(service, _ask(service, declared, [value], sender), declared, bare=bare)


def _goes(service: Service, *, declared: Field, sender: Caller, downstream: Downstream | None) -> None:
    value = sample(declared) or ""
    seen = _ask(service, declared, [value], sender, calling=[downstream])
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


def _read_from_a_record(service: Service, *, declared: Field) -> None:
    value = sample(declared)
    if value is None:
        return
    wire = (declared.kafka or declared.name).lower()
    context = read_record([(wire, value.encode("latin-1"))], service.spoken)
    found = dict(context.fields).get(declared.name.lower())
    service.expect(found == value, f"a record's {wire!r} is this field", "it is not read")


def _ask(
    service: Service, declared: Field, values: Sequence[str], sender: Caller, calling: Sequence[Downstream | None] = ()
) -> Seen:
    lines = [(declared.name, value) for value in values]
    names = [UNDECLARED if each is None else each.name for each in calling]
    return service.ask([*lines, *beside(declared)], caller=sender, calling=names)


def _arrived(service: Service, seen: Seen, downstream: Downstream | None) -> Sequence[Reached]:
    name = UNDECLARED if downstream is None else downstream.name
    service.expect(seen.was_served and seen.answer.raised is None, "the request is served", seen.answered)
    service.expect(seen.reached[name], f"a call reaches {name!r}", "none did")
    return seen.reached[name]


def _wire_name(declared: Field, downstream: Downstream | None) -> str:
    is_topic = downstream is not None and downstream.topic is not None
    return ((declared.kafka or declared.name) if is_topic else declared.name).lower()


def _expect_taken(service: Service, seen: Seen, declared: Field, value: str) -> None:
    name = declared.name.lower()
    service.expect(seen.was_served, "the request is served", seen.answered)
    service.expect(seen.taken(name) == value, "the request context holds the value", _told(seen, name))


def _expect_untaken(service: Service, seen: Seen, declared: Field, *, bare: Seen | None = None) -> None:
    """bare: the same request without the field; None: such a request has none of it."""
    name = declared.name.lower()
    without = None if bare is None else bare.taken(name)
    if seen.was_refused:
        return
    service.expect(seen.was_served, "the request is refused, or served without it", seen.answered)
    service.expect(seen.taken(name) == without, "the request context does not hold it", _told(seen, name))
    service.expect(not seen.inside_lines(name), "the application does not see it", "it does")


def _told(seen: Seen, name: str) -> str:
    found = seen.taken(name)
    return "it holds nothing" if found is None else f"it holds {len(found)} bytes"
