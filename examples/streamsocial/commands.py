"""Types `pennon` commands, as people do."""

import subprocess
import sys

TIMEOUT_S = 60


def pennon(*words: str) -> str:
    """What a command prints. Raises: RuntimeError with what it said, if it refused."""
    run = [sys.executable, "-m", "pennon", *words]
    done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    if done.returncode:
        raise RuntimeError(f"pennon {' '.join(words)}: {done.stderr}")
    return done.stdout.strip()
