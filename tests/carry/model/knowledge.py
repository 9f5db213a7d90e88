"""What a service knows: the oracle's account of its replica, kept from what was delivered to it."""

from functools import lru_cache
from typing import NamedTuple

import mmh3
from tests.carry.model.authors import Authors, Revision, Terms
from tests.carry.model.catalogue import ENVIRONMENTS
from tests.conformance.vectors.carry.wire_format import cbor_text

from pennon.context import Origin
from pennon.flags import RulesetRecord
from pennon.sync import BreakGlass, Delta, Kill, Message

Position = tuple[int, int]


class Local(NamedTuple):
    """What a flag answers by itself. variant: None where it cannot (a split, and no unit)."""

    variant: str | None
    origin: Origin | None


class Knowledge:
    """A service's, of one environment.

    position: (epoch, revision) of what it has; None before the first snapshot. kills: per flag id the latest heard of.
    emergencies: the kills by hand that were heard of and are not over.
    """

    def __init__(self, authors: Authors, environment: str) -> None:
        self._authors = authors
        self.environment = environment
        self.position: Position | None = None
        self.kills: dict[int, Position] = {}
        self.emergencies: dict[str, BreakGlass] = {}

    def hear(self, message: Message) -> None:
        """A message was delivered. Snapshots and deltas take it forward or change nothing."""
        here = self.position
        match message:
            case Kill():
                at = (message.epoch, message.revision)
                self.kills[message.flag] = max(at, self.kills.get(message.flag, at))
            case BreakGlass():
                self.emergencies[message.id] = message
            case RulesetRecord():
                offered = (message.epoch, message.revision)
                self.position = offered if here is None else max(here, offered)
            case Delta() if here is not None and message.epoch == here[0]:
                if message.from_revision <= here[1] < message.to_revision:
                    self.position = (message.epoch, message.to_revision)
        stands = self._revision
        if stands is not None:
            left = {key: kill for key, kill in self.emergencies.items() if key not in stands.reconciled}
            self.emergencies = left

    def expire(self, now_s: int) -> None:
        """The service has looked whether a kill by hand is over."""
        self.emergencies = {key: kill for key, kill in self.emergencies.items() if kill.until_s > now_s}

    @property
    def _revision(self) -> Revision | None:
        if self.position is None:
            return None
        epoch, revision = self.position
        return self._authors.numberings[self.environment][epoch][revision]

    def is_revoked(self, token: str) -> bool:
        """Whether it knows that the token was taken back."""
        at = self._revision
        return at is not None and token in at.revoked

    def terms(self, flag: str) -> Terms | None:
        """What the flag is, as far as known here; None if it is not."""
        at = self._revision
        return None if at is None else at.terms.get(flag)

    def kill_over(self, terms: Terms) -> int:
        """The revision of a kill heard of that this position does not hold yet; 0 if there is none."""
        if self.position is None:
            return 0
        heard = self.kills.get(terms.id)
        # One above all that was made here: for a kill without a number, and one of another numbering.
        above = self.position[1] + 1
        by_hand = above if any(kill.flag == terms.id for kill in self.emergencies.values()) else 0
        if heard is None or heard <= self.position:
            return by_hand
        return max(by_hand, heard[1] if heard[0] == self.position[0] else above)

    def is_killed(self, terms: Terms) -> bool:
        """Whether it knows of a kill that has not been taken back, as far as it knows."""
        return terms.is_killed or self.kill_over(terms) > 0

    def floor(self, terms: Terms) -> int:
        """The revision below which what was decided is void here, what it needs included."""
        own = max(terms.floor, self.kill_over(terms))
        needed = None if terms.needs is None else self.terms(terms.needs)
        return own if needed is None else max(own, self.floor(needed))

    @property
    def environment_id(self) -> int:
        """Its 40 bits."""
        return ENVIRONMENTS[self.environment].id


def answer_alone(terms: Terms, unit_key: str | None, plan: str | None) -> Local:
    """What the flag answers if what it needs holds, from the words of its author."""
    if terms.pro is not None and plan == "pro":
        return Local(terms.pro, Origin.RULE)
    if unit_key is None:
        return Local(None, None)
    bucket, start = _bucket(terms.salt, unit_key), 0
    for variant, weight in terms.weights:
        if start <= bucket < start + weight * terms.coverage // 100_000:
            return Local(variant, Origin.SPLIT)
        start += weight
    return Local(terms.off, Origin.REST)


@lru_cache(maxsize=10_000)
def _bucket(salt: str, unit_key: str) -> int:
    return mmh3.hash(cbor_text(f"{salt}:{unit_key}"), 0, signed=False) * 100_000 >> 32
