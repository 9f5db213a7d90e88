"""The fingerprint of a contract: the same for the same declaration, another for every other."""

import os
import subprocess
import sys
from dataclasses import replace
from inspect import getsource
from typing import Any

import pytest

from pennon.errors import ContractInvalid
from pennon.headers import (
    BaggageKey,
    BaggagePolicy,
    Budgets,
    Contract,
    DeadlinePolicy,
    Downstream,
    Limits,
    UnknownHeaders,
    std,
)
from pennon.headers.fingerprint import fingerprint_of
from pennon.headers.proxies import ForwardedSource, TrustedProxies

TOML = """
name = "orders"
version = "1"
owner = "team"
std = ["x-tenant-id"]
[baggage]
allow = [{ key = "region", enum = ["eu", "us"] }]
[deadline]
accept = ["x-request-deadline"]
cap_s = 5
[proxies]
networks = ["10.0.0.0/8"]
reads = ["x-forwarded"]
[[downstreams]]
name = "pay"
host = "pay.internal"
"""
CONTRACT = Contract(
    "orders",
    version="1",
    owner="team",
    fields=[std.TENANT_ID],
    baggage=BaggagePolicy(allow=[BaggageKey("region", enum=["eu", "us"])]),
    deadline=DeadlinePolicy(accept=["x-request-deadline"], cap_s=5),
    proxies=TrustedProxies(["10.0.0.0/8"], reads=[ForwardedSource.X_FORWARDED]),
    downstreams=[Downstream("pay", host="pay.internal")],
)


def test_fingerprint_is_of_what_is_declared() -> None:
    """However it is written: in TOML, in Python, with lists or tuples."""
    assert fingerprint_of(Contract.from_toml(TOML)) == fingerprint_of(CONTRACT)
    assert fingerprint_of(CONTRACT) == fingerprint_of(replace(CONTRACT, fields=(std.TENANT_ID,)))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "order"},
        {"version": "2"},
        {"owner": "other"},
        {"fields": [replace(std.TENANT_ID, max_length=63)]},
        {"fields": [std.TENANT_ID, std.REGION]},
        {"baggage": BaggagePolicy(allow=[BaggageKey("region", enum=["eu"])])},
        {"downstreams": [Downstream("pay", host="pay.internal", trace=False)]},
        {"budgets": Budgets(total_count=80)},
        {"unknown": UnknownHeaders.DROP},
        {"limits": Limits.OBSERVE},
        {"deadline": DeadlinePolicy(accept=["x-request-deadline"], cap_s=6)},
        {"proxies": TrustedProxies(["10.0.0.0/9"], reads=[ForwardedSource.X_FORWARDED])},
        {"business_ids": ["ORD-[0-9]+"]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fingerprint_is_another_for_every_change(change: dict[str, Any]) -> None:
    """Of whatever can be declared."""
    assert fingerprint_of(CONTRACT) != fingerprint_of(replace(CONTRACT, **change))


IMPORTS = """
from typing import Any
from pennon.headers import *
from pennon.headers import std
from pennon.headers.fingerprint import fingerprint_of
from pennon.headers.proxies import ForwardedSource, TrustedProxies
"""


def declared(kind: Any) -> Contract:
    """With enough of everything whose order says nothing, in lists or sets, to come otherwise in another process."""
    return Contract(
        "orders",
        version="1",
        owner="team",
        fields=[std.CALLER_SERVICE, std.TENANT_ID],
        baggage=BaggagePolicy(allow=[BaggageKey("region", enum=kind(["ap", "eu", "us"]))]),
        deadline=DeadlinePolicy(accept=kind(["grpc-timeout", "x-request-deadline", "x-request-timeout-ms"]), cap_s=5),
        proxies=TrustedProxies(kind(["10.0.0.0/8", "192.0.2.0/24", "::1/128"]), reads=kind(list(ForwardedSource))),
        downstreams=kind(
            [
                Downstream("a", host="a.internal", fields=kind(["x-caller-service", "x-tenant-id"])),
                Downstream("b", topic="b"),
                Downstream("c", host="c.internal"),
            ]
        ),
        business_ids=kind(["INV-[0-9]{6}", "ORD-[0-9]{6}", "PAY-[0-9]{6}"]),
    )


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        (f"Contract.from_toml({TOML!r})", CONTRACT),
        ("declared(list)", declared(list)),
        ("declared(frozenset)", declared(list)),
    ],
    ids=["toml", "lists", "sets"],
)
def test_fingerprint_is_the_same_in_every_process(spelled: str, expected: Contract) -> None:
    """Tests run in one, the check in another, where a set comes in another order; the sorted list says the same."""
    asked = f"{IMPORTS}\n{getsource(declared)}\nprint(fingerprint_of({spelled}))"
    for seed in ("0", "1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", asked]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
        assert fingerprint_of(expected) == found.stdout.strip()


def test_set_where_the_order_counts_is_a_fault_beside_the_others() -> None:
    """The first of an allow list and of the fields are kept longest: another one in each process."""
    with pytest.raises(ContractInvalid) as refusal:
        Contract(
            "orders",
            version="",
            owner="team",
            fields=frozenset({std.TENANT_ID, std.REGION}),  # type: ignore[arg-type]  # people do
            baggage=BaggagePolicy(allow={"region", "plan"}),  # type: ignore[arg-type]
            downstreams={Downstream("both", host="a.internal", topic="a")},  # type: ignore[arg-type]
        )

    assert ["/version", "/fields", "/baggage/allow", "/downstreams/0"] == [each.path for each in refusal.value.faults]
    for fault in refusal.value.faults[1:3]:
        assert "a set has no order, and here it counts; give a list or tuple" == fault.message
