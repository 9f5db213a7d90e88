"""What the spool is on the disk: a folder for each process, and files of lines in it.

1. A process holds its folder locked (flock) for as long as it lives. The kernel gives the lock back when the process is
   gone, however it went: whoever gets it may take over what is in there. A pid would not tell, it is given out again.
2. Who gets the lock of a folder that is removed meanwhile holds nothing: the lock counts if the folder still stands
   where it was found.
3. A line is a JSON object, of an exposure or of an early decision, and is appended by one write. The last one of a
   process that died may be torn; it does not read as JSON then.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self
from uuid import uuid4

import msgspec

from pennon.carry import Exposure
from pennon.client.waiting import Early
from pennon.errors import Fault, SettingInvalid

# Exposures tell who was treated with what: for the owner alone.
_FOLDER_MODE: Final = 0o700
_FILE_MODE: Final = 0o600
_SUFFIX: Final = ".jsonl"
# A folder may be taken by another process before we have its lock, once; three times is something else.
_TRIES_COUNT: Final = 3

# How the lines of early decisions begin, for finding them without reading the others.
EARLY: Final = b'{"early":'


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a line holds: one of the two."""

    early: Early | None = None
    exposure: Exposure | None = None


def encode_line(line: Line) -> bytes:
    """One line, with its end."""
    try:
        return msgspec.json.encode(line) + b"\n"
    except UnicodeEncodeError:
        # A unit's key may hold half a character, which UTF-8 cannot, but an escape can.
        return json.dumps(msgspec.to_builtins(line), separators=(",", ":")).encode() + b"\n"


def decode_line(data: bytes) -> Line | None:
    """What a line holds; None if it is torn or nothing of ours."""
    for decode in (_decode, _decode_halves):
        try:
            return decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
    return None


def _decode(data: bytes) -> Line:
    return msgspec.json.decode(data, type=Line)


def _decode_halves(data: bytes) -> Line:
    """The same where there are halves of characters, which msgspec refuses."""
    return msgspec.convert(json.loads(data), Line)


class Chunk(msgspec.Struct, frozen=True):
    """What was read from a file. end_bytes: how far. count: of lines, unreadable ones too, but for early decisions."""

    exposures: list[Exposure]
    end_bytes: int
    count: int
    unreadable_count: int


class Folder:
    """A folder whose lock this process holds. files_count: how many of its files are in use."""

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self.files_count = 0
        self._handle = handle
        self._begun_count = 0

    @classmethod
    def make(cls, root: Path, prefix: str) -> Self:
        """A new one. Raises: OSError."""
        for _ in range(_TRIES_COUNT):
            path = root / f"{prefix}-{uuid4().hex}"
            path.mkdir(mode=_FOLDER_MODE)
            folder = cls.seize(path)
            if folder is not None:
                return folder
        raise OSError(errno.EAGAIN, "new folders are taken away at once")

    @classmethod
    def seize(cls, path: Path) -> Self | None:
        """One that no living process holds; None if one does, or it cannot be opened."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), path.stat()):
                return cls(path, handle)
        except OSError:
            pass
        os.close(handle)
        return None

    def begin(self) -> "File":
        """A new file to append to. Raises: OSError."""
        path = self.path / f"{self._begun_count}{_SUFFIX}"
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        self._begun_count += 1
        self.files_count += 1
        return File(self, path, handle)

    def left(self) -> Iterator["File"]:
        """The files that the process before has left, oldest first; `scan` them."""
        for path in sorted(self.path.glob(f"*{_SUFFIX}"), key=lambda path: (len(path.name), path.name)):
            yield File(self, path, None)

    def close(self) -> None:
        """Remove it if it is empty, and give the lock back."""
        try:
            self.path.rmdir()
        except OSError:
            # Something is left in it.
            pass
        finally:
            self.abandon()

    def abandon(self) -> None:
        """In a forked child: let go of it; the parent still holds the lock."""
        os.close(self._handle)


class File:
    """Lines, of which one writes and many read.

    handle: while it is written. exposures_count: its lines but for early decisions. users_count: who still needs it.
    """

    def __init__(self, folder: Folder, path: Path, handle: int | None) -> None:
        self.folder = folder
        self.path = path
        self.size_bytes = 0
        self.exposures_count = 0
        self.users_count = 0
        self.is_torn = False
        self._handle = handle

    def append(self, line: bytes) -> None:
        """Append a line whole or not at all. Raises: OSError if not at all."""
        if self._handle is None:
            raise OSError(errno.EBADF, "the file is sealed")
        written_count = os.write(self._handle, line)
        if written_count < len(line):
            # Until it is cut off, nothing may be appended to half a line.
            self.is_torn = True
            os.ftruncate(self._handle, self.size_bytes)
            self.is_torn = False
            raise OSError(errno.ENOSPC, "the disk took half a line")
        self.size_bytes += len(line)

    def seal(self) -> None:
        """Write no more."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def scan(self) -> tuple[list[Early], int]:
        """Use a file that was left: the early decisions in it, and how many lines of such cannot be read.

        Raises: OSError.
        """
        body = self.path.read_bytes()
        early, unreadable_count = list[Early](), 0
        for data in body.removesuffix(b"\n").split(b"\n") if body else ():
            if not data.startswith(EARLY):
                self.exposures_count += 1
            elif (line := decode_line(data)) is not None and line.early is not None:
                early.append(line.early)
            else:
                unreadable_count += 1
        self.size_bytes = len(body)
        self.folder.files_count += 1
        return early, unreadable_count

    def read(self, offset_bytes: int, limit_count: int) -> Chunk | None:
        """The next lines; None if the file has been removed, or ends before its time. Raises: OSError for any other."""
        size_bytes, end_bytes = self.size_bytes, offset_bytes
        exposures, count = list[Exposure](), 0
        try:
            lines = self.path.open("rb")
        except FileNotFoundError:
            return None
        with lines:
            lines.seek(offset_bytes)
            while end_bytes < size_bytes and count < limit_count and (data := lines.readline()):
                end_bytes += len(data)
                if data.startswith(EARLY):
                    continue
                count += 1
                line = decode_line(data)
                if line is not None and line.exposure is not None:
                    exposures.append(line.exposure)
        return None if end_bytes == offset_bytes else Chunk(exposures, end_bytes, count, count - len(exposures))

    def remove(self) -> None:
        """From the disk."""
        with suppress(OSError):
            self.path.unlink()
        self.folder.files_count -= 1


def root_of(spool: object) -> Path | None:
    """The directory of the spool, made if it is not there. Raises: SettingInvalid if nothing can be kept in it."""
    if spool is None:
        return None
    if not isinstance(spool, str | os.PathLike) or not isinstance(os.fspath(spool), str) or not os.fspath(spool):
        raise SettingInvalid(
            [Fault("spool", f"{spool!r} is not a path; must name a directory, e.g. /var/lib/app/pennon")]
        )
    # Absolute: a daemon changes its directory.
    root = Path(os.fspath(spool)).absolute()
    try:
        root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        Folder.make(root, "probe").close()
    except (OSError, ValueError) as error:
        message = f"{str(root)!r} cannot be written ({error}); must be a directory in which this process may make files"
        raise SettingInvalid([Fault("spool", message)]) from None
    return root
