"""What a replica is sent: the events of the change stream as values, and their JSON.

    event      data                                                             id
    snapshot   a whole ruleset (`flags.RulesetRecord`)                          <epoch>.<revision>
    delta      {"environment", "epoch", "from", "to", "put", "delete"}          <epoch>.<to>
    kill       {"environment", "epoch", "flag", "revision"}; flag is its id     none: it stands outside the numbering
    kill       {"environment", "flag", "id", "until_s"}: a break-glass kill     none
    ping       {}                                                               none

`put` and `delete` are keyed by kind: `flags segments signers revocations reconciled`. A delta applies anywhere in its
span: `put` holds whole records, and `delete` also what came and went within the span, which a reader in the midst of it
still has. An event of another name is for a later version, and is passed over.
"""

from typing import Annotated, Final

import msgspec

from pennon.errors import Fault, RulesetInvalid
from pennon.flags import Delete, Put, RulesetRecord, decode_ruleset, encode_ruleset
from pennon.sync.frames import encode_event

Snapshot = RulesetRecord

_Number = Annotated[int, msgspec.Meta(ge=0)]
_DELTA_NAMES: Final = {"from_revision": "from", "to_revision": "to"}


class Delta(msgspec.Struct, frozen=True, rename=_DELTA_NAMES):
    """Everything that was touched after `from_revision`, up to and including `to_revision`, as it is at the end."""

    environment: _Number
    epoch: _Number
    from_revision: _Number
    to_revision: _Number
    put: Put = Put()
    delete: Delete = Delete()


class Kill(msgspec.Struct, frozen=True, gc=False):
    """Serve this flag's off variant now. flag: its id. revision: the one that will hold the kill."""

    environment: _Number
    epoch: _Number
    flag: _Number
    revision: _Number


class BreakGlass(msgspec.Struct, frozen=True, gc=False):
    """Serve this flag's off variant now, though nothing can be numbered: the database is down.

    flag: its id. id: the kill's own, by which a ruleset says that it now holds it. until_s: it ends at this second
    since 1970 at the latest.
    """

    environment: _Number
    flag: _Number
    id: Annotated[str, msgspec.Meta(min_length=1)]
    until_s: _Number


class Ping(msgspec.Struct, frozen=True, gc=False):
    """A sign of life on an idle stream."""


Message = Snapshot | Delta | Kill | BreakGlass | Ping


def encode_message(message: Message) -> bytes:
    """The bytes of its event, to be written to a stream as they are; the same for every reader."""
    match message:
        case RulesetRecord():
            position = encode_position(message.epoch, message.revision)
            return encode_event("snapshot", encode_ruleset(message), position)
        case Delta():
            position = encode_position(message.epoch, message.to_revision)
            return encode_event("delta", msgspec.json.encode(message), position)
        case Kill() | BreakGlass():
            return encode_event("kill", msgspec.json.encode(message))
        case Ping():
            return encode_event("ping", b"{}")


def decode_message(name: str, data: bytes) -> Message | None:
    """The message of one event; None for an event of another name.

    Raises: RulesetInvalid with every fault if the data is not what the format says.
    """
    if name == "snapshot":
        return decode_ruleset(data)
    try:
        if name == "delta":
            return _delta_of(_DELTA.decode(data))
        if name == "kill":
            return _BREAK_GLASS.decode(data) if bytes(_KILL_SHELL.decode(data).id) else _KILL.decode(data)
        return _PING.decode(data) if name == "ping" else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as fault:
        raise RulesetInvalid([Fault("", f"{name}: {fault}")]) from fault


def encode_position(epoch: int, revision: int) -> str:
    """An event's `id`, and what a reader says in Last-Event-ID to resume after it."""
    return f"{epoch}.{revision}"


def decode_position(text: str) -> tuple[int, int] | None:
    """Epoch and revision of an `id`; None if it is not one of ours."""
    epoch, _, revision = text.partition(".")
    if not (_is_number(epoch) and _is_number(revision)):
        return None
    return int(epoch), int(revision)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX


def _delta_of(shell: "_DeltaShell") -> Delta:
    """The delta whose put has been read as the ruleset's codec reads it, foreign clauses set aside and all."""
    numbers = b'"epoch":%d,"revision":%d' % (shell.epoch, shell.to_revision)
    nowhere = b'"environment":{"id":0,"key":"","salt":""}'
    kinds = (
        b'"%b":%b' % (kind.encode(), bytes(getattr(shell.put, kind)) or b"{}") for kind in _PutShell.__struct_fields__
    )
    try:
        put = decode_ruleset(b"{%b}" % b",".join((nowhere, numbers, *kinds)))
    except RulesetInvalid as invalid:
        raise RulesetInvalid(Fault(f"/put{fault.path}", fault.message) for fault in invalid.faults) from invalid
    return Delta(
        shell.environment,
        shell.epoch,
        shell.from_revision,
        shell.to_revision,
        Put(put.flags, put.segments, put.signers, put.revocations, put.reconciled),
        shell.delete,
    )


class _PutShell(msgspec.Struct, frozen=True):
    flags: msgspec.Raw = msgspec.Raw()
    segments: msgspec.Raw = msgspec.Raw()
    signers: msgspec.Raw = msgspec.Raw()
    revocations: msgspec.Raw = msgspec.Raw()
    reconciled: msgspec.Raw = msgspec.Raw()


class _DeltaShell(msgspec.Struct, frozen=True, rename=_DELTA_NAMES):
    environment: _Number
    epoch: _Number
    from_revision: _Number
    to_revision: _Number
    put: _PutShell = _PutShell()
    delete: Delete = Delete()


class _KillShell(msgspec.Struct, frozen=True):
    """What tells the two kinds of kill apart: only a break-glass one has an id of its own."""

    id: msgspec.Raw = msgspec.Raw()


# 2 ** 63 has 19 digits; more cannot be ours, and int() of a very long text is slow.
_DIGITS_MAX: Final = 19

_DELTA: Final = msgspec.json.Decoder(_DeltaShell)
_KILL_SHELL: Final = msgspec.json.Decoder(_KillShell)
_KILL: Final = msgspec.json.Decoder(Kill)
_BREAK_GLASS: Final = msgspec.json.Decoder(BreakGlass)
_PING: Final = msgspec.json.Decoder(Ping)
