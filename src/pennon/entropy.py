"""Random bytes for the ids that a request or record gets, drawn ahead: asking costs more than the bytes do.

For whoever draws at each hop; not for secrets, which nobody should keep lying about.
"""

import os
from typing import Final

from pennon.headers import ENTROPY_BYTES

# A block takes 5 µs to draw and lasts for 25 hops.
_BLOCK_BYTES: Final = 25 * ENTROPY_BYTES

# Whoever takes one takes it out, which is one step: no two threads get the same.
_ahead: Final[list[bytes]] = []


def draw_entropy() -> bytes:
    """As many random bytes as one hop needs; nobody else gets them."""
    try:
        return _ahead.pop()
    except IndexError:
        block = os.urandom(_BLOCK_BYTES)
        _ahead.extend([block[at : at + ENTROPY_BYTES] for at in range(ENTROPY_BYTES, _BLOCK_BYTES, ENTROPY_BYTES)])
        return block[:ENTROPY_BYTES]


# A child would draw what its parent draws. A server that forks without Python's knowing does so before the first hop,
# when nothing has been drawn: nothing is at import.
os.register_at_fork(after_in_child=_ahead.clear)
