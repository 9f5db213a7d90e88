"""Which members of a baggage header are let in, and whose.

Rules. The header's size is looked at before its members, a member's key before its value: what will not be kept is
never decoded. Ours are taken from verified senders alone. What was decoded holds no line break, and is what the
contract says may stand under its key, whoever sends it. What is kept has a budget.
"""

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.context import Member
from pennon.headers.allowlist import AllowList
from pennon.headers.baggage import decoded, fit_baggage, split_baggage
from pennon.headers.fields import BaggagePolicy, UnknownMembers
from pennon.headers.grammar import BAGGAGE, OWN_PREFIX, is_own_key, wire_bytes
from pennon.headers.report import Drop, DropReason, member_drop

# Decoded, a value with one of these makes two log lines, or two headers, of one.
_UNSAFE: Final = re.compile("[\r\n\0]")

# Between our own services a header often holds this and nothing else; read at once it costs a tenth.
_OURS_ALONE: Final = re.compile(rf"({OWN_PREFIX}[A-Za-z0-9]*+)=([A-Za-z0-9._\-]*+)".encode())


class Admitted(msgspec.Struct, frozen=True):
    """What was let in: the members that are not ours, and ours, in order; and what was not.

    is_too_long: the header is longer than the policy allows; nothing of it was read.
    """

    members: tuple[Member, ...] = ()
    ours: tuple[Member, ...] = ()
    dropped: tuple[Drop, ...] = ()
    is_too_long: bool = False


NOTHING: Final = Admitted()


def admit(values: Sequence[bytes], policy: BaggagePolicy, priorities: AllowList, *, is_trusted: bool) -> Admitted:
    """The members of all the header's lines that this sender may bring.

    priorities: the keys that the policy allows, 0 is the most important, and what may stand under them.
    """
    alone = _OURS_ALONE.fullmatch(values[0]) if is_trusted and len(values) == 1 else None
    if alone is not None and len(values[0]) <= min(policy.max_bytes, policy.wire_max_bytes) and policy.max_members:
        return Admitted(ours=(Member(alone[1].decode(), alone[2].decode()),))
    if wire_bytes(values) > policy.wire_max_bytes:
        return Admitted(is_too_long=True)
    raw, dropped = split_baggage(values)
    members = []
    for each in raw:
        reason = _unwanted(each.key, policy, priorities, is_trusted=is_trusted)
        if reason is None:
            member = decoded(each)
            reason = DropReason.UNSAFE if _UNSAFE.search(member.value) else priorities.unfit(member.key, member.value)
            if reason is None:
                members.append(member)
                continue
        dropped.append(member_drop(BAGGAGE, each.key, reason))
    fitted = fit_baggage(members, priorities=priorities, max_bytes=policy.max_bytes, max_members=policy.max_members)
    return Admitted(
        tuple([member for member in fitted.members if not is_own_key(member.key)]),
        tuple([member for member in fitted.members if is_own_key(member.key)]),
        (*dropped, *fitted.dropped),
    )


def _unwanted(key: str, policy: BaggagePolicy, priorities: AllowList, *, is_trusted: bool) -> DropReason | None:
    """Why a member with this key is not even decoded; None if it is wanted."""
    if is_own_key(key):
        return None if is_trusted else DropReason.NOT_TRUSTED
    keeps_unknown = is_trusted and policy.on_unknown is UnknownMembers.KEEP_IN_MESH
    return None if keeps_unknown or key in priorities else DropReason.UNKNOWN
