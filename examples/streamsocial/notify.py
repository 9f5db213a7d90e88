"""notify: wakes people whose feed has something new, with what `profiles` knows of the author."""

import json

import confluent_kafka
import httpx

import pennon.http
import pennon.kafka
from pennon.headers import mesh
from streamsocial.calling import CONSUMER_TIMEOUT_S
from streamsocial.contract import UPDATES_TOPIC, contract, hosts
from streamsocial.running import NotNow, consume, service
from streamsocial.spans import mark_user
from streamsocial.telling import tell

CONTRACT = contract()


class Notify:
    """Sends a push message for each feed update."""

    def __init__(self, profiles: httpx.Client) -> None:
        self._profiles = profiles

    def take(self, record: confluent_kafka.Message) -> None:
        """One feed update. The call to `profiles` goes on with the journey that the record belongs to."""
        update = json.loads(record.value() or b"{}")
        author = update["author"]
        with pennon.kafka.process(record, CONTRACT, boundary=mesh()):
            mark_user(author)
            try:
                found = self._profiles.get("/profiles", params={"reader": author, "users": author}).raise_for_status()
            except httpx.HTTPError as error:
                raise NotNow from error
            name = found.json()["profiles"][author]["name"]
            # A real one would hand it to a push service here.
            tell("pushed", "notify", id=update["id"], update=update["update"], text=f"{name}: {update['kind']}")


def main() -> None:
    """Consume until told to end."""
    with (
        service("notify") as ending,
        httpx.Client(base_url=f"http://{hosts()['profiles']}", timeout=CONSUMER_TIMEOUT_S) as client,
    ):
        consume([UPDATES_TOPIC], Notify(pennon.http.httpx(client, CONTRACT)).take, ending)


if __name__ == "__main__":
    main()
