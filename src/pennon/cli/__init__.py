"""The command line, and the only composition root: here real clocks, stores and servers are wired to the rooms below.

Commands live in a file each. They speak to a control plane over its public API (`api.py`); only `serve` and `restore`
open a database. What evaluates here is the SDK itself, so that `pennon eval` answers what a service would answer.
"""

import sys


def main() -> None:
    """Run the command line and end the process with its exit code."""
    try:
        from pennon.cli.main import run
    except ModuleNotFoundError as missing:
        # The script comes with every install, what it needs does not.
        sys.exit(f"pennon: the commands need {missing.name!r}: pip install 'pennon[cli]', or 'pennon[server]' to serve")
    run()


__all__ = ["main"]
