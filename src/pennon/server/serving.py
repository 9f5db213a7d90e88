"""The control plane as a process: store, app, socket, credentials, and the order in which they come and go."""

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from pennon.errors import Fault, SettingInvalid
from pennon.server import credentials as credentials_file
from pennon.server.app import CONTRACT, App, create_app
from pennon.store import open_store
from pennon.web import logs
from pennon.web.protocol import Protocol, Server

# What is in flight at the end gets this long. Above the slowest commit, below the 30 s that orchestrators grant.
DRAIN_DEADLINE_S: Final = 10

# Longer than the 60 s after which load balancers commonly drop an idle connection, so that they are the ones to close.
_KEEP_ALIVE_S: Final = 65

# A fleet that comes back at once should wait in the kernel's queue, not be refused.
_BACKLOG_COUNT: Final = 2048

# Beside the credentials file.
EMERGENCIES_FOLDER: Final = "break-glass"

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not chosen


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    database: str = "sqlite:///.pennon/pennon.db",
    credentials: Path = Path(".pennon/credentials"),
    new_credentials: bool = False,
    on_started: Callable[[str], None] = lambda _: None,
) -> None:
    """Run the control plane until SIGTERM or SIGINT, then drain and return.

    port: 0 takes a free one.
    database: SQLAlchemy's URL; created and migrated.
    credentials: where the first start writes its tokens; later starts keep them and bring the address up to date.
        Beside it, in the folder `break-glass`, stand break-glass kills until they are reconciled.
    new_credentials: make new tokens and write them there, for when the file is gone.
    on_started: called with the base URL once connections are accepted.
    Raises: SettingInvalid if it cannot listen there, or the credentials file is not one.
    """
    logs.configure(CONTRACT)
    log = structlog.get_logger("pennon.server")
    with closing(_listen(host, port)) as listener, closing(open_store(database)) as store:
        url = _url_of(listener)
        # Before the first request: the socket already queues connections, so who reads the file finds the server.
        if new_credentials:
            credentials_file.renew(store, server=url, path=credentials)
        else:
            credentials_file.prepare(store, server=url, path=credentials)

        def started() -> None:
            log.info("server.started", url=url, credentials=str(credentials))
            on_started(url)

        _server(create_app(store, emergencies=credentials.parent / EMERGENCIES_FOLDER), started).run(sockets=[listener])
    log.info("server.stopped", url=url)


def _server(app: App, on_started: Callable[[], None]) -> Server:
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
    return Server(config, on_started=on_started, on_drain=app.drain)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=_BACKLOG_COUNT)
    except OSError as error:
        way_out = "name another port, or 0 for a free one"
        raise SettingInvalid([Fault("", f"{host}:{port}: cannot listen: {error.strerror}; {way_out}")]) from error


def _url_of(listener: socket.socket) -> str:
    """Where this machine finds it; a server on every address is found on the loopback one."""
    host, port = listener.getsockname()[:2]
    host = _LOOPBACK.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
