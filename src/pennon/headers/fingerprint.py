"""By what two declarations of a contract are known to be the same."""

from hashlib import sha256
from typing import Final

from pennon.headers.contract import Contract

_DIGITS_COUNT: Final = 16


def fingerprint_of(contract: Contract) -> str:
    """16 hexadecimal digits, which are others as soon as anything is declared otherwise; the order counts.

    Of the same contract they are the same in every process that has the same pennon.
    """
    return sha256(repr(contract).encode()).hexdigest()[:_DIGITS_COUNT]
