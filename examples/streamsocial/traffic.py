"""What people do, drawn from a seed: who, what, and what a bad client sends along.

Nothing here sends anything (`sending` does). The same seed gives the same actions in the same order; only the likes
that follow a feed depend on what was answered, because that is what the experiment is about.
"""

import random
from bisect import bisect
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from streamsocial.sessions import ACCOUNTS_COUNT, TESTER

# What an action is, in percent.
MIX: Final = {"read": 32, "look": 6, "post": 18, "like": 24, "comment": 16, "hostile": 2, "test": 2}

# Somebody who is shown a feed likes something in it this often: the real effect of the ranking experiment.
LIKES_AFTER_READING: Final = {"recency": 0.20, "engagement": 0.26, "blend": 0.32}

WORDS: Final = "sun rain cat tea code bike song night coffee train book sea hill light friend spam".split()
REACTIONS: Final = ("like", "love", "laugh", "wow")

Headers = tuple[tuple[str, str | bytes], ...]

# What bad clients send, and what a gateway may answer to it. Nobody else must ever notice.
HOSTILE: Final[tuple[tuple[str, Headers, frozenset[int]], ...]] = (
    ("forged decisions", (("baggage", "pennon=1AAAAAAAAAAAAAAAAAAAAAAAA"), ("x-tenant-id", "admin")), frozenset({201})),
    ("broken trace", (("traceparent", "00-" + "z" * 32 + "-0-1"), ("tracestate", "=,=,,")), frozenset({201})),
    ("two trace parents", (("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),) * 2, frozenset({201})),
    ("forged ids", (("x-request-id", "' OR 1=1 --"), ("x-correlation-id", "a" * 500)), frozenset({201})),
    ("bytes that are no text", (("x-request-id", b"\xff\xfe\x00".replace(b"\x00", b"")),), frozenset({201})),
    ("200 baggage members", (("baggage", ",".join(f"k{i}={i}" for i in range(200))),), frozenset({201, 431})),
    ("a baggage of 9 kB", (("baggage", "k=" + "v" * 9_000),), frozenset({431})),
    ("150 headers", tuple((f"x-{i}", "1") for i in range(150)), frozenset({431})),
    ("a header of 20 kB", (("x-big", "v" * 20_000),), frozenset({431})),
    ("no session", (("authorization", "Bearer session-99999999999999999999"),), frozenset({401})),
)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that somebody does.

    id: also its correlation id; sent again it stays the same action. seq: 1, 2, 3 ... within a run.
    mood: how easily they like what they read, in [0, 1). headers: what is sent beside the usual.
    allowed: what a gateway may answer. what: is hostile about it.
    """

    id: str
    seq: int
    kind: str
    account: int
    text: str = ""
    reaction: str = "like"
    mood: float = 1.0
    headers: Headers = ()
    allowed: frozenset[int] = frozenset({200, 201})
    what: str = ""


@dataclass(slots=True)
class Traffic:
    """The actions, one after the other.

    run: tells the ids of one run from those of another on the same broker. override: the tester's token.
    """

    seed: int
    run: str
    override: str
    _random: random.Random = field(init=False)
    _seq: int = field(init=False, default=0)
    _activity: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        # Zipf: account n is 1 / (n + 1) ** 0.8 as busy as the busiest; a few do a great deal, most do little.
        self._activity = list(accumulate(1 / (number + 1) ** 0.8 for number in range(ACCOUNTS_COUNT)))

    def next(self) -> Action:
        """What somebody does next."""
        drawn = self._random
        kind = drawn.choices(list(MIX), weights=list(MIX.values()))[0]
        account = bisect(self._activity, drawn.random() * self._activity[-1])
        text = " ".join(drawn.choices(WORDS, k=drawn.randint(2, 8)))
        reaction, mood, hostile = drawn.choice(REACTIONS), drawn.random(), drawn.choice(HOSTILE)
        if kind == "hostile":
            what, headers, allowed = hostile
            return Action(*self._name(), "hostile", account, text, headers=headers, allowed=allowed, what=what)
        if kind == "test":
            # A tester likes whatever the feed in question shows.
            return Action(*self._name(), "read", TESTER, mood=0.0, headers=(("pennon-override", self.override),))
        return Action(*self._name(), kind, account, text, reaction, mood)

    def after(self, read: Action, ranking: str | None) -> Action | None:
        """What somebody does who was shown a feed in this order."""
        if read.mood >= LIKES_AFTER_READING.get(ranking or "", 0.0):
            return None
        return Action(*self._name(), "like", read.account, reaction=read.reaction, headers=read.headers)

    def _name(self) -> tuple[str, int]:
        self._seq += 1
        return f"{self.run}-{self._seq}", self._seq
