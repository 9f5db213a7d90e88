"""Fixed answers for tests: while a block holds, every client of this process answers from it, without a network.

`pennon.testing.flags` is the way to use it. The innermost block alone answers; its end brings the one outside back.
"""

from threading import RLock
from typing import Final

from pennon.flags import Ruleset

# Held while a block begins or ends and while a client is made, so that no client misses either.
lock: Final = RLock()

_blocks: Final[list[Ruleset]] = []


def current_block() -> Ruleset | None:
    """What everybody answers from now; None outside blocks."""
    return _blocks[-1] if _blocks else None


def begin(ruleset: Ruleset) -> None:
    """Begin a block."""
    _blocks.append(ruleset)


def end(ruleset: Ruleset) -> None:
    """End the block of this ruleset. Blocks of several threads need not end in the order in which they began."""
    _blocks[:] = [held for held in _blocks if held is not ruleset]
