"""Who is logged in, and who follows whom. A real network would ask its stores; this one knows everybody by heart."""

from typing import NamedTuple

ACCOUNTS_COUNT = 2_000
# Communities that people belong to: the network's tenants.
TENANTS_COUNT = 5
# One more, who works here and does nothing but try things out.
TESTER = ACCOUNTS_COUNT

# Fame is heavy-tailed: account n has this many followers divided by n + 1, and everybody has one.
MOST_FOLLOWERS_COUNT = 40


class Account(NamedTuple):
    """One person: the unit's key, the community they belong to, the plan they pay for, and whether they work here."""

    user: str
    tenant: str
    plan: str
    staff: bool


def account(number: int) -> Account:
    """The account of this number."""
    return Account(
        f"user-{number}", f"community-{number % TENANTS_COUNT}", "pro" if number % 4 == 0 else "free", number % 50 == 0
    )


def account_of(authorization: str | None) -> Account | None:
    """The account of an Authorization header "Bearer session-7", None for a stranger."""
    number = (authorization or "").removeprefix("Bearer session-")
    if not (number.isascii() and number.isdecimal() and len(number) <= 6) or int(number) > TESTER:
        return None
    return account(int(number))


def followers_of(user: str) -> list[str]:
    """Whom a post of this user reaches."""
    number = int(user.removeprefix("user-"))
    count = max(1, MOST_FOLLOWERS_COUNT // (number + 1))
    return [f"user-{(number + 1 + step) % ACCOUNTS_COUNT}" for step in range(count)]
