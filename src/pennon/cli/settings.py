"""Which server, which token: an option, else the environment, else the credentials file that `pennon serve` wrote."""

import os
from collections.abc import Sequence
from typing import Final

import msgspec

from pennon.errors import Fault, SettingInvalid
from pennon.settings import CREDENTIALS_PATH, SERVER_VARIABLE, TOKEN_VARIABLE, Credentials, read_credentials

_NO_SERVER: Final = Fault("", f"no server: give --server, set {SERVER_VARIABLE}, or run where {CREDENTIALS_PATH} is")


class Target(msgspec.Struct, frozen=True):
    """Where a command goes, and as whom."""

    server: str
    project: str
    token: str


def admin_target(server: str | None, token: str | None, project: str | None) -> Target:
    """The control plane to author at.

    Raises: SettingInvalid, naming every way to say what is missing.
    """
    held = _held_for(server)
    token = token or _from_environment("pn_adm_") or (held.admin if held else None)
    return _target(server, token, held, project, wanted="admin token")


def sdk_target(server: str | None, token: str | None, environment: str) -> Target:
    """The same server seen as one environment's SDK sees it. Raises: SettingInvalid, likewise."""
    held = _held_for(server)
    token = token or _from_environment("pn_sdk_") or (held.sdk.get(environment) if held else None)
    return _target(server, token, held, None, wanted=f"SDK token of environment {environment!r}")


def server_urls(named: Sequence[str]) -> list[str]:
    """Servers by their URLs, each once: those that are named, else the one there is. Raises: SettingInvalid."""
    held = None if named or os.environ.get(SERVER_VARIABLE) else read_credentials()
    given = list(named) or [os.environ.get(SERVER_VARIABLE) or (held.server if held else "")]
    if not given[0]:
        raise SettingInvalid([_NO_SERVER])
    return list(dict.fromkeys(url.rstrip("/") for url in given))


def _held_for(server: str | None) -> Credentials | None:
    """The credentials file, if it is about the server that is meant: its tokens go to no other."""
    named, held = server or os.environ.get(SERVER_VARIABLE), read_credentials()
    return held if held is not None and (not named or named.rstrip("/") == held.server) else None


def _from_environment(prefix: str) -> str | None:
    """The token in the environment, if it is of the kind that is needed."""
    token = os.environ.get(TOKEN_VARIABLE, "")
    return token if token.startswith(prefix) else None


def _target(
    server: str | None, token: str | None, held: Credentials | None, project: str | None, *, wanted: str
) -> Target:
    server = server or os.environ.get(SERVER_VARIABLE) or (held.server if held else None)
    faults = []
    if not server:
        faults.append(_NO_SERVER)
    if not token:
        faults.append(Fault("", f"no {wanted}: give --token, set {TOKEN_VARIABLE}, or run where {CREDENTIALS_PATH} is"))
    if faults or not server or not token:
        raise SettingInvalid(faults)
    return Target(server.rstrip("/"), project or (held.project if held else "default"), token)
