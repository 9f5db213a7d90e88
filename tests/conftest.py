"""Rules for the whole suite."""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import HealthCheck, settings

from pennon import ambient, carry
from pennon.context import Decision, Environment
from pennon.flags import (
    FlagRecord,
    FlagType,
    Ruleset,
    RulesetRecord,
    ServeRecord,
    SplitRecord,
    VariantRecord,
    ranges_of,
)

# How long tests wait for what happens in another thread or process: no measure of anything, only the end of a hang.
# Within the 120 s that a test has, and above any time that a busy machine stands still.
PATIENCE_S: Final = 60.0

# httpx waits 5 s for an answer unless it is told otherwise; tests whose subject is a timeout tell it.
for _limit in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, _limit, PATIENCE_S)

# How long an example takes, or is made, says how busy the machine is. A run says the same of the same code each time:
# the examples follow from the test; `--hypothesis-profile=new` looks for others.
settings.register_profile("new", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("steady", settings.get_profile("new"), derandomize=True, database=None)
settings.load_profile("steady")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that a missing service left out: in CI there may be none."""
    if os.environ.get("CI") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("CI: nothing may be skipped", red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run that skipped anything."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


class Replica:
    """What one service knows of the flag `checkout`, a split in which all get one variant; it asks as a client does.

    revision: of the flag and the ruleset. more: of the flag. notes: what the asks were to count.
    """

    def __init__(self, variant: str, *, revision: int = 41, **more: Any) -> None:
        variants = (VariantRecord("off", 1, value=False), VariantRecord("on", 2, value=True))
        serve = ServeRecord(split=SplitRecord("m3-cbor", "salt", 1, ranges_of(((variant, 100_000),), 100_000), "off"))
        given = {"carry": True, "revision": revision, **more}
        record = FlagRecord("checkout", 10, FlagType.BOOLEAN, variants, "off", serve, **given)
        environment = Environment(0x1122334455, "production", "pepper")
        self.ruleset = Ruleset.of(RulesetRecord(environment, 9, revision, flags={"checkout": record}))
        flag = self.ruleset.flag("checkout")
        assert flag is not None
        self.flag = flag
        self.notes: list[carry.Note] = []

    def decide(self, unit_key: str = "7", *, after_min: int = 0) -> Decision:
        """The decision in the request served here. after_min: how much later than now it is."""
        context = ambient.current()
        assert context is not None, "no request context here"
        now_ns = time.time_ns() + after_min * 60_000_000_000
        ledger, units = context.ledger, {"user": unit_key}
        return carry.decide(self.flag, self.ruleset, ledger, unit_key, {}, units, now_ns, self.notes.append)

    def ask(self, unit_key: str = "7") -> tuple[str | None, str]:
        """The variant, and whether it was decided here: SPLIT or CARRIED."""
        answer = self.decide(unit_key).answer
        return answer.variant, answer.reason.value


@pytest.fixture
def replica() -> type[Replica]:
    """Makes services' replicas of one flag, which need not agree."""
    return Replica


@contextmanager
def _serving(app: Any) -> Iterator[str]:
    # Imported here: most tests need no server, and pay for none.
    import uvicorn

    from pennon.web.protocol import Protocol, Server

    started = threading.Event()
    config = uvicorn.Config(app, http=Protocol, ws="none", log_config=None, timeout_graceful_shutdown=3)
    server = Server(config, on_started=started.set, on_drain=app.drain)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        try:
            assert started.wait(PATIENCE_S), "the server did not start"
            yield "http://{}:{}".format(*listener.getsockname())
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)
    assert not thread.is_alive()


@pytest.fixture(scope="session")
def serving() -> Callable[[Any], AbstractContextManager[str]]:
    """Serves an app that has a `drain`, as the real thing is served, for as long as a block lasts: its base URL."""
    return _serving


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], object]], None]:
    """Waits until something holds, and fails if it never does."""

    def wait(condition: Callable[[], object]) -> None:
        tick = threading.Event()
        for _ in range(int(PATIENCE_S / 0.005)):
            if condition():
                return
            tick.wait(0.005)
        raise AssertionError(f"never held: {condition}")

    return wait
