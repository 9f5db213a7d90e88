"""The commands with no other extra than their own: what a contract needs works, anything else says how to get it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
ABSENT = '''aiohttp aiokafka aiosqlite alembic asyncpg confluent_kafka cryptography fastapi flask google jwt openfeature
    opentelemetry prometheus_client purgatory pydantic pytest requests sqlalchemy stamina starlette structlog urllib3
    uvicorn uvloop'''.split()
class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Wall())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in ABSENT else found(name, package)
from pennon.cli import main
sys.argv[0] = "pennon"
main()
"""
CONTRACT = """
name = "orders"
version = "1"
owner = "platform-team"
std = ["x-tenant-id", "x-actor-id", "x-actor-type", "x-on-behalf-of"]

[deadline]
accept = ["x-request-deadline"]
cap_s = 30

[[downstreams]]
name = "payments"
host = "payments.internal"
tenant = true
audience = "payments"
deadline = "x-request-timeout-ms"
retries = {}
breaker = {}

[[downstreams]]
name = "feed"
topic = "feed.posts"
"""


def run(folder: Path, *words: str, encoding: str = "utf-8") -> tuple[int, str]:
    """The command in an interpreter of its own, in which no other extra is installed: exit code and all it printed."""
    (folder / "contract.toml").write_text(CONTRACT)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, *words],
        check=False, cwd=folder, env=os.environ | {"PYTHONIOENCODING": encoding},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding=encoding, timeout=60,
    )  # fmt: skip
    return done.returncode, done.stdout


@pytest.mark.req(116)
def test_doctor_says_which_clients_are_not_there(tmp_path: Path) -> None:
    """It tries those that are, and loses nothing for want of a library."""
    code, shown = run(tmp_path, "doctor", "propagation", "contract.toml")

    assert 0 == code, shown
    assert "not installed, so not tried: requests, urllib3, aiohttp" in " ".join(shown.split())
    assert "nothing is lost" in shown


@pytest.mark.parametrize("form", ["md", "openapi", "asyncapi"])
def test_documents_need_nothing_else(form: str, tmp_path: Path) -> None:
    """Neither a server nor Kafka."""
    code, shown = run(tmp_path, "contract", "doc", "contract.toml", "--format", form)

    assert (0, True) == (code, "feed.posts" in shown or form == "openapi"), shown


def test_check_needs_nothing_else(tmp_path: Path) -> None:
    """All 14 questions are answered; two by no, because nothing was shown."""
    code, shown = run(tmp_path, "contract", "check", "contract.toml")

    assert (1, True) == (code, "2 of 14 answers are no, 0 findings" in shown), shown


def test_check_is_printed_where_its_marks_cannot_be(tmp_path: Path) -> None:
    """A pipe on Windows, a log in ASCII: the answers count."""
    code, shown = run(tmp_path, "contract", "check", "contract.toml", encoding="ascii")

    assert (1, True) == (code, "2 of 14 answers are no, 0 findings" in shown), shown


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (("serve",), "server"),
        (("restore", "contract.toml"), "server"),
        (("restore", "--in-place"), "server"),
        (("journeys", "--without-flags"), "journeys"),
    ],
)
def test_command_that_needs_another_extra_names_it(words: tuple[str, ...], extra: str, tmp_path: Path) -> None:
    """In one line, never by a traceback."""
    code, shown = run(tmp_path, *words)

    assert (1, 1) == (code, len(shown.splitlines())), shown
    assert shown.endswith(f" is missing; this command needs it: pip install 'pennon[{extra}]'\n")
