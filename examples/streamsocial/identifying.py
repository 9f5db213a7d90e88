"""Whose work a request or record is, for those whom only our own services call: they say so, and are believed.

The unit alone goes along. What else is known of a user, their plan and their job, stays at the gateway, which decides
by it.
"""

from pennon.headers import Identity, Inbound

USER_HEADER = "x-user"


def caller_of(inbound: Inbound) -> Identity:
    """The user that the calling service names; it is one of ours, or it is not asked."""
    return _user(inbound.header(USER_HEADER))


def author_of(inbound: Inbound) -> Identity:
    """The user that a record is about: its key, so that all of theirs stay in order."""
    key = inbound.source.key()
    return _user(key.decode() if key else None)


def _user(user: str | None) -> Identity:
    return Identity(actor=user, units={"user": user}) if user else Identity()
