"""The contract: one frozen declaration that parameterises every door."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Self

from pennon.errors import ContractInvalid
from pennon.headers.allowlist import AllowList
from pennon.headers.business import business_id_guard
from pennon.headers.checks import faults_of
from pennon.headers.deadline import DeadlinePolicy
from pennon.headers.fields import BaggagePolicy, Budgets, Downstream, Field, Limits, Propagate, UnknownHeaders
from pennon.headers.grammar import OWN, STANDARD
from pennon.headers.hosts import HostTable
from pennon.headers.ids import ID_SYNTAX
from pennon.headers.reading import Reading, reading_of
from pennon.headers.routes import Route, route_to
from pennon.headers.standard import Direction, HeaderScope, StandardField
from pennon.headers.std import FORWARDING, HANDLED, STANDARDS_OWNERS
from pennon.headers.values import listed, ranked

if TYPE_CHECKING:
    from pennon.headers.proxies import TrustedProxies


@dataclass(frozen=True, slots=True)
class Contract:
    """Which headers a service takes, keeps and sends, from whom and to whom.

    owner: who answers for it. fields: your own headers, and of the built-in ones (`std`) those that you use or change.
    unknown: what happens to headers that nobody has declared. limits: whether a request that breaks one is turned away.
    deadline: None: deadlines are neither read nor kept.
    proxies: whose word counts about the client; None: nobody's.
    business_ids: patterns of ids of the business, e.g. "ORD-[0-9]+"; a request or correlation id that holds one is
        dropped where it comes in, and where it would leave.
    Sequences may be lists; they are kept as tuples. A set is sorted where the order says nothing, and refused where it
        does: of the fields, and of what baggage allows, the first are kept longest.

    Raises: ContractInvalid with every fault found.
    """

    name: str
    _: KW_ONLY
    version: str
    owner: str
    fields: Sequence[Field] = ()
    baggage: BaggagePolicy = field(default_factory=BaggagePolicy)
    downstreams: Sequence[Downstream] = ()
    budgets: Budgets = field(default_factory=Budgets)
    unknown: UnknownHeaders = UnknownHeaders.KEEP
    limits: Limits = Limits.ENFORCE
    deadline: DeadlinePolicy | None = None
    proxies: "TrustedProxies | None" = None
    business_ids: Sequence[str] = ()

    # What the crossings look things up in, derived from the above.
    # Name over HTTP -> the name by which we know it: of all that the contract or a codec reads.
    slots: Mapping[bytes, str] = field(init=False, repr=False, compare=False)
    # The fields whose values are checked by their declaration and become the request's: not those that a codec reads,
    # that concern one connection, or that stand in responses alone.
    fields_by_name: Mapping[str, tuple[Field, re.Pattern[str]]] = field(init=False, repr=False, compare=False)
    # Every declared field, whoever reads it.
    declared: Mapping[str, Field] = field(init=False, repr=False, compare=False)
    # The rank of a baggage key, and which values may stand under it.
    priorities: AllowList = field(init=False, repr=False, compare=False)
    # Whether an id holds one of the business; None: nobody asks. And what an id is, for a larger expression.
    holds_business_id: Callable[[str], object] | None = field(init=False, repr=False, compare=False)
    id_syntax: str = field(init=False, repr=False, compare=False)
    # What a crossing inwards makes of names, over HTTP and of records: a field's name on records is none over HTTP.
    reading: Reading = field(init=False, repr=False, compare=False)
    record_reading: Reading = field(init=False, repr=False, compare=False)
    _hosts: HostTable = field(init=False, repr=False, compare=False)
    _topics: Mapping[str, Downstream] = field(init=False, repr=False, compare=False)
    _routes: Mapping[str, tuple[Downstream, Route]] = field(init=False, repr=False, compare=False)
    _nowhere: Route = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "fields", ranked(self.fields))
        put(self, "downstreams", listed(self.downstreams))
        put(self, "business_ids", listed(self.business_ids))
        faults = faults_of(self)
        if faults:
            raise ContractInvalid(faults)
        guard = business_id_guard(self.business_ids) if self.business_ids else ""
        put(self, "holds_business_id", re.compile(guard).match if guard else None)
        put(self, "id_syntax", f"(?!{guard}){ID_SYNTAX}" if guard else ID_SYNTAX)
        read = [each for each in self.fields if is_read_as_declared(each)]
        governed = [each for each in read if _is_governed(each)]
        put(self, "slots", _slots(self, {each.name.lower(): each.name.lower() for each in read}))
        put(self, "fields_by_name", {each.name.lower(): (each, re.compile(each.syntax)) for each in read})
        put(self, "declared", {each.name.lower(): each for each in self.fields})
        put(self, "priorities", AllowList(self.baggage.allow))
        put(self, "reading", reading_of(self, self.slots))
        # A bridge may have kept the names of HTTP.
        on_records = {wire.lower(): each.name.lower() for each in read for wire in (each.name, each.kafka) if wire}
        put(self, "record_reading", reading_of(self, _slots(self, on_records)))
        put(self, "_hosts", HostTable(self.downstreams))
        put(self, "_topics", {each.topic: each for each in self.downstreams if each.topic is not None})
        put(self, "_routes", {each.name: (each, route_to(each, governed)) for each in self.downstreams})
        put(self, "_nowhere", route_to(None, governed))

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """The contract that a TOML text declares; docs/reference/contract.md has its keys.

        Raises: ContractInvalid with every fault found, each with its path in the text.
        """
        # Imported here: the parser takes 5 ms, and most contracts are written in Python.
        from pennon.headers.toml import read_contract

        read = read_contract(text)
        try:
            return cls(**read.arguments)
        except ContractInvalid as refusal:
            raise ContractInvalid(read.located(refusal.faults)) from None

    def downstream_for_host(self, host: str, port: int | None) -> Downstream | None:
        """The declared downstream that a host and port belong to, the most exact one; None if undeclared.

        port: the one connected to, also when it is the scheme's own; None if unknown.
        """
        return self._hosts.find(host, port)

    def downstream_for_topic(self, topic: str) -> Downstream | None:
        """The declared downstream of a Kafka topic; None if undeclared."""
        return self._topics.get(topic)

    def route(self, downstream: Downstream | None) -> Route:
        """What may go to a downstream; None, or one that is not declared here, gets nothing of ours."""
        if downstream is None:
            return self._nowhere
        declared, route = self._routes.get(downstream.name, (None, self._nowhere))
        return route if declared is downstream or declared == downstream else self._nowhere


def is_read_as_declared(each: Field) -> bool:
    """Whether a request's or record's field is checked by its declaration, and by nothing else."""
    if each.name.lower() in HANDLED:
        return False
    if not isinstance(each, StandardField):
        return True
    return each.scope is HeaderScope.END_TO_END and each.direction is not Direction.RESPONSE


def _is_governed(each: Field) -> bool:
    """Whether the contract says where the field goes.

    A standard's field that is never sent on, such as Authorization, stands in each message for that message: what a
    caller of another service sets there is its own.
    """
    is_a_standards = isinstance(each, StandardField) and each.owner in STANDARDS_OWNERS
    return not (is_a_standards and each.propagate is Propagate.NEVER)


def _slots(contract: Contract, read: Mapping[str, str]) -> dict[bytes, str]:
    """Wire name -> the name by which we know it. read: the same of the declared fields."""
    handled: list[str] = [*STANDARD, *OWN]
    if contract.deadline is not None:
        handled += contract.deadline.accept
    if contract.proxies is not None:
        handled += FORWARDING
    return {name.encode(): name for name in map(str, handled)} | {wire.encode(): name for wire, name in read.items()}
