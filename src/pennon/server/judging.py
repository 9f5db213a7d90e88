"""Whether a break-glass token is believed, by what is in memory: no database is asked.

1. Form and signer first: whoever knows no signer's id costs a few microseconds, and nothing of the bucket.
2. Then the bucket, so that nobody can make this server check signatures all day.
3. Then the signature, then what it claims.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException

from pennon.clock import Clock
from pennon.control.break_glass import Known, author_of, break_glass_refusal
from pennon.errors import NotFound, TokenRefused
from pennon.server.bucket import Bucket
from pennon.server.emergencies import Emergency
from pennon.server.memory import Memory
from pennon.signing import KILL_TYPE, SigningFault, Verifier
from pennon.sync import BreakGlass, BreakGlassClaims, break_glass_claims_of

# A signature costs about 100 µs, so this is half a percent of a core; people in an incident send a handful.
_RATE_PER_S: Final = 50.0
_FULL_COUNT: Final = 100

_S_NS: Final = 1_000_000_000


class Judged(msgspec.Struct, frozen=True):
    """A kill that is believed. flag: its key. known: of its environment."""

    emergency: Emergency
    flag: str
    known: Known


class Judge:
    """See the module. All calls come from the event loop's thread."""

    def __init__(self, memory: Memory, clock: Clock) -> None:
        self._memory = memory
        self._clock = clock
        self._verifier = Verifier(KILL_TYPE)
        self._bucket = Bucket(full_count=_FULL_COUNT, rate_per_s=_RATE_PER_S, monotonic_ns=clock.monotonic_ns)

    def judged(self, token: str) -> Judged:
        """The kill that the token asks for.

        Raises: TokenRefused if it is not believed; NotFound if it is, but there is no such flag; HTTPException 429.
        """
        claims = self._claims(token)
        known = self._memory.known.get(claims.environment)
        refusal = break_glass_refusal(claims, known, self._clock.now_ns() // _S_NS)
        if refusal is not None or known is None:
            raise _refused(refusal)
        flag_id = known.flags.get(claims.flag)
        if flag_id is None:
            raise NotFound(f"no flag '{claims.flag}' in environment '{known.environment.key}', or it is archived")
        kill = BreakGlass(claims.environment, flag_id, claims.id, claims.until_s)
        return Judged(Emergency(kill, author_of(claims)), claims.flag, known)

    def _claims(self, token: str) -> BreakGlassClaims:
        key_id = self._verifier.key_id(token)
        if isinstance(key_id, SigningFault):
            raise _refused(key_id)
        if key_id not in self._memory.keys:
            raise _refused(SigningFault.UNKNOWN_KEY)
        if wait_s := self._bucket.wait_s():
            raise HTTPException(429, "too many break-glass kills at once", {"retry-after": str(math.ceil(wait_s))})
        said = self._verifier.claims(token, self._memory.keys)
        claims = said if isinstance(said, SigningFault) else _read(said, key_id)
        if isinstance(claims, SigningFault):
            raise _refused(claims)
        return claims


def _read(said: Mapping[str, Any], key_id: str) -> BreakGlassClaims | SigningFault:
    return break_glass_claims_of(said, key_id=key_id) or SigningFault.MALFORMED


def _refused(why: object) -> TokenRefused:
    return TokenRefused(f"the token is not believed: {why}")
