"""What crossings, carried decisions, tokens, log lines and contracts promise for any bytes."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from tests.fuzz.inputs import ID, MONOTONIC_NS, NOW_NS, SAFE_VALUE, VECTORS, lines_of, pairs_of

from pennon import carry
from pennon.context import Identity, Ledger
from pennon.errors import ContractInvalid, SettingInvalid
from pennon.headers import (
    BaggagePolicy,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Extracted,
    Field,
    Headers,
    Inbound,
    Log,
    Propagate,
    Trust,
    extract,
    inject,
    std,
)
from pennon.headers.leaks import Leak, leak_in
from pennon.headers.proxies import ForwardedSource, TrustedProxies
from pennon.headers.redaction import Redaction
from pennon.headers.signed import context_claims_of, jwt_claims_of
from pennon.headers.times import S_NS
from pennon.signing import ContextSigner, SignedContext, new_key
from pennon.signing.tokens import TOKEN_LIMIT_BYTES, SigningFault, claims_in, key_id_in
from pennon.testing import ManualClock

ENTROPY: Final = bytes(range(1, 41))

_PLANTED: Final = "hunter2hunter2"
_LOG_LINE: Final = re.compile(r"[\x20-\x7e]*")

_OPEN: Final[Mapping[str, Any]] = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False}
_CLOSED: Final[Mapping[str, Any]] = {"trust": Trust.GATEWAY, "caller_may_set": False, "gateway_overwrites": True}


def _field(name: str, who: Mapping[str, Any], **more: Any) -> Field:
    declared: dict[str, Any] = {
        "category": Category.ROUTING,
        "owner": "platform",
        "syntax": r"[a-z0-9-]+",
        "max_length": 64,
        "downstream_may_forward": True,
        "propagate": Propagate.ALWAYS,
        "log": Log.CLEAR,
        "classification": Classification.INTERNAL,
        "description": "A field",
    }
    return Field(name, **(declared | dict(who) | more))


_CAP_S: Final = 30.0
_PROXY: Final = "10.0.0.1"
CONTRACT: Final = Contract(
    "orders",
    version="1",
    owner="platform",
    fields=[
        _field("x-pool", _CLOSED, kafka="pool"),
        _field("X-Zone", _OPEN),
        _field("x-once", _OPEN, syntax=r'"[\x20-\x7e]+"', classification=Classification.PUBLIC, log=Log.HASH),
        _field("x-local", _CLOSED, downstream_may_forward=False),
        *(std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF),
    ],
    baggage=BaggagePolicy(allow=["tenant.tier", "region"]),
    downstreams=[
        Downstream("posts", host="posts.internal", tenant=True, actor=True, deadline=DeadlineForm.TIMEOUT_MS),
        Downstream("feed", topic="feed.posts"),
        Downstream("stripe", host="api.stripe.com", external=True),
        Downstream("plain", host="plain.internal", decisions=False),
    ],
    deadline=DeadlinePolicy(accept=list(DeadlineForm), cap_s=_CAP_S),
    proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED]),
)
_CLOCK: Final = ManualClock(now_ns=NOW_NS)
_SOMEBODY: Final = Identity("tenant-42", "user-7")
_SIGNER: Final = ContextSigner(new_key()[0], issuer="gateway", clock=_CLOCK)
SIGNED: Final = _SIGNER.token(_SOMEBODY, "orders").encode()
_TRUSTED: Final = SignedContext({"gateway": {_SIGNER.key_id: _SIGNER.public}}, audience="orders", clock=_CLOCK)
_REDACTION: Final = Redaction(CONTRACT, salt=b"salt")
_TOKENS: Final = json.loads((VECTORS / "signing" / "tokens.json").read_text(encoding="utf-8"))
_BELIEVED: Final = frozenset(each["token"] for each in _TOKENS["believed"])


def check_decisions(data: bytes) -> None:
    """What is read is written within the budget and read as the same; broken groups cost themselves."""
    value = data.decode("utf-8", "replace")[:1_024]  # what may stand in baggage
    read = carry.decode(value)
    assert len(read.entries) + len(read.dropped) <= len(value) + 1
    ledger = Ledger()
    ledger.arrived, ledger.was_cut = read.arrived, read.was_cut
    encoded = carry.encode(ledger, is_replay=read.is_replay)
    assert encoded.value.isascii()
    assert len(encoded.value) <= carry.BUDGET_BYTES
    again = carry.decode(encoded.value)
    assert not again.dropped
    assert read.is_replay == again.is_replay
    assert read.was_cut or encoded.cut_count or not again.was_cut
    assert set(again.entries) <= set(read.entries)
    assert encoded.cut_count == len(read.entries) - len(again.entries)


def check_context(data: bytes) -> None:
    """Somebody is believed by the one text that was signed, and by no other."""
    headers = [(b"pennon-context", line) for line in lines_of(data)]
    inbound = Inbound(address=None, method="GET", path="/", topic=None, headers=headers, source=None)
    is_signed = [line.strip(b" \t") for line in lines_of(data)] == [SIGNED]
    assert is_signed is _TRUSTED.verify(inbound)
    assert (_SOMEBODY if is_signed else Identity()) == _TRUSTED.identity(inbound)


def check_toml(data: bytes) -> None:
    """A contract that is the same when it is built again, or every fault of the text."""
    try:
        contract = Contract.from_toml(data.decode("utf-8", "replace"))
    except ContractInvalid:
        return
    assert contract == dataclasses.replace(contract)


def check_token(data: bytes) -> None:
    """Only what the key has signed is believed; the same claims never under two texts."""
    text = data.decode("latin-1")
    key_id = key_id_in(text, _TOKENS["type"]) if len(text) <= TOKEN_LIMIT_BYTES else ""
    if isinstance(key_id, SigningFault) or key_id not in _TOKENS["keys"]:
        return
    claims = claims_in(text, _TOKENS["keys"][key_id])
    if not isinstance(claims, SigningFault):
        assert text in _BELIEVED


def check_claims(data: bytes) -> None:
    """Claims of a context or none; signed again they say the same, unless they say what must not be signed."""
    try:
        said = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return
    claims = context_claims_of(said)
    if claims is not None:
        try:
            again = jwt_claims_of(claims)
        except SettingInvalid:
            return
        assert claims == context_claims_of(again)


def check_log_line(data: bytes) -> None:
    """One short line of printable ASCII, for every header."""
    for name, value in pairs_of(data):
        text = _REDACTION.safe_value(name.decode("latin-1"), value or b"")
        assert _LOG_LINE.fullmatch(text)
        assert len(text) <= 300
    leak_in(data.decode("latin-1"))


def check_free_text(data: bytes) -> None:
    """What looks like a secret is gone, and so is what a name before it says is one, whatever follows."""
    text = data.decode("utf-8", "replace")
    # `leak_in` takes the beginning of a PEM block for one, and many numbers of a card's shape for a card.
    assert leak_in(_REDACTION.safe_text(text)) in (None, Leak.PEM, Leak.CARD)
    assert _PLANTED not in _REDACTION.safe_text(f"authorization: {_PLANTED}\n{text}")
    assert _PLANTED not in _REDACTION.safe_text(f"{text}\nauthorization: {_PLANTED}")


def check_extract(data: bytes) -> None:
    """A hop of any headers: ids are safe, a stranger is nobody, what leaves is well formed and is read as the same."""
    headers = pairs_of(data)
    for is_trusted in (True, False):
        arrived = _extracted(headers, is_trusted=is_trusted)
        assert ID.fullmatch(arrived.request_id)
        assert all(len(value) <= 64 for _, value in arrived.fields)
        assert arrived.deadline is not None
        assert arrived.deadline.remaining_ns(MONOTONIC_NS) <= _CAP_S * S_NS
        for downstream in (*CONTRACT.downstreams, None):
            _check_leaving(arrived, downstream)
    _check_stranger(_extracted(headers, is_trusted=False))
    _check_continued(headers)


def _check_stranger(arrived: Extracted) -> None:
    trace = arrived.trace
    assert (None, 2, "", ()) == (trace.parent_span_id, trace.flags, trace.state, arrived.ours)
    assert {member.key for member in arrived.baggage} <= {"tenant.tier", "region"}
    assert {name for name, _ in arrived.fields} <= {"x-zone", "x-once"}
    assert arrived.identity == Identity()


def _check_leaving(arrived: Extracted, downstream: Downstream | None) -> None:
    sent = _sent(arrived, downstream)
    names = [name for name, _ in sent]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() and SAFE_VALUE.fullmatch(value or b"") for name, value in sent)
    assert downstream is not None or not sent
    assert downstream is None or not downstream.external or b"baggage" not in names


def _check_continued(headers: Headers) -> None:
    """The next verified hop reads what this one held."""
    first = _extracted(headers, is_trusted=True)
    second = _extracted(_sent(first, CONTRACT.downstreams[0]), is_trusted=True)
    held = ("request_id", "correlation_id", "baggage", "ours", "identity")
    assert [getattr(first, each) for each in held] == [getattr(second, each) for each in held]
    assert (first.trace.trace_id, first.trace.state) == (second.trace.trace_id, second.trace.state)


def _extracted(headers: Headers, *, is_trusted: bool) -> Extracted:
    return extract(
        CONTRACT,
        headers,
        is_trusted=is_trusted,
        entropy=ENTROPY,
        takes_override=not is_trusted,
        now_ns=NOW_NS,
        monotonic_ns=MONOTONIC_NS,
        peer=_PROXY,
    )


def _sent(arrived: Extracted, downstream: Downstream | None) -> Headers:
    held: dict[str, Any] = {
        each: getattr(arrived, each)
        for each in ("trace", "request_id", "correlation_id", "baggage", "ours", "fields", "identity")
    }
    return inject(CONTRACT, downstream, timeout_ns=S_NS, now_ns=NOW_NS, **held).set
