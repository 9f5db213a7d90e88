"""Which server, which token: an option, else the environment, else the credentials file that `pennon serve` wrote."""

import os
from pathlib import Path
from typing import Final

import msgspec

from pennon.errors import Fault, SettingInvalid

CREDENTIALS: Final = Path(".pennon/credentials")


class Credentials(msgspec.Struct, frozen=True):
    """What `pennon serve` writes for the people of this machine. Mode 0600.

    admin: an admin token of `project`. sdk: environment key -> SDK token.
    """

    server: str
    project: str
    admin: str
    sdk: dict[str, str]


def read_credentials(path: Path = CREDENTIALS) -> Credentials | None:
    """The file's content, or None where there is no such file.

    Raises: SettingInvalid if it is there and is not a credentials file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid([Fault("", f"{path}: cannot be read as credentials: {error}")]) from error


class Target(msgspec.Struct, frozen=True):
    """Where a command goes, and as whom."""

    server: str
    project: str
    token: str


def admin_target(server: str | None, token: str | None, project: str | None) -> Target:
    """The control plane to author at.

    Raises: SettingInvalid, naming every way to say what is missing.
    """
    return _target(server, token or os.environ.get("PENNON_TOKEN"), project, environment=None)


def sdk_target(server: str | None, token: str | None, environment: str) -> Target:
    """The same server seen as one environment's SDK sees it."""
    return _target(server, token, None, environment=environment)


def _target(server: str | None, token: str | None, project: str | None, *, environment: str | None) -> Target:
    held = read_credentials()
    server = server or os.environ.get("PENNON_SERVER") or (held.server if held else None)
    if not token and held:
        token = held.sdk.get(environment) if environment is not None else held.admin
    if not token and environment is not None:
        token = os.environ.get("PENNON_TOKEN")
    faults = []
    if not server:
        faults.append(Fault("", f"no server: give --server, set PENNON_SERVER, or run where {CREDENTIALS} is"))
    if not token:
        kind = "admin token" if environment is None else f"SDK token of environment {environment!r}"
        faults.append(Fault("", f"no {kind}: give --token, set PENNON_TOKEN, or run where {CREDENTIALS} is"))
    if faults or not server or not token:
        raise SettingInvalid(faults)
    return Target(server.rstrip("/"), project or (held.project if held else "default"), token)
