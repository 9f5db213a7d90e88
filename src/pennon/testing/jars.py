"""The jars of a local Apache Kafka: fetched once through jgo from Maven Central, checked against a committed lock.

`kafka.lock.toml` beside this file holds every jar's Maven coordinate, SHA-256 and size. Fetching asks for exactly
these, so nothing is resolved anew and nothing else can come. Each fetch works in a folder of its own that is renamed
into place when all of it has been checked: who finds the folder finds it whole, however many processes fetch at once.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pennon.errors import BrokerUnavailable

INSTALL_HINT: Final = "install it with: pip install 'pennon[testing]'"

_LOCK_PATH: Final = Path(__file__).with_name("kafka.lock.toml")

# What a broker needs; the rest follows from these. "!" keeps log4j's parent, which manages versions of Kafka's own
# dependencies too, from overruling Kafka's; log4j-slf4j-impl, not slf4j2: Kafka 4.1 logs by slf4j 1.7.
_ROOTS: Final = (
    "org.apache.kafka:kafka_2.13:4.1.1",
    "org.apache.logging.log4j:log4j-core:2.24.3!",
    "org.apache.logging.log4j:log4j-slf4j-impl:2.24.3!",
)
# Maven Central serves one client well at this width: 46 jars, 43 MB in about 10 s. Wider, it begins to refuse.
_FETCH_WIDTH_COUNT: Final = 8
_FETCH_TIMEOUT_S: Final = 30


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked file. coordinate: "group:artifact:version"."""

    coordinate: str
    sha256: str
    size_bytes: int

    @property
    def file_name(self) -> str:
        """Its name in the cache."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


@dataclass(frozen=True, slots=True)
class JarLock:
    """The committed list. version: of Kafka. id: names this very list, so that another gets another folder."""

    version: str
    id: str
    jars: tuple[Jar, ...]


# Where each jar lies, in the order asked, below a folder that is this fetch's own.
Download = Callable[[tuple[Jar, ...], Path], list[Path]]


def read_lock() -> JarLock:
    """The lock that came with this release."""
    text = _LOCK_PATH.read_bytes()
    document = tomllib.loads(text.decode())
    jars = tuple(Jar(entry["coordinate"], entry["sha256"], entry["size_bytes"]) for entry in document["jars"])
    return JarLock(document["version"], hashlib.sha256(text).hexdigest()[:8], jars)


def cache_folder() -> Path:
    """Where fetched files are kept: `PENNON_CACHE`, else `pennon` in the user's cache folder (XDG)."""
    own = os.environ.get("PENNON_CACHE")
    if own:
        return Path(own).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pennon"


def ensure_jars(lock: JarLock | None = None, *, download: Download | None = None) -> Path:
    """The folder that holds exactly the locked jars, fetched if they are not there; about 10 s the first time.

    Jars that are there are checked by name and size; those that are fetched, by SHA-256.
    lock: None = the committed one. download: None = jgo, from Maven Central.
    Raises: BrokerUnavailable if jgo is missing, a jar cannot be fetched, or one is not what the lock says.
    """
    lock = lock or read_lock()
    folder = cache_folder() / "kafka" / f"{lock.version}-{lock.id}"
    if _is_whole(folder, lock):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder.with_name(f".{folder.name}.lock")):
            if not _is_whole(folder, lock):
                _fetch_into(folder, lock, download or _by_jgo)
    except OSError as error:
        raise BrokerUnavailable(f"Kafka's jars cannot be kept: {error}; name another folder: PENNON_CACHE") from error
    return folder


def _is_whole(folder: Path, lock: JarLock) -> bool:
    try:
        found = {entry.name: entry.stat().st_size for entry in os.scandir(folder)}
    except OSError:
        return False
    return found == {jar.file_name: jar.size_bytes for jar in lock.jars}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time. The lock is the kernel's: it ends with its holder, so a stale file blocks nobody."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fetch_into(folder: Path, lock: JarLock, download: Download) -> None:
    sys.stderr.write(f"pennon: fetching Apache Kafka {lock.version} into {folder}\n")
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder.parent) as work:
        whole = Path(work, "whole")
        whole.mkdir()
        for jar, path in zip(lock.jars, download(lock.jars, Path(work, "maven")), strict=True):
            _check(jar, path)
            path.rename(whole / jar.file_name)
        # Only one that is not whole can stand here: an interrupted clean-up, or somebody's hand.
        shutil.rmtree(folder, ignore_errors=True)
        whole.rename(folder)


def _by_jgo(jars: tuple[Jar, ...], repository: Path) -> list[Path]:
    """Each jar's path in a Maven repository made for this one fetch; the user's ~/.m2 is neither read nor written."""
    try:
        from jgo.maven import MavenContext
    except ImportError as error:
        raise BrokerUnavailable(f"jgo, which fetches Kafka's jars, is not installed; {INSTALL_HINT}") from error
    context = MavenContext(repo_cache=repository, timeout=_FETCH_TIMEOUT_S)

    def one(jar: Jar) -> Path:
        group, artifact, version = jar.coordinate.split(":")
        file = context.project(group, artifact).at_version(version).artifact()
        for is_last in (False, False, True):
            try:
                return Path(file.resolve())
            except (OSError, RuntimeError):
                if is_last:
                    raise
        raise AssertionError("the last try returns or raises")

    with ThreadPoolExecutor(_FETCH_WIDTH_COUNT) as pool:
        try:
            return list(pool.map(one, jars))
        except (OSError, RuntimeError) as error:
            pool.shutdown(wait=False, cancel_futures=True)
            raise BrokerUnavailable(
                f"Kafka's jars could not be fetched from Maven Central: {error}; "
                "with an outside broker none are needed: PENNON_TEST_KAFKA=host:port"
            ) from error


def _check(jar: Jar, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise BrokerUnavailable(f"jar '{jar.coordinate}': SHA-256 is {found}, must be {jar.sha256}; nothing was kept")


def write_lock() -> JarLock:
    """Resolve Kafka anew and write the lock: for maintainers, after a change of the versions above."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as work:
        context = MavenContext(repo_cache=Path(work), timeout=_FETCH_TIMEOUT_S)
        roots = [context.create_dependency(root) for root in _ROOTS]
        inputs, others = context.resolver.resolve(roots)
        jars = sorted(_locked(dependency.artifact) for dependency in (*inputs, *others))
    version = _ROOTS[0].rpartition(":")[2]
    head = f'# Written by `python -m pennon.testing.broker --lock`.\nversion = "{version}"\n'
    _LOCK_PATH.write_text(head + "".join(jars))
    return read_lock()


def _locked(artifact: Any) -> str:
    """One entry of the lock file."""
    path = Path(artifact.resolve())
    coordinate = f"{artifact.groupId}:{artifact.artifactId}:{artifact.version}"
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return f'\n[[jars]]\ncoordinate = "{coordinate}"\nsha256 = "{sha256}"\nsize_bytes = {path.stat().st_size}\n'
