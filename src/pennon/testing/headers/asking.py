"""Which contracts the running test has asked about, so that the report of its run can say so.

pytest's plugin of pennon hangs it to the test as a property, which stands in the JUnit report; `pennon contract check
--tests` reads it there.
"""

from typing import Any, Final

import msgspec

from pennon.headers import Contract
from pennon.headers.fingerprint import fingerprint_of

PROPERTY: Final = "pennon.header_contract"

_passed: Final[dict[str, tuple[Contract, set[str]]]] = {}


def forget() -> None:
    """A test begins: what was asked before is none of its cases."""
    _passed.clear()


def note(contract: Contract, case_id: str) -> None:
    """A case of the contract was asked, and passed."""
    _, ids = _passed.setdefault(fingerprint_of(contract), (contract, set()))
    ids.add(case_id)


def properties() -> list[tuple[str, Any]]:
    """For each contract that was asked about: its name, its fingerprint, and how many cases of it passed."""
    said = [
        {"contract": contract.name, "version": contract.version, "fingerprint": fingerprint, "cases": len(ids)}
        for fingerprint, (contract, ids) in _passed.items()
    ]
    return [(PROPERTY, msgspec.json.encode(each).decode()) for each in said]
