"""Writes wire.json, fingerprint.json and exposure.json: `python -m tests.conformance.vectors.carry.write_wire`."""

import json
from pathlib import Path
from typing import Any

from tests.conformance.vectors.carry.cases_read import CASES
from tests.conformance.vectors.carry.cases_write import EXPOSURES, FINGERPRINTS, WRITTEN


def rows(cases: list[dict[str, Any]]) -> str:
    """A JSON array with a case to a line, so that a change reads as one."""
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"


def documents() -> dict[str, str]:
    """The files' contents, by name."""
    return {
        "wire.json": f'{{"read": {rows(CASES)},\n"write": {rows(WRITTEN)}}}\n',
        "fingerprint.json": rows(FINGERPRINTS) + "\n",
        "exposure.json": rows(EXPOSURES) + "\n",
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (Path(__file__).parent / name).write_text(text, encoding="ascii")
