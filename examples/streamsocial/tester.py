"""A tester who sees one arm of the ranking experiment, whatever the split says: by a signed token, made by the CLI."""

import os
from pathlib import Path
from typing import NamedTuple

from streamsocial.commands import pennon
from streamsocial.sessions import TESTER

FLAG = "ranking-experiment"
VARIANT = "blend"


class Tester(NamedTuple):
    """token: what `Pennon-Override` holds in the tester's requests. headers: a file with these requests' headers."""

    token: str
    headers: Path

    def curl(self, gateway: str) -> str:
        """A feed as the tester sees it, on one line that shows the token."""
        session = f"Authorization: Bearer session-{TESTER}"
        return f"curl -H '{session}' -H 'Pennon-Override: {self.token}' http://{gateway}/feed"

    def short_curl(self, gateway: str) -> str:
        """The same on a line that fits a terminal."""
        return f"curl -H @{self.headers} http://{gateway}/feed"


def let_in(folder: Path) -> Tester:
    """Make a key pair in this folder and sign a token with it. Raises: RuntimeError with what `pennon` said."""
    key = folder / "tester.pem"
    pennon("signer", "create", "demo", "--use", "override", "--out", str(key))
    meant = ("--flag", FLAG, "--variant", VARIANT, "--unit", f"user:user-{TESTER}", "--ttl", "7d")
    token = pennon("override", "create", *meant, "--key", str(key), "--reason", "the demo's tester")
    headers = folder / "tester.headers"
    with os.fdopen(os.open(headers, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"Authorization: Bearer session-{TESTER}\nPennon-Override: {token}\n")
    return Tester(token, headers)
