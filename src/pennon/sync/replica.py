"""How a replica follows: one message in, the next replica and what to do about it out.

1. A replica stands at a position, (epoch, revision), of one environment; it never goes back.
2. A snapshot applies if it is ahead. At or below, or of an older epoch, it is ignored.
3. A delta of this epoch applies if from <= mine < to; to <= mine is ignored; from > mine is a gap: resync.
   Of a newer epoch: resync.
4. A kill stands outside the numbering. It is laid over the flag, held by flag id, also before the first snapshot and
   for flags not known yet, and counts only while the replica's position is before the kill's: from there on the
   ruleset itself knows better. Of a newer epoch it is obeyed at once, and the numbering it belongs to fetched: resync.
5. A break-glass kill has an id and an expiry in the place of a position. It holds, as a kill one revision above the
   replica's own, until a ruleset names its id as reconciled or its time is over (`expired`). Of an id that the ruleset
   already names it is ignored.
6. Another environment's messages are ignored.
7. Whatever changes a replica stands in this file; this file knows neither streams nor servers.
"""

from collections.abc import Mapping
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from pennon.flags import Ruleset, RulesetRecord
from pennon.sync.messages import BreakGlass, Delta, Kill, Message, Ping

_Kills = Mapping[tuple[int, int], Kill]
_Emergencies = Mapping[tuple[int, int, str], BreakGlass]


class Effect(StrEnum):
    """What a message did. RESYNC: ask for a snapshot; the replica may have changed as well, for a kill."""

    APPLIED = "applied"
    IGNORED = "ignored"
    RESYNC = "resync"


class Replica(msgspec.Struct, frozen=True):
    """A copy of one environment's ruleset at one position.

    ruleset: what answers, open kills laid over it; None before the first snapshot.
    kills: (environment id, flag id) -> the latest kill that still counts; before the first snapshot, of any
        environment.
    emergencies: (environment id, flag id, id) -> the break-glass kill that still holds; likewise.
    """

    ruleset: Ruleset | None = None
    kills: _Kills = MappingProxyType({})
    emergencies: _Emergencies = MappingProxyType({})

    @property
    def open_kills(self) -> tuple[Kill | BreakGlass, ...]:
        """The kills that the ruleset does not hold yet; a relay sends them to each newcomer after the snapshot."""
        return (*self.kills.values(), *self.emergencies.values())


EMPTY: Final = Replica()


def receive(replica: Replica, message: Message) -> tuple[Replica, Effect]:
    """The replica after a message, and what it did. An ignored one gives the same replica back."""
    if isinstance(message, Ping):
        return replica, Effect.IGNORED
    effect = _EFFECTS[type(message), _standing(replica, message)]
    if effect is Effect.IGNORED:
        return replica, effect
    match message:
        case RulesetRecord():
            return _over(Ruleset.of(message), replica.kills, replica.emergencies), effect
        case Kill():
            return _killed(replica, message, effect)
        case BreakGlass():
            return _killed_by_hand(replica, message, effect)
        case Delta() if effect is Effect.APPLIED and replica.ruleset is not None:
            patched = replica.ruleset.patched(message.to_revision, message.put, message.delete)
            return _over(patched, replica.kills, replica.emergencies), effect
    return replica, effect


def expired(replica: Replica, now_s: int) -> Replica:
    """The replica without the break-glass kills whose time is over; the same one if there are none.

    now_s: seconds since 1970; a kill holds before its `until_s`.
    """
    left = {place: kill for place, kill in replica.emergencies.items() if kill.until_s > now_s}
    return replica if len(left) == len(replica.emergencies) else _over(replica.ruleset, replica.kills, left)


class _Standing(Enum):
    """Where a message stands, seen from the replica."""

    FIRST = 1  # the replica holds nothing yet
    ELSEWHERE = 2  # another environment
    OLDER = 3  # an older epoch
    NEWER = 4  # a newer epoch
    PAST = 5  # this epoch, at or below my revision; or what I hold as reconciled
    NEXT = 6  # this epoch, ahead, and fits
    GAP = 7  # this epoch, ahead, but what lies between is missing


def _standing(replica: Replica, message: RulesetRecord | Delta | Kill | BreakGlass) -> _Standing:
    mine = replica.ruleset
    if mine is None:
        return _Standing.FIRST
    if _environment_of(message) != mine.environment.id:
        return _Standing.ELSEWHERE
    if isinstance(message, BreakGlass):
        return _Standing.PAST if message.id in mine.reconciled else _Standing.NEXT
    if message.epoch != mine.epoch:
        return _Standing.OLDER if message.epoch < mine.epoch else _Standing.NEWER
    if (message.to_revision if isinstance(message, Delta) else message.revision) <= mine.revision:
        return _Standing.PAST
    if isinstance(message, Delta) and message.from_revision > mine.revision:
        return _Standing.GAP
    return _Standing.NEXT


def _environment_of(message: RulesetRecord | Delta | Kill | BreakGlass) -> int:
    return message.environment.id if isinstance(message, RulesetRecord) else message.environment


def _killed(replica: Replica, kill: Kill, effect: Effect) -> tuple[Replica, Effect]:
    place = (kill.environment, kill.flag)
    held = replica.kills.get(place)
    if held is not None and (kill.epoch, kill.revision) <= (held.epoch, held.revision):
        return replica, Effect.IGNORED if effect is Effect.APPLIED else effect
    return _over(replica.ruleset, {**replica.kills, place: kill}, replica.emergencies), effect


def _killed_by_hand(replica: Replica, kill: BreakGlass, effect: Effect) -> tuple[Replica, Effect]:
    place = (kill.environment, kill.flag, kill.id)
    held = replica.emergencies.get(place)
    # Of two that differ in their end only the later end holds, whichever comes first.
    if held is not None and kill.until_s <= held.until_s:
        return replica, Effect.IGNORED
    return _over(replica.ruleset, replica.kills, {**replica.emergencies, place: kill}), effect


def _over(ruleset: Ruleset | None, kills: _Kills, emergencies: _Emergencies) -> Replica:
    """The ruleset with those kills over it that still count there, and no others."""
    if ruleset is None:
        return Replica(None, MappingProxyType(kills), MappingProxyType(emergencies))
    mine, here = (ruleset.epoch, ruleset.revision), ruleset.environment.id
    counting = {
        place: kill for place, kill in kills.items() if kill.environment == here and (kill.epoch, kill.revision) > mine
    }
    holding = {
        place: kill
        for place, kill in emergencies.items()
        if kill.environment == here and kill.id not in ruleset.reconciled
    }
    overlay = {kill.flag: _above(ruleset) for kill in holding.values()}
    # A kill that counts is one above mine at least.
    overlay |= {kill.flag: _overlay_revision(kill, ruleset) for kill in counting.values()}
    return Replica(
        ruleset if overlay == ruleset.kills else ruleset.with_kills(overlay),
        MappingProxyType(counting),
        MappingProxyType(holding),
    )


def _overlay_revision(kill: Kill, ruleset: Ruleset) -> int:
    # A newer epoch's revision says nothing in this one.
    return kill.revision if kill.epoch == ruleset.epoch else _above(ruleset)


def _above(ruleset: Ruleset) -> int:
    # One above mine raises the floor over every decision made here, which is what keeps a ledger from answering with
    # what was decided before the kill.
    return ruleset.revision + 1


_EFFECTS: Final[Mapping[tuple[type, _Standing], Effect]] = {
    (RulesetRecord, _Standing.FIRST): Effect.APPLIED,
    (RulesetRecord, _Standing.ELSEWHERE): Effect.IGNORED,
    (RulesetRecord, _Standing.OLDER): Effect.IGNORED,
    (RulesetRecord, _Standing.NEWER): Effect.APPLIED,
    (RulesetRecord, _Standing.PAST): Effect.IGNORED,
    (RulesetRecord, _Standing.NEXT): Effect.APPLIED,
    (Delta, _Standing.FIRST): Effect.RESYNC,
    (Delta, _Standing.ELSEWHERE): Effect.IGNORED,
    (Delta, _Standing.OLDER): Effect.IGNORED,
    (Delta, _Standing.NEWER): Effect.RESYNC,
    (Delta, _Standing.PAST): Effect.IGNORED,
    (Delta, _Standing.NEXT): Effect.APPLIED,
    (Delta, _Standing.GAP): Effect.RESYNC,
    (Kill, _Standing.FIRST): Effect.APPLIED,
    (Kill, _Standing.ELSEWHERE): Effect.IGNORED,
    (Kill, _Standing.OLDER): Effect.IGNORED,
    (Kill, _Standing.NEWER): Effect.RESYNC,
    (Kill, _Standing.PAST): Effect.IGNORED,
    (Kill, _Standing.NEXT): Effect.APPLIED,
    (BreakGlass, _Standing.FIRST): Effect.APPLIED,
    (BreakGlass, _Standing.ELSEWHERE): Effect.IGNORED,
    (BreakGlass, _Standing.PAST): Effect.IGNORED,
    (BreakGlass, _Standing.NEXT): Effect.APPLIED,
}
