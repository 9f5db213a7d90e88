"""The world: services, requests that wander between them, and the oracle's account of what each of them was told.

Everything that a service does here it does through the shipped code. Beside it stands what the oracle knows: which
decisions there are (`Event`), which of them a message carried, which a request holds, and in what order they came.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

from tests.carry.model.authors import Authors
from tests.carry.model.catalogue import FINGERPRINTS
from tests.carry.model.invariants import Invariant, demand, unraised
from tests.carry.model.knowledge import Knowledge
from tests.carry.model.member import Said, Written, said_by

from pennon.carry import OverrideClaims
from pennon.context import Decision, Origin, RequestContext
from pennon.headers import BaggagePolicy, Contract, Downstream, Headers
from pennon.sync import EMPTY, Message, Replica, decode_message, encode_message, expired, receive
from pennon.sync.frames import FrameReader

MINUTE_NS: Final = 60_000_000_000
# Where the world's clock begins: 2026-01-01.
BEGIN_NS: Final = 1_767_225_600 * 1_000_000_000

MESH: Final = Downstream("mesh", host="mesh.internal", decides=True)
TOPIC: Final = Downstream("topic", topic="events")
WIDE: Final = Contract("wide", version="1", owner="model", downstreams=[MESH, TOPIC])
# Room for two or three decisions.
NARROW: Final = Contract(
    "narrow", version="1", owner="model", downstreams=[MESH, TOPIC], baggage=BaggagePolicy(max_bytes=110)
)
CONTRACTS: Final = (WIDE, NARROW)

ENTROPY: Final = bytes(range(1, 41))


Place: TypeAlias = tuple[str, str, tuple[str, str | None]]
"""Environment, flag, unit: what there is one answer to."""

Made: TypeAlias = tuple[Place, int, int, bool]
"""Place, epoch, floor, whether the flag was killed: what makes a decision another one than was made before."""


class Event(NamedTuple):
    """A decision that was made once, somewhere. Equal ones are one."""

    written: Written
    environment: str
    flag: str
    unit: tuple[str, str | None]
    variant: str

    @property
    def place(self) -> Place:
        """What it is an answer to."""
        return self.environment, self.flag, self.unit

    @property
    def about(self) -> tuple[Place, int]:
        """The same, in its numbering."""
        return self.place, self.written.epoch

    @property
    def is_kill(self) -> bool:
        """Whether it is one."""
        return self.written.origin is Origin.KILL


class Service:
    """One process: its replica, what the oracle says it knows, and how wrong its clock is."""

    def __init__(self, name: str, environment: str, authors: Authors, skew_ns: int) -> None:
        self.name, self.environment, self.skew_ns = name, environment, skew_ns
        self.knowledge = Knowledge(authors, environment)
        self.replica: Replica = EMPTY

    def expire(self, now_ns: int) -> None:
        """It looks whether kills by hand are over, by its own clock."""
        now_s = (now_ns + self.skew_ns) // 1_000_000_000
        self.replica = unraised(expired, self.replica, now_s)
        self.knowledge.expire(now_s)

    def hear(self, message: Message) -> None:
        """A message is delivered, through its bytes."""
        for frame in FrameReader().feed(unraised(encode_message, message)):
            read = unraised(decode_message, frame.name, frame.data)
            assert read is not None
            self.replica, _ = unraised(receive, self.replica, read)
        self.knowledge.hear(message)
        ruleset = self.replica.ruleset
        stands = None if ruleset is None else (ruleset.epoch, ruleset.revision)
        demand(
            stands == self.knowledge.position,
            Invariant.NOTHING_REVIVES,
            lambda: f"{self.name} stands at {stands}, should at {self.knowledge.position}",
        )


class Parcel(NamedTuple):
    """What left with a call or a record. events: the decisions in it.

    refused: what strangers said on the way here, of which nothing may ever be heard again.
    """

    headers: Headers
    events: tuple[Event, ...] = ()
    refused: frozenset[Written] = frozenset()


class Node:
    """A request at one service.

    arrived: what it brought, then what callees returned; of one place by ascending revision. brought: the former alone.
    made: by `Made` what was decided or taken up here, in order. claims: of the token that it bears.
    refused: what strangers said on the way here, of which nothing may ever be heard again.
    caller: who waits for the response; began_ns: since when, by its own clock.
    """

    def __init__(self, service: Service, context: RequestContext, units: dict[str, str], plan: str | None) -> None:
        self.service, self.context, self.units, self.plan = service, context, units, plan
        self.arrived: list[Event] = []
        self.brought: frozenset[Event] = frozenset()
        self.made: dict[Made, Event] = {}
        self.claims: OverrideClaims | None = None
        self.is_replay = False
        self.refused: frozenset[Written] = frozenset()
        self.caller: Node | None = None
        self.began_ns = 0

    def hold(self, event: Event) -> None:
        """One more has arrived. Of one place and revision the first stays, and beside it a kill."""
        rivals = [each for each in self.arrived if each.about == event.about]
        twins = [each for each in rivals if each.written.revision == event.written.revision]
        if any(each.is_kill or not event.is_kill for each in twins):
            return
        later = [each for each in rivals if each.written.revision > event.written.revision]
        self.arrived.insert(self.arrived.index(later[0]) if later else len(self.arrived), event)

    def standing(self, place: Place) -> Event | None:
        """What was last told here about it, else the first that came."""
        told = [event for event in self.made.values() if event.place == place]
        if told:
            return told[-1]
        return next((event for event in self.arrived if event.place == place), None)

    def latest(self) -> dict[Place, Event]:
        """What was last made here about each place, in the order made."""
        latest: dict[Place, Event] = {}
        for event in self.made.values():
            latest.pop(event.place, None)
            latest[event.place] = event
        return latest

    def leaving(self) -> list[Event]:
        """What goes on with the request: what came and was not replaced, then the latest of what was made."""
        latest = self.latest()
        replaced = {event.about: event.written.revision for event in latest.values()}
        kept = [event for event in self.arrived if event.written.revision > replaced.get(event.about, -1)]
        return [*kept, *latest.values()]


def members_in(headers: Iterable[tuple[bytes, bytes | None]]) -> list[str]:
    """The members `pennon` among the headers, read as any W3C implementation reads them."""
    values = []
    for name, line in headers:
        if name != b"baggage" or line is None:
            continue
        for piece in line.decode("latin-1").split(","):
            key, _, value = piece.partition("=")
            if key.strip() == "pennon":
                values.append(unquote(value.partition(";")[0].strip()))
    return [value for value in values if value]


def said_in(headers: Iterable[tuple[bytes, bytes | None]]) -> Said:
    """What they say, as one."""
    return said_by(".".join(members_in(headers)))


def written_of(decision: Decision, unit: tuple[str, str | None]) -> Written:
    """How a decision must stand on the wire."""
    scope, answer = decision.scope, decision.answer
    environment = scope.environment
    assert answer.variant_id is not None
    assert decision.origin is not None
    kind, key = unit
    return Written(
        environment.id,
        scope.epoch,
        FINGERPRINTS[environment.key, kind, key],
        decision.decided_ns // MINUTE_NS,
        scope.flag_id,
        answer.variant_id,
        decision.origin,
        decision.revision,
    )
