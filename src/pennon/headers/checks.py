"""What is wrong with a contract: every fault, with its path. Nothing here is read after the contract is built."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from pennon.errors import Fault
from pennon.headers.baggage_checks import baggage_faults
from pennon.headers.business import business_id_faults
from pennon.headers.deadline import DeadlinePolicy, deadline_faults
from pennon.headers.downstream_checks import downstream_faults
from pennon.headers.field_checks import field_faults
from pennon.headers.fields import Budgets, Limits, UnknownHeaders
from pennon.headers.values import instances, members_of, naturals, texts

if TYPE_CHECKING:
    from pennon.headers.contract import Contract

_BUDGETS: Final = ("total_bytes", "total_count", "custom_bytes", "trace_bytes")


def faults_of(contract: "Contract") -> list[Fault]:
    """Every fault, in the order of the declaration."""
    return [
        *texts(contract, "", ("name", "version", "owner")),
        *field_faults(contract.fields, contract.budgets),
        *baggage_faults(contract.baggage),
        *downstream_faults(contract),
        *_budgets(contract.budgets),
        *members_of(contract, "", {"unknown": UnknownHeaders, "limits": Limits}),
        *_deadline(contract),
        *business_id_faults(contract.business_ids, "/business_ids"),
    ]


def _budgets(budgets: Budgets) -> Iterator[Fault]:
    faults = list(naturals(budgets, "/budgets", _BUDGETS))
    yield from faults
    if faults:
        return
    for name in ("custom_bytes", "trace_bytes"):
        if (share := getattr(budgets, name)) > budgets.total_bytes:
            yield Fault(f"/budgets/{name}", f"{share} is more than total_bytes, {budgets.total_bytes}")


def _deadline(contract: "Contract") -> Iterator[Fault]:
    faults = list(instances(contract, "", {"deadline": DeadlinePolicy}))
    yield from faults
    if contract.deadline is not None and not faults:
        yield from deadline_faults(contract.deadline, "/deadline")
