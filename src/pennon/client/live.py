"""What a client answers from: a value that is swapped whole."""

from collections.abc import Callable, Mapping

from pennon.client.within import ValueWithin
from pennon.context import Answer
from pennon.flags import Ruleset

AnswerOf = Callable[[str | None, Mapping[str, object], Mapping[str, str]], Answer]


class Live(dict[str, AnswerOf]):
    """A ruleset, and the shortest paths to the flags that have one.

    It is itself the path outside a request, a dict: one attribute less is a tenth of what a static flag costs. within:
    the path in one. A flag gets its paths when the long way has found that nothing but its answer matters.
    """

    __slots__ = ("ruleset", "within")

    def __init__(self, ruleset: Ruleset | None) -> None:
        super().__init__()
        self.ruleset = ruleset
        self.within: dict[str, ValueWithin] = {}
