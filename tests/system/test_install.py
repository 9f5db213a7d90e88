"""What users install: the package alone, without any extra."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.system, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FIVE_LINES = """
import sys, threading
import pennon

flags = pennon.connect(sys.argv[1], token=sys.argv[2])
assert flags.wait_ready(60)
tick = threading.Event()
for expected in (False, True):
    print(expected, flush=True)
    for _ in range(500):
        if flags.is_on("new-checkout", unit="user-7", attributes={"plan": "pro"}, default=not expected) is expected:
            break
        tick.wait(0.01)
    else:
        sys.exit(f"never {expected}")
flags.close()
loaded = {"click", "fastapi", "sqlalchemy", "pydantic", "confluent_kafka", "opentelemetry"} & set(sys.modules)
sys.exit(f"loaded {loaded}" if loaded else 0)
"""


@pytest.fixture(scope="module")
def installed(tools: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment with `pip install .`."""
    python: Path = tools.virtual_environment(tmp_path_factory.mktemp("installed") / "venv", str(ROOT))
    return python


@pytest.mark.timeout(420)
def test_five_lines_follow_the_server_live(installed: Path, control_plane: Any) -> None:
    """A plain install evaluates in its own process, and sees a change while it runs."""
    control_plane.create(
        "new-checkout", type="boolean", variants=[{"key": "on", "value": True}, {"key": "off", "value": False}]
    )
    command = [str(installed), "-I", "-c", FIVE_LINES, control_plane.url, control_plane.sdk_token]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as user:
        assert user.stdout is not None
        assert "False\n" == user.stdout.readline()
        assert "True\n" == user.stdout.readline()
        control_plane.ramp("new-checkout", 100_000)
        _, said = user.communicate(timeout=30)

    assert 0 == user.returncode, said


def test_command_of_a_plain_install_says_what_it_needs(installed: Path) -> None:
    """The script is there with every install; without its extra it names the extra."""
    done = subprocess.run(
        [str(installed.with_name("pennon")), "flags", "list"], capture_output=True, text=True, timeout=60, check=False
    )

    assert 1 == done.returncode
    assert "pip install 'pennon[cli]'" in done.stderr
