"""Signed context at the doors: identity signed for whom it is sent to, and believed from whom it comes.

    signer = ContextSigner(private_pem, issuer="gateway")
    client = pennon.http.httpx(client, contract, signer=signer)

    trusted = SignedContext({"gateway": {key_id: public}}, audience="posts")
    app = pennon.http.asgi(app, contract, boundary=mesh(verify=trusted.verify, identity=trusted.identity))

Here live the clock, the keys and what is remembered; what the claims mean is `headers.signed`.
"""

from collections.abc import Callable, Collection, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Final

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.context import ActorType, Identity
from pennon.counters import Count, count
from pennon.errors import Fault, SettingInvalid
from pennon.flags.keys import key_id_of
from pennon.headers import Inbound
from pennon.headers.grammar import OWS
from pennon.headers.signed import (
    ContextClaims,
    ContextFault,
    context_claims_of,
    context_fault,
    jwt_claims_of,
    outlived,
)
from pennon.signing.keys import private_key_of, public_of
from pennon.signing.tokens import (
    CONTEXT_TYPE,
    TOKEN_LIMIT_BYTES,
    SigningFault,
    claims_in,
    issuer_in,
    key_id_in,
    sign_by,
)

Keys = Mapping[str, str]
"""Key id -> public key."""

HEADER: Final = b"pennon-context"
_HEADER_BYTES: Final = len(HEADER)
_NOBODY: Final = Identity()

_S_NS: Final = 1_000_000_000
# As long as a slow request and its retries; what is read later is a record, or stolen.
_LIFETIME_S: Final = 300
# A token is given out again for half its lifetime, so that one given out last still holds for the other half.
_GIVEN_OUT_SHARE: Final = 2
# Users that are active within that time; at some 400 bytes each 1.6 MB. A signature costs about 50 µs.
_SIGNED_LIMIT_COUNT: Final = 4_096
# At 2 KiB each 8 MiB at most. A verification costs about 100 µs.
_REMEMBERED_LIMIT_COUNT: Final = 4_096
# Clocks of one fleet that is kept in time; RFC 8725 leaves it to us, RFC 7519 §4.1.4 says "a few minutes" at most.
_LEEWAY_S: Final = 5.0
# A replay next month still knows whose data it is about; a token that somebody found does not count for ever.
_RECORD_MAX_AGE_S: Final = 90 * 24 * 3_600.0


class SignerFault(StrEnum):
    """Why a door sent no token; the `cause` of `pennon.context.unsigned`."""

    NOT_OPAQUE = "not_opaque"
    """The identity holds something that must not be signed, or too much of it."""


class ContextSigner:
    """Signs who a request is for. Callable from any thread; `public` is to be known to those who receive."""

    def __init__(
        self,
        private_pem: bytes,
        *,
        issuer: str,
        key_id: str | None = None,
        lifetime_s: int = _LIFETIME_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Signs as `issuer`, the name by which receivers know this service's keys.

        key_id: None: it follows from the key. lifetime_s: 2 or more. A token is used again, for at most half of it.
        Raises: SettingInvalid for what is no private key, or where the library is missing.
        """
        faults = [
            Fault("/issuer", f"{issuer!r} must not be empty") if not issuer else None,
            Fault("/lifetime_s", f"{lifetime_s} must be at least 2") if lifetime_s < _GIVEN_OUT_SHARE else None,
        ]
        if any(faults):
            raise SettingInvalid(fault for fault in faults if fault)
        self.public = public_of(private_pem)
        self.key_id = key_id_of(self.public) if key_id is None else key_id
        self.issuer = issuer
        self._key = private_key_of(private_pem)
        self._lifetime_s = int(lifetime_s)
        self._period_s = self._lifetime_s // _GIVEN_OUT_SHARE
        self._clock = clock
        self._signed = lru_cache(maxsize=_SIGNED_LIMIT_COUNT)(self._sign)

    def token(self, identity: Identity, audience: str) -> str:
        """The identity, signed for this audience: it holds for at least half a lifetime from now.

        Raises: SettingInvalid with everything about the identity that must not be signed, without its values.
        """
        period = self._clock.now_ns() // _S_NS // self._period_s
        units = tuple(identity.units.items())
        return self._signed(
            period, audience, identity.tenant, identity.actor, identity.actor_type, identity.on_behalf_of, units
        )

    def signed(self, identity: Identity, audience: str | None) -> str | None:
        """The same for a door: None where nobody is to be told, or where it must not be signed, which is counted."""
        if audience is None:
            return None
        try:
            return self.token(identity, audience)
        except SettingInvalid:
            count(Count.CONTEXT_UNSIGNED, SignerFault.NOT_OPAQUE)
            return None

    def _sign(
        self,
        period: int,
        audience: str,
        tenant: str | None,
        actor: str | None,
        actor_type: ActorType | None,
        on_behalf_of: str | None,
        units: tuple[tuple[str, str], ...],
    ) -> str:
        identity = Identity(tenant, actor, dict(units), actor_type=actor_type, on_behalf_of=on_behalf_of)
        # Issued when the period began: one token, whichever thread is first.
        issued_s = period * self._period_s
        claims = ContextClaims(self.issuer, audience, issued_s, issued_s + self._lifetime_s, identity)
        return sign_by(self._key, jwt_claims_of(claims), key_id=self.key_id, typ=CONTEXT_TYPE)


class SignedContext:
    """Believes who a request or record is for, where one of these issuers has signed it. Callable from any thread.

    A token is verified once for all requests that bear it, and judged at each: when it expires, or its key is taken
    away, it counts no more. A record whose token has expired is still believed: its tenant stays, its actor is the
    service that reads it, on behalf of the one who acted.
    """

    def __init__(
        self,
        issuers: Mapping[str, Keys | Callable[[], Keys]],
        *,
        audience: str | Collection[str] | Callable[[Inbound], str],
        max_age_s: float = 3_600.0,
        record_max_age_s: float = _RECORD_MAX_AGE_S,
        leeway_s: float = _LEEWAY_S,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Issuers that are believed, each by its own keys alone: one's key says nothing in another's name.

        issuers: name -> keys, or a callable that gives them; looked up for each request, so that keys change without a
            restart.
        audience: the names under which this service is addressed; for records, their topics' audiences. On a record of
            a topic that is itself one of these names, no other counts. Or a callable that gives the one name under
            which a request or record is addressed, e.g. `lambda inbound: inbound.topic or "posts"`.
        max_age_s: since a request's token was issued; record_max_age_s: since a record's was.
        leeway_s: how far the issuers' clocks may differ from ours.
        Raises: SettingInvalid without an audience.
        """
        self._audiences_of = _told_by(audience) if callable(audience) else _named(audience)
        self._issuers = issuers
        self._max_age_s = max_age_s
        self._record_max_age_s = record_max_age_s
        self._leeway_s = leeway_s
        self._clock = clock
        remembered = lru_cache(maxsize=_REMEMBERED_LIMIT_COUNT)
        self._form = remembered(_form_of)
        self._claims = remembered(_claims_of)

    def verify(self, inbound: Inbound) -> bool:
        """Whether one of ours has sent it; why not is counted. Raises: what a callable of keys or audience does."""
        found = self._judged(inbound)
        if isinstance(found, Identity):
            return True
        count(Count.CONTEXT_REFUSED, found)
        return False

    def identity(self, inbound: Inbound) -> Identity:
        """Whose work it is; nobody's where it is not believed. Raises: what a callable of keys or audience does."""
        found = self._judged(inbound)
        return found if isinstance(found, Identity) else _NOBODY

    def _judged(self, inbound: Inbound) -> Identity | StrEnum:
        tokens = [value for name, value in inbound.headers if len(name) == _HEADER_BYTES and name.lower() == HEADER]
        if not tokens or tokens[0] is None:
            return ContextFault.MISSING
        if len(tokens) > 1:
            return ContextFault.REPEATED
        claims = self._believed(tokens[0].strip(OWS))
        if not isinstance(claims, ContextClaims):
            return claims
        is_record = inbound.topic is not None
        fault = context_fault(
            claims,
            self._audiences_of(inbound),
            self._clock.now_ns() // _S_NS,
            max_age_s=self._record_max_age_s if is_record else self._max_age_s,
            leeway_s=self._leeway_s,
        )
        if fault is ContextFault.EXPIRED and is_record:
            return outlived(claims.identity, inbound.service)
        return fault or claims.identity

    def _believed(self, token: bytes) -> ContextClaims | StrEnum:
        """What one of the issuers has signed, whenever that was and whoever it was for."""
        # Before anything is remembered: only short texts take room.
        if len(token) > TOKEN_LIMIT_BYTES:
            return SigningFault.TOO_LONG
        text = token.decode("latin-1")
        form = self._form(text)
        if isinstance(form, SigningFault):
            return form
        key_id, issuer = form
        keys = self._issuers.get(issuer)
        if keys is None:
            return ContextFault.UNKNOWN_ISSUER
        public = (keys() if callable(keys) else keys).get(key_id)
        return SigningFault.UNKNOWN_KEY if public is None else self._claims(text, public)


def _named(audience: str | Collection[str]) -> Callable[[Inbound], Collection[str]]:
    """Which audiences count, of these. Raises: SettingInvalid if one is nobody, or there is none."""
    names = frozenset({audience} if isinstance(audience, str) else audience)
    if not all(names) or not names:
        raise SettingInvalid([Fault("/audience", f"{audience!r} must be the name of somebody")])

    def audiences_of(inbound: Inbound) -> Collection[str]:
        # Else a token that stood on one topic would count on all that are read here.
        return (inbound.topic,) if inbound.topic in names else names

    return audiences_of


def _told_by(audience_of: Callable[[Inbound], str]) -> Callable[[Inbound], Collection[str]]:
    """The one audience that counts. What is given raises TypeError where that is no text, e.g. a coroutine."""

    def audiences_of(inbound: Inbound) -> Collection[str]:
        name = audience_of(inbound)
        if not isinstance(name, str):
            raise TypeError(f"audience: gave a {type(name).__name__}; must be a plain function that gives a name")
        return (name,)

    return audiences_of


def _form_of(token: str) -> tuple[str, str] | SigningFault:
    """The key and the issuer that it names."""
    key_id = key_id_in(token, CONTEXT_TYPE)
    if isinstance(key_id, SigningFault):
        return key_id
    issuer = issuer_in(token)
    return issuer if isinstance(issuer, SigningFault) else (key_id, issuer)


def _claims_of(token: str, public: str) -> ContextClaims | StrEnum:
    said = claims_in(token, public)
    return said if isinstance(said, SigningFault) else context_claims_of(said) or ContextFault.CLAIMS
