"""Who is logged in. A real gateway would ask its session store; this one knows a hundred accounts by heart."""

from typing import NamedTuple

ACCOUNTS_COUNT = 100


class Account(NamedTuple):
    """One person: the unit's key, and the plan they pay for."""

    user: str
    plan: str


def account_of(authorization: str | None) -> Account | None:
    """The account of an Authorization header "Bearer session-7", None for a stranger."""
    number = (authorization or "").removeprefix("Bearer session-")
    if not number.isdecimal() or int(number) >= ACCOUNTS_COUNT:
        return None
    return Account(f"user-{int(number)}", "pro" if int(number) % 4 == 0 else "free")
