"""Runs a broker's commands and outlives its owner: `python -I -S _supervisor.py FOLDER COMMANDS`, the latter in JSON.

The owner holds the other end of this process's standard input. When that ends, because the owner closed it or was
killed (SIGKILL included: the kernel closes it), the broker is ended and its folder removed. This needs no more than a
pipe, so it holds on every POSIX system; Linux's PR_SET_PDEATHSIG would bind the broker to the owner's *thread*. A
child that the owner forked without exec keeps the pipe, and so the broker, until it ends too.

Imports the standard library alone, and little of it: it runs beside every broker.
"""

import json
import os
import select
import shutil
import signal
import subprocess
import sys

# SIGTERM takes Kafka about 0.5 s when idle, 2.3 s with clients. Higher: an owner's clean-up looks hung.
GRACE_S = 10.0
POLL_S = 0.1

_told_to_end: list[int] = []


def main() -> int:
    """Run each command in turn until one fails or the owner ends; the last one's exit code."""
    folder, commands = sys.argv[1], json.loads(sys.argv[2])
    # What a terminal sends to the whole group goes to the owner, who ends this in order.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: _told_to_end.append(number))
    code = 0
    try:
        for command in commands:
            code = run(command, folder)
            if code or _told_to_end:
                break
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def run(command: list[str], folder: str) -> int:
    """The command's exit code, once it has ended or been ended."""
    child = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL)  # noqa: S603  # the owner's own words
    while (code := child.poll()) is None:
        if owner_is_gone():
            _told_to_end.append(0)
        if _told_to_end:
            return end(child)
    return code


def owner_is_gone() -> bool:
    """Whether the pipe has been closed; looks for POLL_S seconds."""
    readable, _, _ = select.select([0], [], [], POLL_S)
    return bool(readable) and not os.read(0, 1)


def end(child: "subprocess.Popen[bytes]") -> int:
    """Ask it to end, then make it."""
    child.terminate()
    try:
        return child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())
