"""Random bytes that are drawn ahead are each given away once."""

import os
from concurrent.futures import ThreadPoolExecutor

from pennon.entropy import draw_entropy
from pennon.headers import ENTROPY_BYTES

# Several blocks.
COUNT = 200


def drawn(_number: int = 0) -> list[bytes]:
    """So many draws."""
    return [draw_entropy() for _ in range(COUNT)]


def test_draw_entropy_gives_as_many_bytes_as_an_extraction_needs() -> None:
    """Each draw is as long as `extract` wants it, also where a block ends."""
    assert {ENTROPY_BYTES} == set(map(len, drawn()))


def test_draw_entropy_gives_no_bytes_twice() -> None:
    """No half of a draw is in another: the ids of two requests share nothing."""
    half = ENTROPY_BYTES // 2
    halves = [part for each in drawn() for part in (each[:half], each[half:])]
    assert 2 * COUNT == len(set(halves))


def test_draw_entropy_gives_threads_different_bytes() -> None:
    """Threads that draw at the same time draw apart."""
    with ThreadPoolExecutor(4) as pool:
        each = [one for several in pool.map(drawn, range(8)) for one in several]
    assert 8 * COUNT == len(set(each))


def test_draw_entropy_gives_a_forked_child_other_bytes() -> None:
    """What the parent has drawn ahead is not the child's."""
    draw_entropy()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, draw_entropy())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    theirs = os.read(reading, ENTROPY_BYTES)
    os.close(reading)
    assert ENTROPY_BYTES == len(theirs)
    assert theirs not in drawn()
