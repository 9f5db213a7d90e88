"""Signed context: what is signed, what is believed, what it costs, and what becomes of an actor."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennon import counters
from pennon.context import ActorType, Identity
from pennon.errors import SettingInvalid
from pennon.headers import Inbound
from pennon.headers.signed import ContextClaims, ContextFault, context_claims_of, jwt_claims_of
from pennon.signing import CONTEXT_TYPE, ContextSigner, SignedContext, SigningFault, context, sign
from pennon.signing.tokens import claims_in, sign_by
from pennon.testing import ManualClock

NOW_S = 1_795_256_100
ADA = Identity(tenant="tenant-42", actor="user-991", units={"user": "991"}, actor_type=ActorType.HUMAN)
LIFETIME_S = 300


@pytest.fixture
def clock() -> ManualClock:
    """2026-11-21T10:15:00Z."""
    return ManualClock(now_ns=NOW_S * 1_000_000_000)


@pytest.fixture
def gateway(signer: Any, clock: ManualClock) -> ContextSigner:
    """The gateway signs."""
    return ContextSigner(signer.pem, issuer="gateway", lifetime_s=LIFETIME_S, clock=clock)


@pytest.fixture
def trusted(signer: Any, other: Any, clock: ManualClock) -> SignedContext:
    """The service "posts" believes the gateway and the billing service, each by its own key."""
    issuers = {"gateway": signer.keys, "billing": other.keys}
    return SignedContext(issuers, audience="posts", clock=clock)


def inbound(*tokens: str | None, topic: str | None = None, name: bytes = b"Pennon-Context") -> Inbound:
    """A request with these tokens, or a record."""
    headers = [(name, None if token is None else token.encode()) for token in tokens]
    return Inbound(
        address=None, method=None, path=None, topic=topic, headers=headers, source=None, service="feed service"
    )


def refused() -> Mapping[str, int]:
    """How often which cause was counted so far."""
    return {each.cause: each.total for each in counters.samples() if each.name is counters.Count.CONTEXT_REFUSED}


def claims_of(token: str) -> dict[str, Any]:
    """What stands in a token, unverified."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.mark.req(68, 69, 74)
def test_signed_identity_is_believed_by_whom_it_was_signed_for(gateway: ContextSigner, trusted: SignedContext) -> None:
    """Tenant, actor, its type and units arrive as they were signed."""
    request = inbound(gateway.token(ADA, "posts"))
    assert (True, ADA) == (trusted.verify(request), trusted.identity(request))


@pytest.mark.req(93)
def test_identity_that_requests_share_cannot_be_changed(gateway: ContextSigner, trusted: SignedContext) -> None:
    """A token is read once for all requests that bear it: what one did to its units would be the others' too."""
    units: Any = trusted.identity(inbound(gateway.token(ADA, "posts"))).units

    with pytest.raises(TypeError):
        units["user"] = "somebody else"
    assert ADA == trusted.identity(inbound(gateway.token(ADA, "posts")))


@pytest.mark.req(70, 71)
def test_token_holds_ids_and_nothing_else(gateway: ContextSigner) -> None:
    """No attributes, no token: every claim is listed here."""
    rich = Identity("tenant-42", "agent-3", {"user": "991"}, {"plan": "pro"}, ActorType.SUPPORT, "user-991")
    assert {
        "iss": "gateway",
        "aud": "posts",
        "iat": NOW_S - NOW_S % (LIFETIME_S // 2),
        "exp": NOW_S - NOW_S % (LIFETIME_S // 2) + LIFETIME_S,
        "sub": "agent-3",
        "tenant": "tenant-42",
        "actor_type": "SUPPORT",
        "on_behalf_of": "user-991",
        "units": {"user": "991"},
    } == claims_of(gateway.token(rich, "posts"))


@pytest.mark.req(70, 71)
@pytest.mark.parametrize(
    "identity",
    [
        Identity(tenant="Ada's Bakery"),
        Identity(actor="ada@example.org"),
        Identity(actor="Ada Lovelace"),
        Identity(actor="4111111111111111"),
        Identity(actor="pn_sdk_0123456789abcdef"),
        Identity(actor="eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."),
        Identity(actor="user-7", on_behalf_of="ada@example.org"),
        Identity(actor="agent-3", actor_type=ActorType.SUPPORT),
        Identity(on_behalf_of="user-7"),
        Identity(units={"user": "ada@example.org"}),
        Identity(units={"user": "4111111111111111"}),
        Identity(units={f"kind-{number}": "7" for number in range(9)}),
        Identity(actor=""),
        Identity(actor="x" * 129),
    ],
)
def test_what_is_no_opaque_id_is_not_signed(identity: Identity, gateway: ContextSigner) -> None:
    """Names, addresses, cards and tokens are refused, and the message does not repeat them; a door sends none."""
    with pytest.raises(SettingInvalid) as raised:
        gateway.token(identity, "posts")
    texts = {identity.tenant, identity.actor, identity.on_behalf_of, *identity.units.values()} - {None, "", "7"}
    assert not any(str(text) in str(raised.value) for text in texts)
    before = sum(each.total for each in counters.samples() if each.name is counters.Count.CONTEXT_UNSIGNED)
    assert gateway.signed(identity, "posts") is None
    assert before + 1 == sum(each.total for each in counters.samples() if each.name is counters.Count.CONTEXT_UNSIGNED)


def test_door_without_an_audience_sends_no_token(gateway: ContextSigner) -> None:
    """The contract names whom a context is signed for; for nobody else there is one."""
    assert gateway.signed(ADA, None) is None


IDS = st.from_regex(r"[A-Za-z0-9._:\-]{1,12}", fullmatch=True)


@given(
    identity=st.builds(
        Identity,
        tenant=IDS | st.none(),
        actor=IDS,
        units=st.dictionaries(IDS, IDS, max_size=3),
        actor_type=st.sampled_from([ActorType.HUMAN, ActorType.SERVICE, ActorType.SYSTEM, None]),
        on_behalf_of=IDS | st.none(),
    )
)
@settings(max_examples=60, deadline=None)
def test_any_opaque_identity_comes_back(identity: Identity, signer: Any) -> None:
    """Whatever ids it holds, who reads the token knows what its signer knew."""
    clock = ManualClock()
    trusted = SignedContext({"gateway": signer.keys}, audience="posts", clock=clock)
    token = ContextSigner(signer.pem, issuer="gateway", clock=clock).token(identity, "posts")
    assert identity == trusted.identity(inbound(token))


@given(from_s=st.integers(0, NOW_S + LIFETIME_S - 1), issued_s=st.integers(0, NOW_S))
@settings(max_examples=60, deadline=None)
def test_any_times_come_back(from_s: int, issued_s: int) -> None:
    """What a token says of when it counts is what was put in; 0 and no word of it are one."""
    claims = ContextClaims("gateway", "posts", issued_s, NOW_S + LIFETIME_S, ADA, from_s)
    said = jwt_claims_of(claims)
    assert (claims, from_s) == (context_claims_of(said), said.get("nbf", 0))


def test_signature_is_made_once_for_half_a_lifetime(
    signer: Any, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request costs no signature; whoever gets the last copy still has half a lifetime to use it."""
    made = Counter[str]()

    def counting(key: Any, claims: Any, **named: Any) -> str:
        made["signatures"] += 1
        return sign_by(key, claims, **named)

    monkeypatch.setattr(context, "sign_by", counting)
    gateway = ContextSigner(signer.pem, issuer="gateway", lifetime_s=LIFETIME_S, clock=clock)
    trusted = SignedContext({"gateway": signer.keys}, audience="posts", leeway_s=0, clock=clock)
    tokens = []
    for _ in range(LIFETIME_S):
        tokens.append(gateway.token(ADA, "posts"))
        clock.advance(1)
    assert (2, 2) == (made["signatures"], len(set(tokens)))
    clock.advance(LIFETIME_S / 2 - 1)
    assert trusted.verify(inbound(tokens[-1]))
    clock.advance(1)
    assert not trusted.verify(inbound(tokens[-1]))


def test_each_identity_and_audience_has_its_own_token(gateway: ContextSigner) -> None:
    """One user's token is never another's, nor one service's another's."""
    tokens = {
        gateway.token(identity, audience)
        for identity in (ADA, Identity(actor="user-7"), Identity(tenant="user-7"), Identity(units={"user": "7"}))
        for audience in ("posts", "feed")
    }
    assert 8 == len(tokens)


def test_request_is_verified_once_for_both_questions(
    gateway: ContextSigner, trusted: SignedContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`verify` and `identity`, and every later request that bears the token, cost one verification."""
    verified = Counter[str]()

    def counting(token: str, public: str) -> Any:
        verified[token] += 1
        return claims_in(token, public)

    monkeypatch.setattr(context, "claims_in", counting)
    token = gateway.token(ADA, "posts")
    for _ in range(3):
        assert trusted.verify(inbound(token))
        assert ADA == trusted.identity(inbound(token))
    assert {token: 1} == verified


VECTORS = json.loads((Path(__file__).parents[1] / "conformance/vectors/signing/contexts.json").read_text())


@pytest.mark.req(69, 71, 72, 73, 75, 76)
@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["id"])
def test_vector_says_whose_work_it_is(case: dict[str, Any]) -> None:
    """Tokens that were put together by hand: the identity behind each, or why there is none."""
    clock = ManualClock(now_ns=case["now_s"] * 1_000_000_000)
    trusted = SignedContext(VECTORS["issuers"], audience=case["audiences"], clock=clock)
    request = Inbound(
        address=None,
        method=None,
        path=None,
        topic=case["topic"],
        headers=[(b"pennon-context", case["token"].encode())],
        source=None,
        service=VECTORS["service"],
    )
    expected = case["expected"]
    before = refused()
    assert isinstance(expected, dict) is trusted.verify(request)
    identity = trusted.identity(request)
    if isinstance(expected, dict):
        assert expected == {name: getattr(identity, name) for name in expected}
    else:
        assert (Identity(), before.get(expected, 0) + 1) == (identity, refused()[expected])


@pytest.mark.req(69)
@pytest.mark.parametrize(
    ("request_of", "cause"),
    [
        (lambda token: inbound(), ContextFault.MISSING),
        (lambda token: inbound(None), ContextFault.MISSING),
        (lambda token: inbound(token, token), ContextFault.REPEATED),
        (lambda token: inbound(token[:-1] + ("A" if token[-1] != "A" else "Q")), SigningFault.BAD_SIGNATURE),
        (lambda token: inbound(token + "="), SigningFault.MALFORMED),
        (lambda token: inbound("é" + token), SigningFault.MALFORMED),
        (lambda token: inbound("A" * 2_049), SigningFault.TOO_LONG),
    ],
)
def test_what_is_no_token_is_refused(
    request_of: Any, cause: Any, gateway: ContextSigner, trusted: SignedContext
) -> None:
    """A header comes from strangers."""
    before = refused().get(cause.value, 0)
    assert not trusted.verify(request_of(gateway.token(ADA, "posts")))
    assert before + 1 == refused()[cause.value]


@pytest.mark.req(69)
def test_key_speaks_for_its_own_issuer_alone(other: Any, trusted: SignedContext, clock: ManualClock) -> None:
    """Whoever holds the billing service's key cannot say what the gateway says, whatever `kid` it names."""
    forger = ContextSigner(other.pem, issuer="gateway", clock=clock)
    assert not trusted.verify(inbound(forger.token(ADA, "posts")))
    own = ContextSigner(other.pem, issuer="billing", clock=clock)
    assert trusted.verify(inbound(own.token(ADA, "posts")))


def test_two_issuers_may_call_their_keys_alike(signer: Any, other: Any, clock: ManualClock) -> None:
    """A `kid` means something among its issuer's keys only."""
    issuers = {"gateway": {"k1": signer.public}, "billing": {"k1": other.public}}
    trusted = SignedContext(issuers, audience="posts", clock=clock)
    said = [
        trusted.verify(inbound(ContextSigner(pem, issuer=issuer, key_id="k1", clock=clock).token(ADA, "posts")))
        for issuer in ("gateway", "billing")
        for pem in (signer.pem, other.pem)
    ]
    assert [True, False, False, True] == said


@pytest.mark.parametrize("is_called", [False, True], ids=["mapping", "callable"])
def test_keys_change_without_a_restart(
    is_called: bool, signer: Any, other: Any, gateway: ContextSigner, clock: ManualClock
) -> None:
    """A new key is believed as soon as it is there, an old one until it is gone, also from memory."""
    keys: dict[str, str] = {}
    trusted = SignedContext({"gateway": (lambda: keys) if is_called else keys}, audience="posts", clock=clock)
    old = inbound(gateway.token(ADA, "posts"))
    new = inbound(ContextSigner(other.pem, issuer="gateway", clock=clock).token(ADA, "posts"))
    said = [(trusted.verify(old), trusted.verify(new))]
    for change in (signer.keys, other.keys):
        keys |= change
        said.append((trusted.verify(old), trusted.verify(new)))
    del keys[signer.id]
    said.append((trusted.verify(old), trusted.verify(new)))
    assert [(False, False), (True, False), (True, True), (False, True)] == said


def test_service_may_be_addressed_by_several_names(gateway: ContextSigner, signer: Any, clock: ManualClock) -> None:
    """Its own, and those of the topics that it reads."""
    trusted = SignedContext({"gateway": signer.keys}, audience=["feed", "posts.created"], clock=clock)
    said = [trusted.verify(inbound(gateway.token(ADA, name))) for name in ("feed", "posts.created", "posts")]
    assert [True, True, False] == said


@pytest.mark.req(69)
def test_token_of_one_topic_does_not_count_on_another(gateway: ContextSigner, signer: Any, clock: ManualClock) -> None:
    """Who may write to one topic cannot take a record's token and speak by it on another, at any age."""
    topics = ("orders", "payments")
    trusted = SignedContext({"gateway": signer.keys}, audience=topics, clock=clock)
    tokens = {topic: gateway.token(ADA, topic) for topic in topics}
    said = []
    for age_s in (0, LIFETIME_S + 10):
        clock.advance(age_s)
        said += [trusted.verify(inbound(tokens[each], topic=topic)) for each in topics for topic in topics]

    assert [True, False, False, True] * 2 == said


@pytest.mark.req(69)
def test_audience_may_be_told_of_each_request(gateway: ContextSigner, signer: Any, clock: ManualClock) -> None:
    """A token counts where it was meant to: on its topic, and on requests if it was signed for the service."""

    def audience_of(found: Inbound) -> str:
        return found.topic or "feed"

    trusted = SignedContext({"gateway": signer.keys}, audience=audience_of, clock=clock)
    tokens = [gateway.token(ADA, name) for name in ("feed", "orders", "payments")]
    said = {
        topic: [trusted.verify(inbound(token, topic=topic)) for token in tokens]
        for topic in (None, "orders", "payments")
    }

    assert {None: [True, False, False], "orders": [False, True, False], "payments": [False, False, True]} == said
    assert ADA == trusted.identity(inbound(tokens[1], topic="orders"))
    assert Identity() == trusted.identity(inbound(tokens[1]))


def test_audience_that_is_no_text_is_an_error(gateway: ContextSigner, signer: Any, clock: ManualClock) -> None:
    """A callable that forgot to answer, or is a coroutine function, must not look like a stranger's token."""
    trusted = SignedContext({"gateway": signer.keys}, audience=lambda _: None, clock=clock)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="audience: gave a NoneType; must be a plain function that gives a name"):
        trusted.verify(inbound(gateway.token(ADA, "posts")))


@pytest.mark.req(72, 73, 75, 76)
def test_record_read_after_the_token_is_the_systems_work(
    gateway: ContextSigner, trusted: SignedContext, clock: ManualClock
) -> None:
    """The tenant stays; who acts is the service that reads, on behalf of the one who acted. A request is refused."""
    token = gateway.token(ADA, "posts")
    clock.advance(LIFETIME_S + 10)
    record = inbound(token, topic="posts.created")
    expected = Identity(
        tenant="tenant-42",
        actor="system:feed-service",
        units={"user": "991"},
        actor_type=ActorType.SYSTEM,
        on_behalf_of="user-991",
    )
    assert (True, expected) == (trusted.verify(record), trusted.identity(record))
    assert (False, Identity()) == (trusted.verify(inbound(token)), trusted.identity(inbound(token)))


@pytest.mark.req(73, 76)
def test_system_that_worked_for_somebody_is_kept_for_whom(
    gateway: ContextSigner, trusted: SignedContext, clock: ManualClock
) -> None:
    """Through any number of late hops the record says for whom the work was."""
    identity = Identity(actor="system:mover", actor_type=ActorType.SYSTEM, on_behalf_of="user-991")
    token = gateway.token(identity, "posts")
    clock.advance(LIFETIME_S + 10)
    found = trusted.identity(inbound(token, topic="posts.created"))
    assert ("system:feed-service", "user-991") == (found.actor, found.on_behalf_of)


@pytest.mark.req(69, 76)
def test_record_gives_nothing_for_a_bad_signature_or_after_all_time(
    gateway: ContextSigner, other: Any, signer: Any, trusted: SignedContext, clock: ManualClock
) -> None:
    """Expiry is forgiven on records, forgery is not; and a token that was found counts for 90 days at most."""
    token = gateway.token(ADA, "posts")
    forged = sign(claims_of(token), other.pem, key_id=signer.id, typ=CONTEXT_TYPE)
    assert (False, Identity()) == (
        trusted.verify(inbound(forged, topic="posts.created")),
        trusted.identity(inbound(forged, topic="posts.created")),
    )
    clock.advance(91 * 24 * 3_600)
    assert not trusted.verify(inbound(token, topic="posts.created"))


@pytest.mark.parametrize(
    "build",
    [
        lambda pem: ContextSigner(pem, issuer=""),
        lambda pem: ContextSigner(pem, issuer="gateway", lifetime_s=1),
        lambda pem: ContextSigner(b"no key", issuer="gateway"),
        lambda pem: SignedContext({}, audience=""),
        lambda pem: SignedContext({}, audience=[]),
    ],
)
def test_settings_that_cannot_work_are_refused(build: Any, signer: Any) -> None:
    """When the service starts, not at its first request."""
    with pytest.raises(SettingInvalid):
        build(signer.pem)


@given(st.binary(max_size=200) | st.from_regex(rb"[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]+", fullmatch=True))
@settings(max_examples=100, deadline=None)
def test_no_bytes_raise(signer: Any, token: bytes) -> None:
    """Whatever stands in the header."""
    request = Inbound(
        address=None, method=None, path=None, topic=None, headers=[(b"pennon-context", token)], source=None
    )
    assert not SignedContext({"gateway": signer.keys}, audience="posts").verify(request)
