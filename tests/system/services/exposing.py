"""A service that exposes a new user with every call and says so, in three threads.

`python exposing.py SPOOL`: PENNON_SERVER and PENNON_TOKEN say whom it follows. It is told `expose` and `fork`; the end
of what it is told is its end.
"""

import json
import os
import sys
import threading

import pennon

FLAG = "checkout"
THREADS = 3

flags = pennon.connect(spool=sys.argv[1])


def say(**what: object) -> None:
    """One write a line, so that none is half another's."""
    os.write(1, (json.dumps({"pid": os.getpid(), **what}) + "\n").encode())


def expose(name: str, ended: threading.Event) -> None:
    """Some 1,000 a second, until it ends."""
    number = 0
    while not ended.wait(0.003):
        unit = f"{os.getpid()}-{name}-{number}"
        flags.is_on(FLAG, unit=unit)
        say(exposed=unit)
        number += 1


def main() -> None:
    """Until nobody speaks to it any more."""
    assert flags.wait_ready(60)
    say(ready=True)
    ended = threading.Event()
    threads: list[threading.Thread] = []
    for command in sys.stdin:
        if command == "fork\n" and os.fork() == 0:
            # It exposes one user, and lives on: it must not hold what is its parent's.
            unit = f"{os.getpid()}-child"
            flags.is_on(FLAG, unit=unit)
            say(exposed=unit, forked=True)
            os.close(1)
            sys.stdin.read()
            os._exit(0)
        if command == "expose\n":
            threads = [threading.Thread(target=expose, args=(str(at), ended)) for at in range(THREADS)]
            for thread in threads:
                thread.start()
    ended.set()
    for thread in threads:
        thread.join()
    flags.close()
    say(closed=True)


if __name__ == "__main__":
    main()
