"""The wire format of carried decisions: the value of the baggage member `pennon`.

docs/reference/wire.md has the rules for those who implement them elsewhere. In short: groups joined by ".", each
strict, unpadded base64url of

    environment id 5 · epoch 3 · unit fingerprint 3 · decided-at 4 · decisions · CRC-32 4
    a decision: flag id 3 · variant id 1 · origin 1 · revision as LEB128, shortest form, at most 8 bytes

and one short group for the flags of the member as a whole: one byte, CRC-32. A group is taken whole or dropped whole,
and its checksum comes before anything else in it. Here stands what reading and writing have in common.
"""

from typing import Final

from pennon.context import Origin

CARRY_KEY: Final = "pennon"

# Half of the 1,024 bytes that a request's baggage may have, counted on the decoded value: 40 decisions of one unit and
# one minute with revisions below 2**28. With more, ours would push out what others put there.
BUDGET_BYTES: Final = 512

# A revision has at most 56 bits: no ruleset gets there, and a longer number is refused before it is built.
REVISION_BITS: Final = 56

# Bits of the flags group.
CUT: Final = 1
REPLAY: Final = 2

HEAD_BYTES: Final = 5 + 3 + 3 + 4
CRC_BYTES: Final = 4
FLAGS_GROUP_BYTES: Final = 1 + CRC_BYTES

ORIGINS: Final = tuple(Origin)
ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
