"""What a contract makes of a header by its name alone, worked out once: so that a hop looks each name up once.

There are three ways to read: a stranger's headers, a verified caller's, and a verified caller's where the boundary's
`identity` callable says who asks, so that no header does.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pennon.headers.deadline import DeadlineForm
from pennon.headers.fields import Field
from pennon.headers.grammar import CONNECTION, HOP_BY_HOP, OWN, STANDARD
from pennon.headers.identity import IDENTITY_NAMES
from pennon.headers.report import Drop, DropReason
from pennon.headers.shapes import Remembered
from pennon.headers.standard import StandardField
from pennon.headers.std import BY_NAME, FORWARDING, STANDARDS_OWNERS

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

# Known by name, and nobody's to read here.
UNREAD: Final = ""


class Rule(msgspec.Struct, frozen=True):
    """How a field's value is read.

    fullmatch: of its syntax. is_list: several lines are one list. barred: why this sender's does not count; None: it
    does.
    """

    fullmatch: Callable[[str], Any]
    max_length: int
    is_list: bool
    is_identity: bool
    barred: Drop | None


class Way(msgspec.Struct, frozen=True):
    """One way to read.

    slots: name on the wire, lower-case -> our name for it, UNREAD for what is known and not read.
    rules: our name -> how its value is read; what a codec reads has none.
    hidden: the names on the wire whose headers the application never sees as they came.
    remembered: the shapes of messages that were read in this way.
    """

    slots: dict[bytes, str]
    rules: dict[str, Rule]
    hidden: frozenset[bytes]
    remembered: Remembered = msgspec.field(default_factory=Remembered)


class Reading(msgspec.Struct, frozen=True):
    """A contract's ways to read.

    own: pennon's own headers, by their names on the wire. custom: the fields that are no standard's, as declared.
    wires: our name -> all its names on the wire. required: our names of the fields that must be there.
    """

    stranger: Way
    verified: Way
    identified: Way
    own: dict[bytes, str]
    custom: tuple[str, ...]
    wires: dict[str, tuple[bytes, ...]]
    required: tuple[str, ...] = ()

    def way(self, *, is_trusted: bool, takes_identity: bool) -> Way:
        """The one for a sender. takes_identity: the headers of a verified one say who asks."""
        if not is_trusted:
            return self.stranger
        return self.verified if takes_identity else self.identified


def reading_of(contract: "Contract", slots: Mapping[bytes, str]) -> Reading:
    """What the contract makes of names. slots: name on this wire, lower-case -> our name for it."""
    own = {name.encode(): name for name in OWN}
    wires: dict[str, tuple[bytes, ...]] = {}
    for wire, name in slots.items():
        wires[name] = (*wires.get(name, ()), wire)
    declared = [(each.name.lower(), each) for each in contract.fields]
    return Reading(
        _way(contract, slots, is_trusted=False, takes_identity=False),
        _way(contract, slots, is_trusted=True, takes_identity=True),
        _way(contract, slots, is_trusted=True, takes_identity=False),
        own,
        tuple(name for name, each in declared if name in contract.fields_by_name and not _is_a_standards(each)),
        {name: wires.get(name) or (name.encode(),) for name in {*wires, *IDENTITY_NAMES, *FORWARDING}},
        tuple(name for name, (each, _) in contract.fields_by_name.items() if each.required),
    )


def _way(contract: "Contract", wires: Mapping[bytes, str], *, is_trusted: bool, takes_identity: bool) -> Way:
    known = {*BY_NAME, *HOP_BY_HOP, *contract.declared}
    rules = dict(_rules(contract, is_trusted=is_trusted, takes_identity=takes_identity))
    slots = dict.fromkeys((name.encode() for name in known), UNREAD)
    slots |= {(each.kafka or each.name).lower().encode(): UNREAD for each in contract.fields}
    slots |= {name.encode(): name for name in (*STANDARD, *FORWARDING, *rules, CONNECTION)}
    slots |= {wire: name for wire, name in wires.items() if name not in IDENTITY_NAMES or name in rules}
    # Few messages have one; they are dealt with where no name is found.
    slots = {wire: name for wire, name in slots.items() if name not in OWN and wire.decode() not in OWN}
    barred = {name for name, rule in rules.items() if rule.barred is not None}
    hidden = {wire for wire, name in slots.items() if name in barred}
    hidden |= {name.encode() for name in STANDARD[0 if not is_trusted else 2 :]}
    # A field's name on records means nothing over HTTP, where no gateway knows it.
    hidden |= {name.encode() for each in contract.fields if (name := (each.kafka or "").lower()) and name not in known}
    if not takes_identity:
        hidden |= {wire for wire, name in wires.items() if name in IDENTITY_NAMES}
        hidden |= {name.encode() for name in IDENTITY_NAMES}
    return Way(slots, rules, frozenset(hidden))


def _rules(contract: "Contract", *, is_trusted: bool, takes_identity: bool) -> Iterator[tuple[str, Rule]]:
    for name in _barred_names(contract, is_trusted=is_trusted):
        yield name, Rule(_nothing, 0, is_list=False, is_identity=False, barred=_not_trusted(name))
    for name, (field, syntax) in contract.fields_by_name.items():
        is_identity = name in IDENTITY_NAMES
        if is_identity and is_trusted and not takes_identity:
            continue
        is_taken = is_trusted or (field.is_open and not is_identity)
        yield (
            name,
            Rule(
                syntax.fullmatch,
                field.max_length,
                is_list=isinstance(field, StandardField) and field.is_list,
                is_identity=is_identity,
                barred=None if is_taken else _not_trusted(name),
            ),
        )


def _barred_names(contract: "Contract", *, is_trusted: bool) -> Iterator[str]:
    """What counts from none of these senders, declared or not."""
    if contract.proxies is None:
        yield from FORWARDING
    if is_trusted:
        return
    yield from IDENTITY_NAMES
    if contract.deadline is not None:
        counts = contract.deadline.from_strangers
        yield from (str(form) for form in contract.deadline.accept if not counts or form is DeadlineForm.ENVOY_MS)


def _not_trusted(name: str) -> Drop:
    return Drop(name, DropReason.NOT_TRUSTED)


def _nothing(_: str) -> None:
    return None


def _is_a_standards(each: Field) -> bool:
    """Whether a standard defines it; what pennon only suggests counts among the fields of your own."""
    return isinstance(each, StandardField) and each.owner in STANDARDS_OWNERS
