"""The cases of records: a record is never refused, so that what is over a limit is left out of it."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from pennon.headers import UnknownMembers
from pennon.headers.grammar import BAGGAGE, REQUEST_ID
from pennon.headers.identity import IDENTITY_NAMES
from pennon.testing.headers.cases import Case
from pennon.testing.headers.declared import is_a_standards, is_decided_here
from pennon.testing.headers.id_cases import GIVEN_ID
from pennon.testing.headers.records import read_record
from pennon.testing.headers.samples import longest
from pennon.testing.headers.service import Needs, Service, Setting

_UNKNOWN: Final = "kit-unknown"
# So many times the budget are searched; a larger budget takes long to go beyond.
_SEARCHED_TIMES: Final = 5
_COUNTED_LIMIT_COUNT: Final = 1_000


def record_cases(setting: Setting) -> Iterator[Case]:
    """All of them, of a topic that is a mesh's."""
    make = partial(Case, setting)
    contract = setting.contract
    lines = _custom(setting)
    if sum(map(_weight, lines)) > contract.budgets.custom_bytes:
        says = "of fields of your own that are over their budget together, a record loses those declared last"
        yield make("budgets", "custom_bytes/record", says, _fields_cut, Needs.DOOR)
    if contract.budgets.total_count <= _COUNTED_LIMIT_COUNT:
        says = f"of more than {contract.budgets.total_count} headers those that mean something are still read"
        yield make("budgets", "total_count/record", says, _many, Needs.DOOR)
    keeps = contract.baggage.on_unknown is UnknownMembers.KEEP_IN_MESH
    says = f"a member that no allow list names is {'kept' if keeps else 'dropped'}"
    yield make(BAGGAGE, "on_unknown/record", says, partial(_member, keeps), Needs.DOOR)
    says = f"over {contract.baggage.wire_max_bytes} bytes a record has no baggage"
    yield make(BAGGAGE, "wire_max_bytes/record", says, _wire, Needs.DOOR)


def _fields_cut(service: Service) -> None:
    lines = _custom(service.setting)
    most = service.contract.budgets.custom_bytes
    kept = list(lines)
    while sum(map(_weight, kept)) > most:
        kept.pop()
    # By their names over HTTP, which a bridge may have kept: the budget is of names and values as we know them.
    context = read_record([(name, value.encode("latin-1")) for name, value in lines], service.spoken)
    found = [(name, value) for name, value in context.fields if name in dict(lines)]
    service.expect(found == kept, f"{len(kept)} of {len(lines)} fields are kept", f"{len(found)} are, or others")


def _many(service: Service) -> None:
    most = service.contract.budgets.total_count
    for count, is_read in ((most + 1, True), (_SEARCHED_TIMES * most, False)):
        lines: list[tuple[str, bytes | None]] = [(f"x-kit-{number}", b"v") for number in range(count)]
        found = read_record([*lines, (REQUEST_ID, GIVEN_ID.encode())], service.spoken).request_id
        told = "is read" if is_read else "is not looked for"
        service.expect((found == GIVEN_ID) is is_read, f"behind {count} others {REQUEST_ID} {told}", "the opposite")


def _member(keeps: bool, service: Service) -> None:
    context = read_record([(BAGGAGE, f"{_UNKNOWN}=v".encode())], service.spoken)
    is_kept = _UNKNOWN in {member.key for member in context.baggage}
    service.expect(is_kept is keeps, "it is kept" if keeps else "it is dropped", "the opposite")


def _wire(service: Service) -> None:
    most = service.contract.baggage.wire_max_bytes
    for size in (most, most + 1):
        # White space around a comma fills the line, so that what is kept stays small.
        line = f"{_UNKNOWN}=v," + " " * (size - len(_UNKNOWN) - 3)
        is_read = bool(read_record([(BAGGAGE, line.encode())], service.spoken).baggage)
        wanted = size <= most and service.contract.baggage.on_unknown is UnknownMembers.KEEP_IN_MESH
        service.expect(is_read is wanted, f"of {size} bytes {'it' if wanted else 'nothing'} is kept", "the opposite")


def _custom(setting: Setting) -> list[tuple[str, str]]:
    """The longest values of all fields that no standard defines, in the order in which they are declared."""
    own = [
        each
        for each in setting.contract.fields
        if is_decided_here(each) and not is_a_standards(each) and each.name.lower() not in IDENTITY_NAMES
    ]
    values = [(each.name.lower(), longest(each.syntax, each.max_length)) for each in own]
    return [(name, value) for name, value in values if value is not None]


def _weight(line: tuple[str, str]) -> int:
    return len(line[0]) + len(line[1])
