"""What the tests of the store share: a store in a file, a clock and randomness that tests hold."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from pennon.carry import decide, entries_leaving
from pennon.context import Decision, Entry, Ledger, Reason
from pennon.control import Author, EnvironmentRow, Store
from pennon.flags import Ruleset, RulesetRecord
from pennon.store import open_store

BY = Author("anna", "because")
# 2026-11-21T13:00:00Z.
START_NS = 1_795_266_000_000_000_000


class HeldClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.at_ns = START_NS

    def now_ns(self) -> int:
        """The wall clock."""
        return self.at_ns

    def monotonic_ns(self) -> int:
        """The same; nothing here measures intervals."""
        return self.at_ns


class Books:
    """A store with the project "shop" and short ways to edit it."""

    def __init__(self, store: Store, clock: HeldClock) -> None:
        self.store = store
        self.clock = clock
        self.production, self.staging = store.create_project("shop", environments=["production", "staging"])

    @property
    def id(self) -> int:
        """Of production."""
        return self.production.environment.id

    def at(self) -> EnvironmentRow:
        """Production as it stands."""
        return self.store.environment_by_id(self.id)

    def create(self, key: str = "checkout", **members: Any) -> Any:
        """A boolean flag."""
        variants = [{"key": "on", "value": True}, {"key": "off", "value": False}]
        document = {"key": key, "type": "boolean", "variants": variants} | members
        return self.store.create_flag("shop", document, by=BY)

    def patch(self, patch: object, flag: str = "checkout", environment: str = "production") -> Any:
        """A patch of settings by an author who has just read them."""
        version = self.store.settings("shop", environment, flag).revision
        return self.store.update_settings("shop", environment, flag, patch, if_match=version, by=BY)

    def patch_flag(self, patch: object, flag: str = "checkout") -> Any:
        """A patch of a flag by an author who has just read it."""
        version = self.store.flag("shop", flag).version
        return self.store.update_flag("shop", flag, patch, if_match=version, by=BY)

    def kill(self, flag: str = "checkout", environment: str | None = "production") -> Any:
        """The flag killed."""
        return self.store.kill("shop", flag, environment=environment, by=BY)

    def unkill(self, flag: str = "checkout", environment: str | None = "production") -> Any:
        """The flag unkilled."""
        return self.store.unkill("shop", flag, environment=environment, by=BY)

    def forget(self, flag: str = "checkout", environment: str = "production") -> Any:
        """What is carried of the flag, forgotten by an author who has just read its settings."""
        version = self.store.settings("shop", environment, flag).revision
        return self.store.forget_carried("shop", environment, flag, if_match=version, by=BY)

    def log(self, after: int = 0) -> Any:
        """Production's changes after a revision."""
        return self.store.changes_since(self.id, epoch=self.production.epoch, revision=after, limit=10_000)


class Carrying:
    """What a service would write into a request's baggage, and what another one would make of it later."""

    def entries(self, record: RulesetRecord, flag: str = "checkout") -> list[Entry]:
        """What leaves after the flag was asked for unit 7."""
        ledger = Ledger()
        self._asked(record, ledger, flag)
        return entries_leaving(ledger)

    def asked(self, record: RulesetRecord, entries: list[Entry], flag: str = "checkout") -> tuple[str | None, bool]:
        """The variant that unit 7 gets where these entries have arrived, and whether it was carried."""
        ledger = Ledger()
        for entry in entries:
            ledger.arrived[entry.environment, entry.flag_id] = (entry,)
        answer = self._asked(record, ledger, flag).answer
        return answer.variant, answer.reason is Reason.CARRIED

    def _asked(self, record: RulesetRecord, ledger: Ledger, flag: str) -> Decision:
        ruleset = Ruleset.of(record)
        asked = ruleset.flag(flag)
        assert asked is not None
        return decide(asked, ruleset, ledger, "7", {}, {"user": "7"}, START_NS, lambda _: None)


@pytest.fixture(scope="session")
def carrying() -> Carrying:
    """Carries decisions from one ruleset to another."""
    return Carrying()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "folder" / "pennon.db"


@pytest.fixture
def new_books(tmp_path: Path) -> Iterator[Callable[[], Books]]:
    """Makes books in a file of their own: for properties, which need new ones at every example."""
    with ExitStack() as stack:
        count = 0

        def make() -> Books:
            nonlocal count
            count += 1
            clock = HeldClock()
            url = f"sqlite:///{tmp_path / f'{count}.db'}"
            store = open_store(url, clock=clock, draw=random.Random(count).getrandbits)
            stack.enter_context(closing(store))
            return Books(store, clock)

        yield make


@pytest.fixture
def books(path: Path) -> Iterator[Books]:
    """A store in a file, with a project."""
    clock = HeldClock()
    with closing(open_store(f"sqlite:///{path}", clock=clock, draw=random.Random(7).getrandbits)) as store:
        yield Books(store, clock)


@pytest.fixture
def by() -> Author:
    """Who edits."""
    return BY
