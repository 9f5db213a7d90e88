"""How a replica follows its ruleset: messages, server-sent-event frames, the replica's state machine, reconnect delays.

Pure: bytes and values in, values out. The connection, the thread and the clock that drive it live in `client` (and
later in the edge); the hub that sends the same events lives in `web`. What a flag answers lives in `flags`.
"""

from pennon.flags import Delete, Put
from pennon.sync.backoff import delay_s
from pennon.sync.claims import BREAK_GLASS_LIMIT_S, BreakGlassClaims, break_glass_claims_of, jwt_claims_of
from pennon.sync.frames import LIMIT_BYTES, Frame, FrameReader, encode_event
from pennon.sync.messages import (
    BreakGlass,
    Delta,
    Kill,
    Message,
    Ping,
    Snapshot,
    decode_message,
    decode_position,
    encode_message,
    encode_position,
)
from pennon.sync.replica import EMPTY, Effect, Replica, expired, receive

__all__ = [
    "BREAK_GLASS_LIMIT_S",
    "EMPTY",
    "LIMIT_BYTES",
    "BreakGlass",
    "BreakGlassClaims",
    "Delete",
    "Delta",
    "Effect",
    "Frame",
    "FrameReader",
    "Kill",
    "Message",
    "Ping",
    "Put",
    "Replica",
    "Snapshot",
    "break_glass_claims_of",
    "decode_message",
    "decode_position",
    "delay_s",
    "encode_event",
    "encode_message",
    "encode_position",
    "expired",
    "jwt_claims_of",
    "receive",
]
