"""Whose work a request or record is, for those whom only our own services call.

Between them a caller on our network says so in its headers, and is believed. On a topic it is signed by who wrote the
record: who can write to a topic could else write in anybody's name. Tenant, actor and unit go along. What else is known
of a user, their plan and their job, stays at the gateway, which decides by it.
"""

import json
import os
from collections.abc import Mapping

from msgspec import structs

from pennon.headers import Boundary, Identity, Inbound, mesh, networks
from pennon.headers.identity import IDENTITY_NAMES, identity_of
from pennon.signing import ContextSigner, SignedContext

TrustedKeys = Mapping[str, Mapping[str, str]]


def ours() -> Boundary:
    """For those who are called: whoever is on our network is one of ours."""
    return mesh(verify=networks("127.0.0.0/8"), identity=caller_of)


def readers_of(*topics: str, keys: TrustedKeys | None = None) -> Boundary:
    """For those who read these topics: who has signed for that very topic is one of ours, and says for whom.

    keys: the public halves of those who produce, by service and key id; None: as the demo tells each service.
    """
    trusted = SignedContext(json.loads(os.environ["TRUSTED_KEYS"]) if keys is None else keys, audience=topics)
    return mesh(verify=trusted.verify, identity=trusted.identity)


def signer(service: str) -> ContextSigner:
    """Signs as this service, with a key that no other has."""
    return ContextSigner(os.environ["SIGNING_KEY"].encode(), issuer=service)


def caller_of(inbound: Inbound) -> Identity:
    """Who acts, as the calling service says; the flags' unit is that user."""
    said = {name: value for name in IDENTITY_NAMES if (value := inbound.header(name)) is not None}
    identity = identity_of(said).identity
    return structs.replace(identity, units={"user": identity.actor}) if identity.actor else identity
