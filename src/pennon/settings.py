"""Where a server and its tokens are found on this machine: names of environment variables, and the credentials file.

The file is for people and demos: `pennon serve` leaves it at its first start, the commands read it. A database holds
hashes of tokens only, so this is the one place where the first tokens stand.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from pennon.errors import Fault, SettingInvalid

SERVER_VARIABLE: Final = "PENNON_SERVER"
TOKEN_VARIABLE: Final = "PENNON_TOKEN"  # noqa: S105 - the name of a variable
LOG_SALT_VARIABLE: Final = "PENNON_LOG_SALT"
CREDENTIALS_PATH: Final = Path(".pennon/credentials")


class Credentials(msgspec.Struct, frozen=True):
    """What the file says.

    server: its base URL. admin: an admin token of `project`. sdk: environment key -> SDK token.
    """

    server: str
    project: str
    admin: str
    sdk: dict[str, str]


def read_credentials(path: Path = CREDENTIALS_PATH) -> Credentials | None:
    """The file's content, or None where there is no such file.

    Raises: SettingInvalid if it is there and is not a credentials file.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise SettingInvalid([Fault("", f"{path}: cannot be read as credentials: {error}")]) from error


def write_credentials(credentials: Credentials, path: Path = CREDENTIALS_PATH) -> None:
    """Write the file whole or not at all, with mode 0600, in a folder that is made with mode 0700."""
    write_private(msgspec.json.format(msgspec.json.encode(credentials)) + b"\n", path)


def write_private(data: bytes, path: Path) -> None:
    """The same for any bytes that are nobody else's business."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    # Born with its mode: a file that is made first and closed afterwards can be read in between.
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
