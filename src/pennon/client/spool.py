"""Exposures on the disk, so that they outlive the process: a log that each outlet reads at its own pace.

1. An exposure is appended, by one write, before the evaluating call returns. Nothing is synced: it outlives the
   process, not the machine's power. What the disk does not take waits in memory, as it would without a spool.
2. A file goes when every outlet has delivered all of it and no early decision in it waits. Whoever dies before leaves
   it, and what was delivered already is delivered again: the ids tell.
3. What processes of the same environment have left when they died is read like one's own.
4. Any thread appends, one thread does everything else. Both change what they share under the lock, and neither reads
   under it.
"""

import os
from collections import deque
from enum import StrEnum
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Final

from pennon.carry import Exposure
from pennon.client.spool_files import Chunk, File, Folder, Line, encode_line
from pennon.client.waiting import BATCH_COUNT, Early, Lost, MemoryQueues, Release
from pennon.counters import Count, count

# What a process keeps on the disk, what it took over included: some 250,000 exposures.
LIMIT_BYTES: Final = 64 * 1024 * 1024
# A file is delivered whole before it goes: after a kill, so much may come twice.
FILE_BYTES: Final = 1024 * 1024

# One for all clients of the process: what is exposed for the first time is rare, and a fork minds one lock only.
# Re-entrant, because a signal's handler may evaluate, and so expose, in the midst of another exposure.
_lock: Final = RLock()


class Unspooled(StrEnum):
    """Why an exposure is not on the disk, but in memory; the label of `pennon.exposures.unspooled`."""

    LIMIT = "limit"
    DISK = "disk"


class _Reader:
    """How far an outlet is. offset_bytes, read_count: in the first of the files."""

    def __init__(self) -> None:
        self.files: deque[File] = deque()
        self.offset_bytes = 0
        self.read_count = 0
        self.waiting_count = 0
        self.taken: Chunk | None = None

    def has_read(self, file: File) -> bool:
        return bool(self.files) and self.files[0] is file and self.offset_bytes >= file.size_bytes


class Spool:
    """Queues (`waiting.Queues`) in files below `root`, which is there and can be written."""

    def __init__(self, root: Path, outlets_count: int) -> None:
        self._root = root
        self._outlets_count = outlets_count
        self._memory = MemoryQueues(outlets_count)
        self._is_closed = False
        self._begin()

    def __len__(self) -> int:
        return max(reader.waiting_count for reader in self._readers) + len(self._memory)

    def put(self, exposure: Exposure, environment: int) -> bool:
        """Whether an outlet will get it; what the disk does not take waits in memory."""
        file = self._append(encode_line(Line(exposure=exposure)), environment)
        return file is not None or self._memory.put(exposure, environment)

    def keep(self, early: Early) -> Release | None:
        """Remember it on the disk; None if that does not take it."""
        environment = early.decision.scope.environment.id
        file = self._append(encode_line(Line(early=early)), environment, is_early=True)
        return None if file is None else partial(self._release, file)

    def take(self, outlet: int) -> list[Exposure]:
        """The next of the log, read anew until `done`; at its end what is in memory."""
        reader = self._readers[outlet]
        while (file := self._next_file(reader)) is not None:
            taken = reader.taken = self._read(reader, file)
            if taken is None or taken.exposures:
                return [] if taken is None else taken.exposures
            # There was nothing in it but what cannot be read, or waits elsewhere.
            self.done(outlet)
        return self._memory.take(outlet)

    def give_back(self, batch: list[Exposure], outlet: int) -> None:
        """It is read again."""
        reader = self._readers[outlet]
        if reader.taken is None:
            self._memory.give_back(batch, outlet)
        reader.taken = None

    def done(self, outlet: int) -> None:
        """Go on behind it; what every outlet is behind, goes."""
        reader = self._readers[outlet]
        taken, reader.taken = reader.taken, None
        if taken is None:
            return
        with _lock:
            reader.offset_bytes = taken.end_bytes
            reader.read_count += taken.count
            reader.waiting_count -= taken.count
            if self._writing is not None and all(each.has_read(self._writing) for each in self._readers):
                self._seal()
            self._let_go()
        if taken.unreadable_count:
            count(Count.EXPOSURES_DROPPED, Lost.UNREADABLE, by=taken.unreadable_count)

    def take_over(self, environment: int) -> list[tuple[Early, Release]]:
        """Read what processes that are gone have left, as long as there is room for it; the early ones among it."""
        found = list[tuple[Early, Release]]()
        for path in sorted(self._root.glob(f"{_prefix(environment)}-*")):
            if self._size_bytes >= LIMIT_BYTES:
                break
            folder = Folder.seize(path)
            if folder is not None:
                self._adopt(folder, found)
        return found

    def clear(self) -> None:
        """In a forked child: everything here is the parent's."""
        if self._writing is not None:
            self._writing.seal()
        for folder in self._folders:
            folder.abandon()
        self._memory.clear()
        self._begin()

    def close(self) -> None:
        """Leave what was not delivered to whoever comes next; only what is in memory is lost, and counted."""
        with _lock:
            self._is_closed = True
            self._seal()
            self._let_go()
            while self._folders:
                self._folders.pop().close()
        self._memory.close()

    def _begin(self) -> None:
        self._readers = tuple(_Reader() for _ in range(self._outlets_count))
        # The folders that are locked here: one's own, and those that were taken over.
        self._folders: list[Folder] = []
        self._own: Folder | None = None
        self._writing: File | None = None
        self._size_bytes = 0

    def _append(self, line: bytes, environment: int, *, is_early: bool = False) -> File | None:
        """The file that it is in now; None if the disk does not take it, which is counted, or the end has come."""
        cause = Unspooled.LIMIT
        with _lock:
            if self._is_closed:
                return None
            if self._size_bytes + len(line) <= LIMIT_BYTES:
                try:
                    file = self._writable(environment)
                    file.append(line)
                except OSError:
                    cause = Unspooled.DISK
                else:
                    self._appended(file, len(line), is_early=is_early)
                    return file
        count(Count.EXPOSURES_UNSPOOLED, cause)
        return None

    def _appended(self, file: File, size_bytes: int, *, is_early: bool) -> None:
        self._size_bytes += size_bytes
        if is_early:
            file.users_count += 1
            return
        file.exposures_count += 1
        for reader in self._readers:
            reader.waiting_count += 1

    def _writable(self, environment: int) -> File:
        """The file to append to. Raises: OSError. With the lock."""
        file = self._writing
        if file is not None and file.size_bytes < FILE_BYTES and not file.is_torn:
            return file
        if self._own is None:
            self._own = Folder.make(self._root, _prefix(environment))
            self._folders.append(self._own)
        try:
            begun = self._own.begin()
        except FileNotFoundError:
            # Somebody has removed the folder; the next exposure makes another.
            self._own = None
            raise
        self._seal()
        self._writing = begun
        self._add(begun, 1)
        return begun

    def _add(self, file: File, users_count: int) -> None:
        """Let every outlet read it. users_count: besides them. With the lock."""
        file.users_count = self._outlets_count + users_count
        for reader in self._readers:
            reader.files.append(file)

    def _seal(self) -> None:
        """Write to this file no more. With the lock."""
        if self._writing is not None:
            self._writing.seal()
            self._leave(self._writing)
            self._writing = None

    def _release(self, file: File) -> None:
        with _lock:
            self._leave(file)

    def _leave(self, file: File) -> None:
        """One user less; without any the file goes, and a folder of the dead with its last. With the lock."""
        file.users_count -= 1
        if file.users_count:
            return
        file.remove()
        self._size_bytes -= file.size_bytes
        if not file.folder.files_count and file.folder is not self._own:
            self._drop(file.folder)

    def _drop(self, folder: Folder) -> None:
        self._folders.remove(folder)
        folder.close()

    def _next_file(self, reader: _Reader) -> File | None:
        """The file in which something is left to read."""
        with _lock:
            self._let_go()
            has_more = reader.files and reader.offset_bytes < reader.files[0].size_bytes
            return reader.files[0] if has_more else None

    def _let_go(self) -> None:
        """Let each outlet leave the files that it has read and nobody writes. With the lock."""
        for reader in self._readers:
            while reader.files and reader.has_read(reader.files[0]) and reader.files[0] is not self._writing:
                reader.offset_bytes = reader.read_count = 0
                self._leave(reader.files.popleft())

    def _read(self, reader: _Reader, file: File) -> Chunk | None:
        """Up to a batch of it; None if it cannot be read now."""
        try:
            chunk = file.read(reader.offset_bytes, BATCH_COUNT)
        except OSError:
            return None
        return self._gone(reader, file) if chunk is None else chunk

    def _gone(self, reader: _Reader, file: File) -> Chunk:
        """Somebody has removed the file, or cut it: what was left in it cannot be read."""
        with _lock:
            if file is self._writing:
                self._seal()
            lost_count = file.exposures_count - reader.read_count
            return Chunk([], file.size_bytes, lost_count, lost_count)

    def _adopt(self, folder: Folder, found: list[tuple[Early, Release]]) -> None:
        """Read this folder's files as one's own; their early decisions are added to `found`."""
        self._folders.append(folder)
        unreadable_count = 0
        for file in folder.left():
            try:
                early, faulty_count = file.scan()
            except OSError:
                # It stays for whoever can read it.
                continue
            unreadable_count += faulty_count
            with _lock:
                # An outlet waits at the end of a file that is written, and would not come to this one.
                self._seal()
                self._size_bytes += file.size_bytes
                self._add(file, len(early))
                for reader in self._readers:
                    reader.waiting_count += file.exposures_count
            found += [(each, partial(self._release, file)) for each in early]
        if unreadable_count:
            count(Count.EXPOSURES_DROPPED, Lost.UNREADABLE, by=unreadable_count * self._outlets_count)
        if not folder.files_count:
            self._drop(folder)


def _prefix(environment: int) -> str:
    """How the folders of an environment are named: exposures do not say it, and another's must never get them."""
    return f"{environment:010x}"


# The lock is held over a fork, or a child could inherit it from a thread that does not exist there.
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
