"""The cache of Kafka's jars: whole or absent, and never other bytes than the lock says."""

import hashlib
import os
import re
import sys
from contextlib import suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread

import pytest

from pennon.errors import BrokerUnavailable
from pennon.testing import jars
from pennon.testing.jars import Jar, JarLock, ensure_jars, read_lock

CONTENT = {"org.one:alpha:1.0": b"alpha's classes", "org.two:beta:2.1": b"beta's"}
LOCK = JarLock(
    "9.9",
    "cafe0123",
    tuple(Jar(name, hashlib.sha256(body).hexdigest(), len(body)) for name, body in CONTENT.items()),
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("PENNON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "kafka"


class Shop:
    """Serves CONTENT, with what a test changes about it, and counts."""

    def __init__(self, **changed: bytes) -> None:
        self.changed = changed
        self.asked_count = 0

    def __call__(self, wanted: tuple[Jar, ...], repository: Path) -> list[Path]:
        """Write what is asked for and say where."""
        self.asked_count += 1
        repository.mkdir()
        paths = []
        for jar in wanted:
            artifact = jar.coordinate.split(":")[1]
            path = repository / jar.file_name
            path.write_bytes(self.changed.get(artifact, CONTENT[jar.coordinate]))
            paths.append(path)
        return paths


def test_ensure_jars_gives_a_folder_of_exactly_the_locked_files(cache: Path) -> None:
    """What a class path of "folder/*" takes in is what the lock names, in the folder that PENNON_CACHE names."""
    folder = ensure_jars(LOCK, download=Shop())
    assert cache / "9.9-cafe0123" == folder
    assert {"alpha-1.0.jar": b"alpha's classes", "beta-2.1.jar": b"beta's"} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }


def test_ensure_jars_asks_once_for_what_it_has() -> None:
    """A second start fetches nothing."""
    shop = Shop()
    ensure_jars(LOCK, download=shop)
    ensure_jars(LOCK, download=shop)
    assert 1 == shop.asked_count


def test_ensure_jars_refuses_other_bytes_and_keeps_nothing(cache: Path) -> None:
    """A jar of the right name and size but another content never enters the cache."""
    with pytest.raises(BrokerUnavailable, match=re.escape("jar 'org.two:beta:2.1': SHA-256 is ")):
        ensure_jars(LOCK, download=Shop(beta=b"evil's"))
    assert [".9.9-cafe0123.lock"] == os.listdir(cache)


@pytest.mark.parametrize("harm", ["shorten", "remove", "add"])
def test_ensure_jars_fetches_anew_what_is_no_longer_whole(harm: str) -> None:
    """A jar that is cut short, missing or too many does not reach a class path."""
    shop = Shop()
    folder = ensure_jars(LOCK, download=shop)
    if harm == "shorten":
        (folder / "alpha-1.0.jar").write_bytes(b"al")
    elif harm == "remove":
        (folder / "alpha-1.0.jar").unlink()
    else:
        (folder / "gamma-1.0.jar").write_bytes(b"")
    assert ["alpha-1.0.jar", "beta-2.1.jar"] == sorted(os.listdir(ensure_jars(LOCK, download=shop)))
    assert 2 == shop.asked_count


def test_ensure_jars_that_is_interrupted_leaves_nothing_behind(cache: Path) -> None:
    """A fetch that breaks off half-way leaves no half-filled folder that the next start would believe."""

    def broken(wanted: tuple[Jar, ...], repository: Path) -> list[Path]:
        Shop()(wanted, repository)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_jars(LOCK, download=broken)
    assert [".9.9-cafe0123.lock"] == os.listdir(cache)


def test_ensure_jars_by_two_at_once_fetches_once() -> None:
    """The second waits for the first and takes what it fetched; flock excludes threads as it does processes."""
    both = Barrier(2)
    shop = Shop()
    folders: list[Path] = []

    def slow(wanted: tuple[Jar, ...], repository: Path) -> list[Path]:
        # Two that fetch at once meet here; one that is alone goes on.
        with suppress(BrokenBarrierError):
            both.wait(0.3)
        return shop(wanted, repository)

    threads = [Thread(target=lambda: folders.append(ensure_jars(LOCK, download=slow))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 == shop.asked_count
    assert folders[0] == folders[1]


def test_ensure_jars_without_jgo_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who did not install the extra is told its name."""
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(BrokerUnavailable, match=re.escape("jgo, which fetches Kafka's jars, is not installed")) as met:
        ensure_jars(LOCK)
    assert "pip install 'pennon[testing]'" in str(met.value)


def test_ensure_jars_without_a_place_says_which_setting_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder that cannot be made is a clear error, not a bare OSError."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("PENNON_CACHE", str(tmp_path / "file"))
    with pytest.raises(BrokerUnavailable, match="name another folder: PENNON_CACHE"):
        ensure_jars(LOCK, download=Shop())


def test_cache_folder_is_the_users_own_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without settings it is ~/.cache/pennon; XDG_CACHE_HOME moves it."""
    monkeypatch.delenv("PENNON_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert Path("/home/ada/.cache/pennon") == jars.cache_folder()
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ada")
    assert Path("/var/cache/ada/pennon") == jars.cache_folder()


def test_lock_names_every_jar_once_with_its_digest() -> None:
    """The committed lock holds names, versions and digests, no two jars of one name, and no index address."""
    lock = read_lock()
    assert "4.1.1" == lock.version
    assert len(lock.jars) == len({jar.file_name for jar in lock.jars}) > 40
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) and jar.size_bytes > 0 for jar in lock.jars)
    assert "://" not in Path(jars.__file__).with_name("kafka.lock.toml").read_text()
