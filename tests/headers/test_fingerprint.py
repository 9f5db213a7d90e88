"""The fingerprint of a contract: the same for the same declaration, another for every other."""

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

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


def test_fingerprint_is_the_same_in_every_process() -> None:
    """Tests run in one, the check in another."""
    asked = "from pennon.headers import Contract; from pennon.headers.fingerprint import fingerprint_of as of\n"
    asked += f"print(of(Contract.from_toml({TOML!r})))"
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", asked]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=30)
        assert fingerprint_of(CONTRACT) == found.stdout.strip()
