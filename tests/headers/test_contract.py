"""The contract: what does not build, and which downstream is found."""

from collections.abc import Callable
from typing import Any

import pytest

from pennon.errors import ContractInvalid
from pennon.headers import BaggagePolicy, Budgets, Classification, Contract, Downstream, Field, Propagate, Trust

MakeField = Callable[..., Field]


def _faults(**changes: Any) -> dict[str, str]:
    declared: dict[str, Any] = {"version": "1", "owner": "tests"}
    with pytest.raises(ContractInvalid) as refusal:
        Contract("c", **(declared | changes))
    return {fault.path: fault.message for fault in refusal.value.faults}


def test_contract_with_nothing_but_a_name_builds() -> None:
    """Everything else has a safe default: nothing custom is taken, nothing leaves."""
    assert Contract("c", version="1", owner="tests").downstream_for_host("a", 80) is None


def test_contract_tells_every_fault_at_once(make_field: MakeField) -> None:
    """One build, all faults, each with its path, in order."""
    faults = _faults(
        owner=" ",
        fields=[make_field("x y"), make_field("baggage", max_length=0)],
        baggage=BaggagePolicy(allow=["pennonx"], max_members=0),
        downstreams=[Downstream("a"), Downstream("a", host="h", topic="t")],
        budgets=Budgets(total_count=-1),
    )

    assert [
        "/owner",
        "/fields/0/name",
        "/fields/1/name",
        "/fields/1/max_length",
        "/baggage/max_members",
        "/baggage/allow/0",
        "/downstreams/0",
        "/downstreams/1/name",
        "/downstreams/1",
        "/budgets/total_count",
    ] == list(faults)


@pytest.mark.req(17)
@pytest.mark.parametrize("twin", ["X-TENANT-ID", "x_tenant_id", "X_Tenant-Id"])
def test_contract_refuses_twins(make_field: MakeField, twin: str) -> None:
    """Names that differ by case or by - and _ are one header to some gateways."""
    assert "/fields/1/name" in _faults(fields=[make_field("x-tenant-id"), make_field(twin)])
    assert "/fields/1/kafka" in _faults(fields=[make_field("x-tenant-id"), make_field("other", kafka=twin)])


def test_contract_lets_a_field_have_twins_of_its_own(make_field: MakeField) -> None:
    """The same field under either name is no clash."""
    declared = make_field("x-tenant-id", kafka="x_tenant_id")

    assert (declared,) == Contract("c", version="1", owner="t", fields=[declared]).fields


@pytest.mark.parametrize("name", ["", "x tenant", "x:tenant", "x-ténant", "x-tenant\n", "a" * 129, "(x)"])
def test_contract_refuses_names_that_are_none(make_field: MakeField, name: str) -> None:
    """A field name is a token (RFC 9110 §5.1)."""
    assert "/fields/0/name" in _faults(fields=[make_field(name)])


@pytest.mark.parametrize("name", ["Pennon-X", "pennon"])
def test_contract_refuses_names_of_ours(make_field: MakeField, name: str) -> None:
    """What begins with pennon cannot be declared anew."""
    assert "one of pennon's own" in _faults(fields=[make_field(name)])["/fields/0/name"]


@pytest.mark.req(18, 20)
@pytest.mark.parametrize("name", ["Connection", "te", "Transfer-Encoding", "Proxy-Foo", "Host", "content-length"])
def test_contract_refuses_hop_by_hop_names(make_field: MakeField, name: str) -> None:
    """They concern one connection."""
    assert "never forwarded" in _faults(fields=[make_field(name)])["/fields/0/name"]


@pytest.mark.req(1, 4, 114)
@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"syntax": "("}, "syntax"),
        ({"owner": ""}, "owner"),
        ({"description": ""}, "description"),
        ({"max_length": True}, "max_length"),
        ({"category": "security"}, "category"),
        ({"trust": "client"}, "trust"),
        ({"propagate": None}, "propagate"),
        ({"log": "hash"}, "log"),
        ({"classification": "public"}, "classification"),
        ({"trust": Trust.MESH, "caller_may_set": True}, "caller_may_set"),
    ],
)
def test_contract_refuses_undecided_fields(make_field: MakeField, changes: dict[str, Any], path: str) -> None:
    """Each of the ten properties is there and of its kind."""
    assert [f"/fields/0/{path}"] == list(_faults(fields=[make_field(**changes)]))


@pytest.mark.req(4)
def test_field_has_no_defaults_for_its_ten_properties() -> None:
    """Who declares a header decides everything about it."""
    with pytest.raises(TypeError, match="12 required keyword-only"):
        Field("x-tenant-id")  # type: ignore[call-arg]


@pytest.mark.parametrize("key", ["pennon", "pennon2", "Pennon"])
def test_contract_refuses_keys_of_ours_in_an_allow_list(key: str) -> None:
    """They are known everywhere and governed by boundary and downstream."""
    assert "known in every contract" in _faults(baggage=BaggagePolicy(allow=["region", key]))["/baggage/allow/1"]


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        (BaggagePolicy(allow=["a b"]), "allow/0"),
        (BaggagePolicy(allow=["a", "a"]), "allow/1"),
        (BaggagePolicy(allow="region"), "allow"),
        (BaggagePolicy(refuse_status=500), "refuse_status"),
        (BaggagePolicy(max_bytes=9000), "max_bytes"),
        (BaggagePolicy(on_unknown="drop"), "on_unknown"),  # type: ignore[arg-type]
    ],
)
def test_contract_refuses_baggage_policies_that_cannot_hold(policy: BaggagePolicy, path: str) -> None:
    """A budget above what is accepted at all, or a key that is none, is a mistake."""
    assert [f"/baggage/{path}"] == list(_faults(baggage=policy))


@pytest.mark.parametrize(
    "host",
    [
        "",
        "*",
        "*.",
        "http://posts",
        "posts/",
        "posts:0",
        "a\n",
        "posts:65536",
        "posts:",
        "a*.internal",
        "a b",
        "user@h",
        ".a",
        "-a",
    ],
)
def test_contract_refuses_hosts_that_are_none(host: str) -> None:
    """Not an address of a web page, not everything."""
    assert ["/downstreams/0/host"] == list(_faults(downstreams=[Downstream("a", host=host)]))


@pytest.mark.parametrize("topic", ["", ".", "..", "a b", "a/b", "ä", "t" * 250, "a\n"])
def test_contract_refuses_topics_that_are_none(topic: str) -> None:
    """Kafka's own rule."""
    assert ["/downstreams/0/topic"] == list(_faults(downstreams=[Downstream("a", topic=topic)]))


@pytest.mark.parametrize(
    "where", [{"host": "a", "external": True}, {"topic": "a"}, {"topic": "a", "external": True}], ids=str
)
def test_contract_refuses_deciders_that_are_not_hosts_of_ours(where: dict[str, Any]) -> None:
    """Nobody else's word joins the caller's ledger, and a topic sends no responses."""
    faults = _faults(downstreams=[Downstream("a", decides=True, **where)])

    assert {"/downstreams/0/decides"} == set(faults)


@pytest.mark.parametrize(
    ("first", "second", "part"),
    [
        ({"host": "Posts.internal"}, {"host": "posts.INTERNAL"}, "host"),
        ({"host": "posts:80"}, {"host": "posts:80"}, "host"),
        ({"host": "[::1]:80"}, {"host": "[::1]:80"}, "host"),
        ({"topic": "t"}, {"topic": "t"}, "topic"),
    ],
)
def test_contract_refuses_two_downstreams_of_one_place(
    first: dict[str, Any], second: dict[str, Any], part: str
) -> None:
    """Which of the two holds would be chance."""
    faults = _faults(downstreams=[Downstream("a", **first), Downstream("b", **second)])

    assert [f"/downstreams/1/{part}"] == list(faults)


def test_contract_lets_a_host_and_a_topic_share_a_name() -> None:
    """They are different places."""
    downstreams = (Downstream("a", host="x"), Downstream("b", topic="x"))

    assert downstreams == Contract("c", version="1", owner="t", downstreams=downstreams).downstreams


@pytest.mark.req(86, 95)
def test_contract_refuses_fields_a_downstream_cannot_get(make_field: MakeField) -> None:
    """Undeclared ones, ones that never leave, and internal ones for somebody else."""
    faults = _faults(
        fields=[make_field(), make_field("x-n", propagate=Propagate.NEVER)],
        downstreams=[
            Downstream("a", host="a", fields=["x-other", "x-n"]),
            Downstream("b", host="b", external=True, fields=["X-Tenant-Id"]),
            Downstream("c", host="c", fields="x-tenant-id"),
        ],
    )

    assert [
        "/downstreams/0/fields/0",
        "/downstreams/0/fields/1",
        "/downstreams/1/fields/0",
        "/downstreams/2/fields",
    ] == list(faults)


def test_contract_gives_an_external_downstream_public_fields_by_name(make_field: MakeField) -> None:
    """Public and named: it may leave the house."""
    declared = make_field("x-shop", classification=Classification.PUBLIC)

    stripe = Downstream("b", host="b", external=True, fields=["X-Shop"])
    contract = Contract("c", version="1", owner="t", fields=[declared], downstreams=[stripe])

    assert {"x-shop": b"x-shop"} == contract.route(stripe).fields


def test_contract_is_a_value() -> None:
    """Equal declarations are equal, whatever kind of sequence they were given in, and cannot be changed."""
    one = Contract("c", version="1", owner="t", downstreams=[Downstream("a", host="a")])
    two = Contract("c", version="1", owner="t", downstreams=(Downstream("a", host="a"),))

    assert one == two
    assert hash(one) == hash(two)
    with pytest.raises(AttributeError):
        one.name = "d"  # type: ignore[misc]


@pytest.mark.req(95)
@pytest.mark.parametrize(
    ("host", "port", "name"),
    [
        ("posts.internal", 443, "posts"),
        ("POSTS.Internal.", None, "posts"),
        ("posts.internal", 8443, "posts-tls"),
        ("posts.internal.evil.example", 443, None),
        ("evilposts.internal", 443, None),
        ("127.0.0.1", 8001, "local"),
        ("127.0.0.1", 8002, None),
        ("127.0.0.1", None, None),
        ("::1", 8001, "six"),
        ("[::1]", 8001, "six"),
        ("a.pay.internal", 80, "pay"),
        ("b.a.pay.internal", 80, "pay"),
        ("x.card.pay.internal", 80, "card"),
        ("pay.internal", 80, None),
        ("card.pay.internal", 80, "pay"),
        ("vault.pay.internal", 80, "vault"),
        ("xpay.internal", 80, None),
        ("", 80, None),
    ],
)
def test_downstream_for_host_finds_the_most_exact(host: str, port: int | None, name: str | None) -> None:
    """host:port, host, then ever shorter ends of the name; a port only where it was declared."""
    contract = Contract(
        "c",
        version="1",
        owner="t",
        downstreams=[
            Downstream("posts", host="Posts.internal"),
            Downstream("posts-tls", host="posts.internal:8443"),
            Downstream("local", host="127.0.0.1:8001"),
            Downstream("six", host="[::1]:8001"),
            Downstream("pay", host="*.pay.internal"),
            Downstream("card", host="*.card.pay.internal"),
            Downstream("vault", host="vault.pay.internal"),
        ],
    )
    found = contract.downstream_for_host(host, port)

    assert name == (found.name if found else None)


def test_downstream_for_topic_is_exact(contract: Contract) -> None:
    """Kafka's topics are compared with case, whole."""
    assert contract.downstream_for_topic("feed.posts") is not None
    assert contract.downstream_for_topic("Feed.posts") is None
