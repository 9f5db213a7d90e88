"""The command line, and the only composition root: here real clocks, stores and servers are wired to the rooms below.

Commands live in a file each. They speak to a control plane over its public API (`api.py`) and never reach into a
database; what evaluates here is the SDK itself, so that `pennon eval` answers what a service would answer.
"""

from pennon.cli.main import main

__all__ = ["main"]
