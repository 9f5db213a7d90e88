"""The journeys app as a process."""

import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Final

import structlog
import uvicorn

from pennon.errors import Fault, SettingInvalid
from pennon.journeys.app import CONTRACT, LOOPBACK_HOSTS, create_app
from pennon.journeys.control import ControlPlane
from pennon.journeys.memory import LIMIT_JOURNEYS_COUNT, Memory
from pennon.web import logs
from pennon.web.protocol import Protocol, Server

# 4318 is where every OTLP/HTTP exporter sends unless told otherwise.
DEFAULT_PORT: Final = 4318

DRAIN_DEADLINE_S: Final = 5
# Longer than the pause between two exports of an idle service, so that connections are reused.
_KEEP_ALIVE_S: Final = 65


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    server: str | None,
    token: str | None,
    project: str = "default",
    environment: str = "production",
    limit_traces: int = LIMIT_JOURNEYS_COUNT,
    hosts: tuple[str, ...] = (),
    on_started: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the journeys app until SIGTERM or SIGINT, then drain and return.

    host: a loopback address, unless `hosts` names what people then type to get here. It has no login: whoever reaches
        it sees every journey and may flip every flag.
    port: 0 takes a free one.
    server, token: the control plane's base URL and an admin token of the project; None: no flags are shown.
    limit_traces: journeys that are remembered.
    on_started: called with the base URL once connections are accepted.
    Raises: SettingInvalid if it cannot or must not listen there.
    """
    logs.configure(CONTRACT, level=logging.WARNING)
    log = structlog.get_logger("pennon.journeys")
    _check(host, hosts, limit_traces)
    control = None
    if server is not None and token is not None:
        control = ControlPlane(server, token=token, project=project, environment=environment)
    app = create_app(
        memory=Memory(limit_journeys=limit_traces),
        control=control,
        page_token=secrets.token_urlsafe(24),
        hosts=LOOPBACK_HOSTS | {name.lower() for name in hosts},
    )
    with closing(_listen(host, port)) as listener:
        bound, number = listener.getsockname()[:2]
        url = f"http://[{bound}]:{number}" if ":" in bound else f"http://{bound}:{number}"

        def started() -> None:
            log.info("journeys.started", url=url)
            on_started(url)

        config = uvicorn.Config(
            app,
            http=Protocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=DRAIN_DEADLINE_S,
        )
        Server(config, on_started=started, on_drain=app.drain).run(sockets=[listener])


def _check(host: str, hosts: tuple[str, ...], limit_traces: int) -> None:
    faults = []
    if host not in {"127.0.0.1", "::1", "localhost"} and not hosts:
        faults.append(Fault("", f"host is {host!r}, not a loopback address; name what it is reached by in hosts"))
    if limit_traces < 1:
        faults.append(Fault("", f"limit_traces is {limit_traces}, must be at least 1"))
    if faults:
        raise SettingInvalid(faults)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        way_out = "name another port, or 0 for a free one"
        raise SettingInvalid([Fault("", f"{host}:{port}: cannot listen: {error.strerror}; {way_out}")]) from error
