"""Private keys on this machine. They are read here and nowhere else, and never sent."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from pennon.errors import Fault, SettingInvalid
from pennon.settings import write_private
from pennon.signing import key_id_of, public_of

KEYS_PATH: Final = Path(".pennon/keys")

_EnvironmentId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{10}\Z")]

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class PrivateKey(msgspec.Struct, frozen=True):
    """A private key, its public half, and what the two are called."""

    pem: bytes
    public: str

    @property
    def id(self) -> str:
        """The signer's id."""
        return key_id_of(self.public)

    def __repr__(self) -> str:
        return f"PrivateKey({self.id})"


def write_key(pem: bytes, path: Path) -> None:
    """Write it with mode 0600, in a folder that is made with mode 0700. Raises: SettingInvalid if the file exists."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        # Born with its mode: a file that is made first and closed afterwards can be read in between.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise SettingInvalid([Fault("", f"{path}: exists already; --key {path} registers that key")]) from None
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def read_key(path: Path) -> PrivateKey:
    """The key in a file. Raises: SettingInvalid if it is none, or others on this machine may read it."""
    try:
        mode, pem = path.stat().st_mode, path.read_bytes()
    except OSError as error:
        raise SettingInvalid([Fault("", f"{path}: cannot be read: {error.strerror}")]) from error
    if os.name == "posix" and mode & _OTHERS:
        message = f"{path}: mode {stat.S_IMODE(mode):04o} lets others at a private key, must be 0600: chmod 600 {path}"
        raise SettingInvalid([Fault("", message)])
    return PrivateKey(pem, public_of(pem))


def key_for(use: str, signers: Iterable[Mapping[str, Any]], *, now_s: int, folder: Path = KEYS_PATH) -> PrivateKey:
    """The key in this folder whose signer is believed for this use the longest; of several the one made last.

    signers: the environment's. Raises: SettingInvalid if there is none.
    """
    held = {key.id: key for key in _keys_in(folder)}
    known = [signer for signer in signers if signer["id"] in held and signer["use"] == use and _lasting(signer) > now_s]
    if not known:
        message = (
            f"no key in {folder} signs {use}s in this environment: pennon signer create NAME --use {use}, "
            "or name its file with --key"
        )
        raise SettingInvalid([Fault("", message)])
    return held[max(known, key=lambda signer: (_lasting(signer), signer["created_s"]))["id"]]


def note_environments(path: Path, environments: Mapping[str, str]) -> None:
    """Note beside a key in which environments it may kill: "project/environment" -> id, 10 hex digits.

    A break-glass kill names the environment by its id, when nobody can be asked for it any more.
    """
    noted = {**environments_noted(path), **environments}
    write_private(msgspec.json.format(msgspec.json.encode(noted)) + b"\n", path.with_suffix(".json"))


def environments_noted(path: Path) -> dict[str, str]:
    """What was noted beside a key; nothing, if nothing was."""
    note = path.with_suffix(".json")
    try:
        return msgspec.json.decode(note.read_bytes(), type=dict[str, _EnvironmentId])
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid([Fault("", f"{note}: cannot be read: {error}")]) from error


def key_paths(folder: Path = KEYS_PATH) -> list[Path]:
    """The keys in this folder, the one made last first."""
    return sorted(folder.glob("*.pem"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _lasting(signer: Mapping[str, Any]) -> float:
    return float("inf") if signer["until_s"] is None else float(signer["until_s"])


def _keys_in(folder: Path) -> Iterator[PrivateKey]:
    return map(read_key, key_paths(folder))
