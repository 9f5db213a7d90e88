"""Writes the vectors of carrying: `python -m tests.conformance.vectors.carry.write_all`."""

import json
from pathlib import Path
from typing import Any

from tests.conformance.vectors.carry.cases_baggage import BAGGAGE
from tests.conformance.vectors.carry.cases_changes import CHANGES
from tests.conformance.vectors.carry.cases_digests import EXPOSURES, FINGERPRINTS, USES
from tests.conformance.vectors.carry.cases_hostile import HOSTILE
from tests.conformance.vectors.carry.cases_judge import DEFAULTS, JUDGED
from tests.conformance.vectors.carry.cases_overrides import OVERRIDES
from tests.conformance.vectors.carry.cases_prerequisites import PREREQUISITES
from tests.conformance.vectors.carry.cases_read import CASES
from tests.conformance.vectors.carry.cases_returns import RETURNS
from tests.conformance.vectors.carry.cases_tokens import CLAIMS, REFUSALS, RULESET
from tests.conformance.vectors.carry.cases_write import WRITTEN

ABOUT_JUDGE = (
    "One ask of one flag. Entries, rulesets and flags are given as what differs from the defaults; `unit` and "
    "`unit_kind` of an entry stand for its fingerprint. `arrived_value` is the member that came, `leaves_value` the "
    "one that a downstream gets afterwards."
)

ABOUT_REQUEST = (
    "One request from its beginning to its end. `ruleset` is the replica's at first, `kills` the overlay by flag id. "
    "Steps: a flag is asked, the ruleset changes, a response with these Pennon-Decided headers comes back. "
    "`is_public`: a token was shown at this boundary, and an ask's `override` is the variant that it sets, if it is "
    "believed then. `notes`: what a step counts, each once. At the end, `leaves_value` is the member that a call gets, "
    "`returns_value` the response's Pennon-Decided."
)


def rows(cases: list[dict[str, Any]]) -> str:
    """A JSON array with a case to a line, so that a change reads as one."""
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]"


def file_of(**parts: Any) -> str:
    """A JSON object of such arrays, and of what goes before them."""
    texts = (f'"{name}": {rows(part) if isinstance(part, list) else json.dumps(part)}' for name, part in parts.items())
    return "{" + ",\n".join(texts) + "}\n"


def documents() -> dict[str, str]:
    """The files' contents, by name."""
    return {
        "wire.json": file_of(read=CASES + HOSTILE, write=WRITTEN),
        "baggage.json": file_of(cases=BAGGAGE),
        "judge.json": file_of(about=ABOUT_JUDGE, defaults=DEFAULTS, cases=JUDGED),
        "override.json": file_of(ruleset=RULESET, claims=CLAIMS, refusals=REFUSALS),
        "request.json": file_of(
            about=ABOUT_REQUEST,
            prerequisites=PREREQUISITES,
            overrides=OVERRIDES,
            changes=CHANGES,
            returns=RETURNS,
        ),
        "fingerprint.json": file_of(cases=FINGERPRINTS),
        "exposure.json": file_of(ids=EXPOSURES, uses=USES),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (Path(__file__).parent / name).write_text(text, encoding="ascii")
