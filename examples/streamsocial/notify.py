"""notify: wakes people whose feed has something new, with what `profiles` knows of the author.

Whom at once and whom with the next digest was decided by `feed`, for each of them, and came with the record.
"""

import json
from typing import Self

import confluent_kafka
import httpx

import pennon
import pennon.http
import pennon.kafka
from pennon.headers import Boundary, Contract
from streamsocial.calling import CONSUMER_TIMEOUT_S
from streamsocial.contract import UPDATES_TOPIC, contract, url_of
from streamsocial.deciding import connect
from streamsocial.identifying import readers_of
from streamsocial.running import NotNow, consume, service
from streamsocial.spans import mark_user
from streamsocial.telling import tell

# By which a service that it calls knows it.
NAMED = {"x-caller-service": "notify"}


class Notify:
    """Sends a push message for each feed update.

    transport: by which it calls `profiles`; None: the network.
    """

    def __init__(
        self,
        contract: Contract,
        readers: Boundary,
        flags: pennon.Client,
        *,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._contract = contract
        self._readers = readers
        self._flags = flags
        plain = httpx.Client(
            base_url=url_of(contract, "profiles"), timeout=CONSUMER_TIMEOUT_S, headers=NAMED, transport=transport
        )
        self._profiles = pennon.http.httpx(plain, contract)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._profiles.close()

    def take(self, record: confluent_kafka.Message) -> None:
        """One feed update. The call to `profiles` goes on with the journey that the record belongs to."""
        update = json.loads(record.value() or b"{}")
        with pennon.kafka.process(record, self._contract, boundary=self._readers):
            mark_user(update["author"])
            woken = [reader for reader in update["readers"] if self._flags.for_unit(reader).is_on("instant-alerts")]
            # The others' digest is made later, and asks for names then.
            text = f"{self._name(update['author'])}: {update['kind']}" if woken else ""
            # A real one would hand it to a push service here.
            tell("pushed", "notify", id=update["id"], update=update["update"], woken=woken, text=text)

    def _name(self, author: str) -> str:
        """What people know the author by. Raises: NotNow if `profiles` is away."""
        asked = {"reader": author, "users": author}
        try:
            found = self._profiles.get("/profiles", params=asked).raise_for_status()
        except httpx.HTTPError as error:
            raise NotNow from error
        return str(found.json()["profiles"][author]["name"])


def main() -> None:
    """Consume until told to end."""
    declared = contract()
    with (
        service("notify", declared) as ending,
        connect() as flags,
        Notify(declared, readers_of(UPDATES_TOPIC), flags) as notify,
    ):
        flags.wait_ready(5.0)
        consume([UPDATES_TOPIC], notify.take, ending)


if __name__ == "__main__":
    main()
