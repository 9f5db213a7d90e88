"""The contract: one frozen declaration that parameterises every door."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from pennon.errors import ContractInvalid
from pennon.headers.checks import faults_of
from pennon.headers.deadline import DeadlinePolicy
from pennon.headers.fields import BaggagePolicy, Budgets, Downstream, Field, UnknownHeaders
from pennon.headers.grammar import OWN, STANDARD
from pennon.headers.hosts import HostTable
from pennon.headers.routes import Route, route_to

if TYPE_CHECKING:
    from pennon.headers.proxies import TrustedProxies


@dataclass(frozen=True, slots=True)
class Contract:
    """Which headers a service takes, keeps and sends, from whom and to whom.

    owner: who answers for it. fields: your own headers, and of the built-in ones (`std`) those that you use or change.
    unknown: what happens to headers that nobody has declared. deadline: None: deadlines are neither read nor kept.
    proxies: whose word counts about the client; None: nobody's.
    Sequences may be lists; they are kept as tuples.

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
    deadline: DeadlinePolicy | None = None
    proxies: "TrustedProxies | None" = None

    # What the crossings look things up in, derived from the above.
    slots: Mapping[bytes, str] = field(init=False, repr=False, compare=False)
    fields_by_name: Mapping[str, tuple[Field, re.Pattern[str]]] = field(init=False, repr=False, compare=False)
    priorities: Mapping[str, int] = field(init=False, repr=False, compare=False)
    _hosts: HostTable = field(init=False, repr=False, compare=False)
    _topics: Mapping[str, Downstream] = field(init=False, repr=False, compare=False)
    _routes: Mapping[str, tuple[Downstream, Route]] = field(init=False, repr=False, compare=False)
    _nowhere: Route = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        faults = faults_of(self)
        if faults:
            raise ContractInvalid(faults)
        put = object.__setattr__
        put(self, "fields", tuple(self.fields))
        put(self, "downstreams", tuple(self.downstreams))
        put(self, "slots", _slots(self.fields))
        put(self, "fields_by_name", {each.name.lower(): (each, re.compile(each.syntax)) for each in self.fields})
        put(self, "priorities", {key: rank for rank, key in enumerate(self.baggage.allow)})
        put(self, "_hosts", HostTable(self.downstreams))
        put(self, "_topics", {each.topic: each for each in self.downstreams if each.topic is not None})
        put(self, "_routes", {each.name: (each, route_to(each, self.fields)) for each in self.downstreams})
        put(self, "_nowhere", route_to(None, self.fields))

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


def _slots(fields: Sequence[Field]) -> dict[bytes, str]:
    """Wire name, on HTTP or a record -> the name by which we know it."""
    slots = {name.encode(): name for name in (*STANDARD, *OWN)}
    for each in fields:
        name = each.name.lower()
        slots[name.encode()] = name
        slots[(each.kafka or name).lower().encode()] = name
    return slots
