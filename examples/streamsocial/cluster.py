"""The processes of the demo, and what each of them is told about the others."""

import json
import secrets
import threading
import time
from pathlib import Path

import httpx
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # its types do not say so

from pennon.signing import key_id_of, new_key
from streamsocial.contract import EXPOSURES_TOPIC, HTTP_SERVICES, simulated_name, simulated_topic, topics
from streamsocial.stage import Actor, Stage, address_of, free_port, listener

KAFKA_SERVICES = ("feed", "notify", "moderation", "analytics")
SERVICES_COUNT = len(HTTP_SERVICES) + len(KAFKA_SERVICES)
PARTITIONS_COUNT = 4

# What is not brought back when it falls: nothing here restarts them, and the demo is over without them.
ESSENTIAL = frozenset({"server", "journeys"})

READY_TIMEOUT_S = 30.0
POLL_S = 0.05


def start_server(stage: Stage, folder: Path, credentials: Path) -> str:
    """The control plane, answering; its URL."""
    port = free_port()
    database = f"sqlite:///{folder / 'pennon.db'}"
    options = ["--port", str(port), "--database", database, "--credentials", str(credentials)]
    url = f"http://127.0.0.1:{port}"
    _wait_answers(stage.start("server", "-m", "pennon", "serve", *options), f"{url}/health/ready")
    return url


def start_journeys(stage: Stage, server: str, credentials: Path) -> str:
    """The journeys page, on its way; its URL, which is also where spans go."""
    port = free_port()
    options = ["--port", str(port), "--server", server, "--env", "production"]
    token = json.loads(credentials.read_text())["admin"]
    # By the environment: everybody can read a process's arguments.
    stage.start("journeys", "-m", "pennon", "journeys", *options, environment={"PENNON_TOKEN": token})
    return f"http://127.0.0.1:{port}"


def start_services(
    stage: Stage,
    folder: Path,
    *,
    server: str,
    credentials: Path,
    kafka: str,
    page: str,
    simulated: int,
    tell: bool,
) -> str:
    """All services, at once; the gateway's host and port when all of them are ready.

    page: where they send their spans. simulated: how many stand in for a larger network. tell: whether they say
    what they do.
    """
    called = [simulated_name(number) for number in range(1, simulated + 1) if simulated_topic(number) is None]
    listeners = {name: listener() for name in (*HTTP_SERVICES, *called)}
    environment = {
        "PENNON_SERVER": server,
        "PENNON_TOKEN": json.loads(credentials.read_text())["sdk"]["production"],
        "KAFKA": kafka,
        "HOSTS": json.dumps({name: address_of(bound) for name, bound in listeners.items()}),
        "SIMULATED_COUNT": str(simulated),
        "ANALYTICS_FILE": str(folder / "analytics.db"),
        "OTEL_EXPORTER_OTLP_ENDPOINT": page,
        "TELL": "1" if tell else "0",
        "REGION": "eu-1",
        # One for all, so that what is hashed in their log lines and spans can be joined.
        "PENNON_LOG_SALT": secrets.token_hex(),
    }
    commands = {name: [f"streamsocial.{name}"] for name in (*HTTP_SERVICES, *KAFKA_SERVICES)}
    commands |= {simulated_name(number): ["streamsocial.simulated", str(number)] for number in range(1, simulated + 1)}
    keys = {name: new_key() for name in commands if name not in ("gateway", "profiles", "notify", "analytics")}
    trusted = {name: {key_id_of(public): public} for name, (_, public) in keys.items()}
    environment["TRUSTED_KEYS"] = json.dumps(trusted)
    actors = []
    # In the end callers go before those whom they call: first the gateway, then what reads topics, then the others.
    for names in ((*HTTP_SERVICES[1:], *called), commands.keys() - listeners.keys(), HTTP_SERVICES[:1]):
        stage.next_act()
        actors += [
            stage.start(
                name,
                "-m",
                *commands[name],
                environment=environment | {"OTEL_SERVICE_NAME": name} | _own_key(keys.get(name)),
                listener=listeners.get(name),
            )
            for name in sorted(names)
        ]
    stage.wait_ready(actors)
    _wait_answers(stage.actors()["journeys"], page)
    return address_of(listeners["gateway"])


def _own_key(key: tuple[bytes, str] | None) -> dict[str, str]:
    """What a service that produces for somebody signs with; no other is told it."""
    return {} if key is None else {"SIGNING_KEY": key[0].decode()}


def make_topics(kafka: str, simulated: int) -> None:
    """The topics; one that is there already is used as it is."""
    admin = AdminClient({"bootstrap.servers": kafka, "log_level": 0})
    known = admin.list_topics(timeout=10).topics
    wanted = [name for name in (*topics(simulated), EXPOSURES_TOPIC) if name not in known]
    if wanted:
        made = admin.create_topics([NewTopic(name, num_partitions=PARTITIONS_COUNT) for name in wanted])
        for future in made.values():
            future.result(timeout=20)


def _wait_answers(actor: Actor, url: str) -> None:
    tick = threading.Event()
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s and actor.process.poll() is None:
        try:
            if httpx.get(url, timeout=1.0).status_code < 500:
                return
        except httpx.HTTPError:
            pass
        tick.wait(POLL_S)
    raise RuntimeError(f"{actor.name} did not come up at {url}:\n{actor.log()}")
