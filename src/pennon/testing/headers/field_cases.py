"""The cases of one declared field: each of its rules, from whoever may ask, and in a log line."""

import re
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from functools import partial
from typing import Final

import msgspec

from pennon.headers import Classification, Field, Log
from pennon.headers.identity import ACTOR_TYPE, IDENTITY_NAMES, is_opaque_id
from pennon.headers.redaction import REDACTED, Redaction, is_sensitive_name
from pennon.headers.standard import StandardField
from pennon.http.refusal import MISSING_CODE
from pennon.testing.headers.callers import Caller
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import (
    ask_with,
    case_of,
    is_closed_to_strangers,
    is_decided_here,
    is_left_to_the_boundary,
    must_bring,
    sample,
    values_for,
)
from pennon.testing.headers.driving import is_asgi
from pennon.testing.headers.leaving_cases import leaving_cases
from pennon.testing.headers.listening import listening
from pennon.testing.headers.records import read_record
from pennon.testing.headers.samples import longest, near_misses, too_long
from pennon.testing.headers.service import Needs, Seen, Service, Setting

# What no visible value holds, at its end and within: a newline that "$" lets pass, what a terminal or a log reads.
_INVISIBLE: Final = ("\n", "\r\n", "\0", "\x1b", "\x7f", "\x80", "\xff")
_SALT: Final = b"kit"
_MISSING_STATUS: Final = 400
# A shorter text may stand in a log by chance.
_TELLING_CHARS: Final = 12
_HASHED: Final = re.compile(r"#[0-9a-f]{16}")


def field_cases(setting: Setting, declared: Field) -> Iterator[Case]:
    """All cases of a field; none where something else than the declaration decides: a codec, or the server."""
    if not is_decided_here(declared):
        return
    make = partial(case_of, setting, declared)
    yield make("declared", "the door speaks of this field as the contract does", _declared_alike, Needs.DOOR)
    yield make("log", "a log line holds its value as `log` and `classification` say", _logged, Needs.DOOR)
    verified, stranger = setting.callers.verified, setting.callers.stranger
    asker = verified or stranger
    if asker is not None and _telling_value(declared) is not None and _strictest(declared) is not Log.CLEAR:
        says = "nothing that is written while it is asked holds the value as it came"
        yield make("log/written", says, partial(_unwritten, sender=asker), Needs.ANSWERS)
    sender = verified or (stranger if declared.is_open else None)
    if is_left_to_the_boundary(setting, declared):
        sender = None
    if sender is not None:
        says = f"a request without it is {setting.fate(_MISSING_STATUS) if declared.required else 'served'}"
        yield make("required", says, partial(_required, sender=sender), Needs.ANSWERS)
        yield from _reading(setting, declared, sender)
    if setting.turned_away is not None and must_bring(setting, declared) and is_closed_to_strangers(declared):
        says = "a stranger cannot set it, so that nobody is served who is not verified"
        yield make("required/stranger", says, partial(_turned_away, sender=setting.turned_away), Needs.ANSWERS)
    if stranger is not None and not declared.is_open:
        says = "a stranger's value is not taken: `trust`, `caller_may_set` and `gateway_overwrites` do not all allow it"
        yield make("trust/stranger", says, partial(_strangers, sender=stranger), Needs.INSIDE)
    if stranger is not None and declared.is_open and verified is not None:
        says = "a stranger's value is taken: `trust`, `caller_may_set` and `gateway_overwrites` allow it"
        yield make("trust/stranger", says, partial(_takes, sender=stranger), Needs.INSIDE)
    if sender is not None:
        yield from leaving_cases(setting, declared, sender)
    if declared.name.lower() not in IDENTITY_NAMES:
        yield make("kafka/read", "a record's header of its Kafka name is read", _read_from_a_record, Needs.DOOR)


def _reading(setting: Setting, declared: Field, sender: Caller) -> Iterator[Case]:
    make = partial(case_of, setting, declared)
    if not values_for(declared):
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


def _unwritten(service: Service, *, declared: Field, sender: Caller) -> None:
    value = _telling_value(declared) or ""
    with listening() as written:
        ask_with(service, declared, [value], sender)
    said = written.holding(value)
    service.expect(not said, "no log record holds it, and nobody prints it", f"{', '.join(said)} does")


def _telling_value(declared: Field) -> str | None:
    """A value that is long enough to be found by; None if there is none."""
    value = longest(declared.syntax, declared.max_length)
    return value if value is not None and len(value) >= _TELLING_CHARS else None


def _strictest(declared: Field) -> Log:
    """What a log line holds: never more than the class of the value and the name of the header allow."""
    is_secret = declared.classification is Classification.SECRET or is_sensitive_name(declared.name)
    if is_secret or declared.log in (Log.NEVER, Log.REDACTED):
        return Log.REDACTED
    return Log.HASH if declared.classification is Classification.PERSONAL else declared.log


def _required(service: Service, *, declared: Field, sender: Caller) -> None:
    service.expect_refused(service.ask(caller=sender), is_over=False)
    bare = service.ask(caller=sender, without=declared.name.lower())
    service.expect_refused(bare, is_over=declared.required, status=_MISSING_STATUS)
    if declared.required and service.setting.enforces:
        _expect_told(service, bare, declared)


def _turned_away(service: Service, *, declared: Field, sender: Caller) -> None:
    for lines in ([], [(declared.name, sample(declared) or "x")]):
        seen = service.ask(lines, caller=sender)
        service.expect_refused(seen, is_over=True, status=_MISSING_STATUS)


def _expect_told(service: Service, seen: Seen, declared: Field) -> None:
    """The answer's problem details name the field."""
    try:
        told = msgspec.json.decode(seen.answer.body, type=_Told)
    except msgspec.DecodeError:
        service.fail("problem details", "something else")
    found = (told.code, told.field)
    wanted = (MISSING_CODE, declared.name.lower())
    service.expect(found == wanted, f"problem details with {MISSING_CODE!r} and the field", "others")


class _Told(msgspec.Struct):
    """Of problem details, what names the field."""

    code: str = ""
    field: str = ""


def _takes(service: Service, *, declared: Field, sender: Caller) -> None:
    for value in values_for(declared):
        seen = ask_with(service, declared, [value], sender)
        _expect_taken(service, seen, declared, value)


def _refuses(service: Service, *, declared: Field, sender: Caller) -> None:
    value = sample(declared) or ""
    hidden = [value + each for each in _INVISIBLE]
    hidden += [value[:1] + each + value[1:] for each in _INVISIBLE]
    for miss in (*near_misses(declared.syntax, declared.max_length), *hidden):
        _expect_untaken(service, ask_with(service, declared, [miss], sender), declared)


def _bounded(service: Service, *, declared: Field, sender: Caller) -> None:
    syntax, most = declared.syntax, declared.max_length
    value, over = longest(syntax, most), too_long(syntax, most)
    if value is not None and (declared.name.lower() not in IDENTITY_NAMES or is_opaque_id(value)):
        _expect_taken(service, ask_with(service, declared, [value], sender), declared, value)
    if over is not None:
        _expect_untaken(service, ask_with(service, declared, [over], sender), declared)


def _once(service: Service, *, declared: Field, sender: Caller) -> None:
    value = sample(declared) or ""
    # Where a field has one value only, a second line cannot even match; it must not be taken either.
    other = next((each for each in values_for(declared) if each != value), value + value)
    is_one_by_wsgi = declared.name.lower() == "content-type" or re.fullmatch(declared.syntax, f"{value},{other}")
    if is_one_by_wsgi and not is_asgi(service.app):
        return  # the server has made one of the lines before anybody could tell
    for lines in ([value, other], [other, value]):
        _expect_untaken(service, ask_with(service, declared, lines, sender), declared)


def _strangers(service: Service, *, declared: Field, sender: Caller) -> None:
    # Where the boundary says who asks, that stands there, whatever the header says.
    bare = service.ask(caller=sender)
    for value in values_for(declared) or ("x",):
        _expect_untaken(service, ask_with(service, declared, [value], sender), declared, bare=bare)


def _read_from_a_record(service: Service, *, declared: Field) -> None:
    value = sample(declared)
    if value is None:
        return
    wire = (declared.kafka or declared.name).lower()
    context = read_record([(wire, value.encode("latin-1"))], service.spoken)
    found = dict(context.fields).get(declared.name.lower())
    service.expect(found == value, f"a record's {wire!r} is this field", "it is not read")


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
