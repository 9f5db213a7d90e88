"""Wrong contracts: one in which a single rule is another, and the case of the kit that must notice.

A service that speaks the mutant is asked by the suite of the right contract. A rule that cannot be seen from outside is
in vain: hence every rule that a contract knows has a mutant here, or is named among those that are seen elsewhere, or
that are only for people to read.
"""

import dataclasses
from typing import Any, Final, NamedTuple

from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Boundary,
    Budgets,
    Category,
    Classification,
    Contract,
    DeadlineForm,
    DeadlinePolicy,
    Downstream,
    Field,
    Limits,
    Log,
    Propagate,
    Trust,
    UnknownHeaders,
    UnknownMembers,
    mesh,
    networks,
    std,
)
from pennon.headers.proxies import ForwardedSource, TrustedProxies

BOUNDARY: Final[Boundary] = mesh(verify=networks("10.0.0.0/8"))

_CLOSED: Final[dict[str, Any]] = {
    "category": Category.ROUTING,
    "owner": "platform-team",
    "syntax": r"[a-z]+",
    "max_length": 8,
    "trust": Trust.GATEWAY,
    "caller_may_set": False,
    "gateway_overwrites": True,
    "downstream_may_forward": True,
    "propagate": Propagate.ALWAYS,
    "log": Log.CLEAR,
    "classification": Classification.INTERNAL,
    "description": "Which pool of workers",
}
_OPEN: Final[dict[str, Any]] = {"trust": Trust.CLIENT, "caller_may_set": True, "gateway_overwrites": False}


def _field(name: str, **changes: Any) -> Field:
    return Field(name, **(_CLOSED | changes))


RIGHT: Final = Contract(
    "orders",
    version="1",
    owner="platform-team",
    fields=[
        _field("x-pool", kafka="pool"),
        _field("x-zone", **_OPEN),
        _field("x-lane", **_OPEN | {"caller_may_set": False}),
        _field("x-cell", **_OPEN | {"gateway_overwrites": True}),
        _field("x-case", propagate=Propagate.PER_DOWNSTREAM),
        _field("x-grade", required=True, **_OPEN),
        _field(
            "x-desk",
            downstream_may_forward=False,
            propagate=Propagate.NEVER,
            log=Log.HASH,
            classification=Classification.INTERNAL_ID,
        ),
        _field("x-blob", syntax="[a-z]+", max_length=2_000, **_OPEN),
        _field("x-text", syntax="[a-z]+", max_length=2_000, **_OPEN),
        std.TENANT_ID,
        std.ACTOR_ID,
        std.ACTOR_TYPE,
        std.ON_BEHALF_OF,
    ],
    baggage=BaggagePolicy(
        allow=[
            BaggageKey("tier", enum=["free", "gold"]),
            BaggageKey("area", syntax="[a-z]+", max_length=8),
            "hint",
        ]
    ),
    downstreams=[
        Downstream(
            "posts",
            host="posts.internal",
            fields=["x-case"],
            tenant=True,
            deadline=DeadlineForm.TIMEOUT_MS,
            decides=True,
            audience="posts",
        ),
        Downstream("cases", host="cases.internal", actor=True),
        Downstream("feed", topic="feed.posts"),
        Downstream("stripe", host="api.stripe.com", external=True),
    ],
    deadline=DeadlinePolicy(accept=list(DeadlineForm), cap_s=30.0),
    proxies=TrustedProxies(["10.1.0.0/16", "fd01::/16"], reads=[ForwardedSource.FORWARDED]),
    business_ids=["ORD-[0-9]+"],
)


class Mutant(NamedTuple):
    """A contract that is not the right one. found_by: with what the id of the case begins that must fail."""

    rule: str
    how: str
    contract: Contract
    found_by: str

    def __str__(self) -> str:
        return f"{self.rule}-{self.how}".replace(" ", "_")


def _mutant(kind: type, changes: dict[str, Any], how: str, found_by: str, **parts: Any) -> Mutant:
    """The right contract with other parts. The rule is the first of the changes to this kind of part."""
    return Mutant(f"{kind.__name__}.{next(iter(changes))}", how, dataclasses.replace(RIGHT, **parts), found_by)


def _of_field(field: str, found_by: str, how: str, **changes: Any) -> Mutant:
    """The field of this name, otherwise."""
    fields = [dataclasses.replace(each, **changes) if each.name == field else each for each in RIGHT.fields]
    return _mutant(Field, changes, how, found_by, fields=fields)


def _of_part(part: str, found_by: str, how: str, **changes: Any) -> Mutant:
    """The baggage policy, the budgets or the deadlines, otherwise."""
    value = getattr(RIGHT, part)
    return _mutant(type(value), changes, how, found_by, **{part: dataclasses.replace(value, **changes)})


def _of_key(allowed: str, found_by: str, how: str, **changes: Any) -> Mutant:
    """The baggage key of this name, otherwise."""
    allow = [
        dataclasses.replace(each, **changes) if isinstance(each, BaggageKey) and each.key == allowed else each
        for each in RIGHT.baggage.allow
    ]
    baggage = dataclasses.replace(RIGHT.baggage, allow=allow)
    return _mutant(BaggageKey, changes, how, found_by, baggage=baggage)


def _of_downstream(name: str, found_by: str, how: str, **changes: Any) -> Mutant:
    """The downstream of this name, otherwise."""
    downstreams = [dataclasses.replace(each, **changes) if each.name == name else each for each in RIGHT.downstreams]
    return _mutant(Downstream, changes, how, found_by, downstreams=downstreams)


def _of_contract(found_by: str, how: str, **changes: Any) -> Mutant:
    """The contract itself, otherwise."""
    return _mutant(Contract, changes, how, found_by, **changes)


# A downstream can be told deadlines only where there are any.
_UNTIMED: Final = [dataclasses.replace(each, deadline=None) for each in RIGHT.downstreams]

MUTANTS: Final = (
    _of_field("x-pool", "x-pool/syntax/taken", "another name", name="x-pond"),
    _of_field("x-pool", "x-pool/syntax/refused", "digits too", syntax="[a-z0-9]+"),
    _of_field("x-pool", "x-pool/syntax/taken", "no z", syntax="[a-m]+"),
    _of_field("x-pool", "x-pool/max_length", "one byte more", max_length=9),
    _of_field("x-pool", "x-pool/max_length", "one byte less", max_length=7),
    _of_field("x-zone", "x-zone/trust/stranger", "the gateway's alone", trust=Trust.GATEWAY, caller_may_set=False),
    _of_field("x-lane", "x-lane/trust/stranger", "a caller may", caller_may_set=True),
    _of_field("x-zone", "x-zone/trust/stranger", "a caller may not", caller_may_set=False),
    _of_field("x-cell", "x-cell/trust/stranger", "no gateway does", gateway_overwrites=False),
    _of_field("x-zone", "x-zone/trust/stranger", "a gateway does", gateway_overwrites=True),
    _of_field("x-pool", "x-pool/propagate/posts", "it ends here", downstream_may_forward=False),
    _of_field("x-pool", "x-pool/propagate/posts", "to nobody", propagate=Propagate.NEVER),
    _of_field("x-case", "x-case/propagate/cases", "to everybody", propagate=Propagate.ALWAYS),
    _of_field("x-grade", "x-grade/required", "not required", required=False),
    _of_field("x-zone", "x-zone/required", "required", required=True),
    _of_field("x-pool", "x-pool/log", "hashed", log=Log.HASH),
    _of_field("x-desk", "x-desk/log", "in clear", log=Log.CLEAR),
    _of_field("x-desk", "x-desk/log", "a secret", classification=Classification.SECRET),
    _of_field("x-desk", "x-desk/classification/stripe", "public", classification=Classification.PUBLIC),
    _of_field(
        "x-desk",
        "x-desk/downstream_may_forward/posts",
        "it goes on",
        downstream_may_forward=True,
        propagate=Propagate.ALWAYS,
    ),
    _of_field("x-pool", "x-pool/propagate/feed", "the same name on records", kafka=None),
    _of_field("x-pool", "x-pool/classification", "public", classification=Classification.PUBLIC),
    _of_field("x-pool", "x-pool/kafka/read", "another name on records", kafka="pond"),
    _of_part("baggage", "baggage/allow/tier", "one key less", allow=RIGHT.baggage.allow[1:]),
    _of_part("baggage", "baggage/on_unknown/verified", "nobody's", on_unknown=UnknownMembers.DROP),
    _of_part("baggage", "baggage/max_bytes", "one byte more", max_bytes=1_025),
    _of_part("baggage", "baggage/max_bytes", "one byte less", max_bytes=1_023),
    _of_part("baggage", "baggage/max_members", "one more", max_members=17),
    _of_part("baggage", "baggage/max_members", "one less", max_members=15),
    _of_part("baggage", "baggage/wire_max_bytes", "one byte more", wire_max_bytes=8_193),
    _of_part("baggage", "baggage/wire_max_bytes", "one byte less", wire_max_bytes=8_191),
    _of_part("baggage", "baggage/wire_max_bytes", "another status", refuse_status=400),
    _of_key("area", "baggage/allow/area", "another key", key="zone"),
    _of_key("tier", "baggage/allow/tier", "another value", enum=["free", "gold", "kit"]),
    _of_key("area", "baggage/allow/area", "digits too", syntax="[a-z0-9]+"),
    _of_key("area", "baggage/allow/area", "one character more", max_length=9),
    _of_part("budgets", "budgets/total_bytes", "one byte more", total_bytes=16_385),
    _of_part("budgets", "budgets/total_bytes", "one byte less", total_bytes=16_383),
    _of_part("budgets", "budgets/total_count", "one more", total_count=101),
    _of_part("budgets", "budgets/total_count", "one less", total_count=99),
    _of_part("budgets", "budgets/custom_bytes", "four times as much", custom_bytes=8_192),
    _of_part("budgets", "budgets/trace_bytes", "half", trace_bytes=256),
    _of_part("budgets", "budgets/trace_bytes", "twice as much", trace_bytes=1_024),
    _of_downstream("posts", "x-pool/propagate/posts", "another host", host="parts.internal"),
    _of_downstream("feed", "x-pool/propagate/feed", "another topic", topic="feed.parts"),
    _of_downstream("stripe", "x-pool/propagate/stripe", "ours", external=False),
    _of_downstream("posts", "x-case/propagate/posts", "one field less", fields=[]),
    _of_downstream("posts", "x-tenant-id/propagate/posts", "no tenant", tenant=False),
    _of_downstream("posts", "x-actor-id/propagate/posts", "the actor", actor=True),
    _of_downstream("cases", "x-actor-id/propagate/cases", "no actor", actor=False),
    *(
        _of_downstream("posts", f"downstreams/posts/{rule}", "not given", **{rule: False})
        for rule in ("trace", "request_id", "correlation_id", "baggage", "decisions")
    ),
    _of_downstream("posts", "deadline/downstreams/posts", "none", deadline=None),
    _of_downstream("posts", "deadline/downstreams/posts", "another form", deadline=DeadlineForm.GRPC),
    _of_downstream("cases", "deadline/downstreams/cases", "one", deadline=DeadlineForm.ABSOLUTE),
    _of_part("deadline", "deadline/accept/grpc-timeout", "one form less", accept=list(DeadlineForm)[:1]),
    _of_part("deadline", "deadline/cap_s", "a second more", cap_s=31.0),
    _of_part("deadline", "deadline/cap_s", "a second less", cap_s=29.0),
    _of_part("deadline", "deadline/floor_s/posts", "none", floor_s=0.0),
    _of_part("deadline", "deadline/downstreams/posts", "ten seconds", margin_s=10.0),
    _of_part("deadline", "deadline/from_strangers", "they count", from_strangers=True),
    _of_part("deadline", "deadline/max_refused_share", "half of them", max_refused_share=0.5),
    _of_part("deadline", "deadline/max_refused_share", "none of them", max_refused_share=0.0),
    _of_part("deadline", "deadline/max_skew_s", "twice as much", max_skew_s=4.0),
    _of_part("deadline", "deadline/max_skew_s", "half", max_skew_s=1.0),
    _of_downstream("posts", "downstreams/posts/decides", "not believed", decides=False),
    _of_downstream("cases", "downstreams/cases/decides", "believed", decides=True),
    _of_downstream("posts", "downstreams/posts/audience", "none", audience=None),
    _of_downstream("posts", "downstreams/posts/audience", "another", audience="cases"),
    _of_downstream("feed", "downstreams/feed/audience", "one", audience="feed"),
    _of_part("proxies", "proxies/reads/forwarded", "fewer", networks=["10.1.0.0/16"]),
    _of_part("proxies", "proxies/networks/others", "more", networks=["10.0.0.0/8", "fd01::/16"]),
    _of_part("proxies", "proxies/reads/forwarded", "the other", reads=[ForwardedSource.X_FORWARDED]),
    _of_part("proxies", "proxies/reads/x-forwarded", "both", reads=list(ForwardedSource)),
    _of_part("proxies", "proxies/max_elements", "one more", max_elements=9),
    _of_part("proxies", "proxies/max_elements", "one less", max_elements=7),
    _of_contract("proxies/reads/forwarded", "none", proxies=None),
    _of_part("budgets", "budgets/custom_bytes/record", "four times as much", custom_bytes=8_192),
    _of_part("baggage", "baggage/on_unknown/record", "nobody's", on_unknown=UnknownMembers.DROP),
    _of_part("baggage", "baggage/wire_max_bytes/record", "one byte more", wire_max_bytes=8_193),
    _of_contract("deadline/cap_s", "none", deadline=None, downstreams=_UNTIMED),
    _of_contract("x-correlation-id/business_ids", "none", business_ids=[]),
    _of_contract("x-request-id/business_ids", "others", business_ids=["INV-[0-9]+"]),
    _of_contract("unknown/", "dropped", unknown=UnknownHeaders.DROP),
    _of_contract("unknown/", "refused", unknown=UnknownHeaders.REJECT),
    _of_contract("budgets/total_count", "only observed", limits=Limits.OBSERVE),
    _of_contract("budgets/total_bytes", "only observed", limits=Limits.OBSERVE),
    _of_contract("budgets/custom_bytes", "only observed", limits=Limits.OBSERVE),
    _of_contract("baggage/wire_max_bytes", "only observed", limits=Limits.OBSERVE),
    _of_contract("x-grade/required", "only observed", limits=Limits.OBSERVE),
    _of_contract("deadline/max_refused_share", "only observed", limits=Limits.OBSERVE),
)

# What a rule says to people alone: the case `declared` compares it, and the document shows it.
FOR_PEOPLE: Final = frozenset(
    {
        *("Field.category", "Field.owner", "Field.description"),
        *("BaggageKey.classification", "BaggageKey.description"),
        *("Contract.name", "Contract.version", "Contract.owner", "Downstream.name"),
        # Their parts have mutants of their own.
        *("Contract.fields", "Contract.baggage", "Contract.downstreams", "Contract.budgets"),
    }
)
_CROWDS: Final = "tests/requirements/test_crowds.py"
# What the kit cannot bring about by asking a service, and where it is seen instead.
SEEN_ELSEWHERE: Final = {
    "Downstream.retries": "tests/http/test_guarding.py::test_usual_wait_is_within_what_is_declared",
    "Downstream.breaker": "tests/http/test_guarding.py::test_circuit_opens_after_failures_in_a_row_and_then_refuses",
    # It is counted once in the life of a process.
    "BaggageKey.max_values": f"{_CROWDS}::test_one_value_too_many_is_counted_once_by_its_declared_key",
}
RULED: Final = (Contract, Field, BaggagePolicy, BaggageKey, Budgets, Downstream, DeadlinePolicy, TrustedProxies)
