"""The reference page says what there is."""

import re
from pathlib import Path

import msgspec
import pytest

import pennon
from pennon.carry import Divergence, OverrideRefusal
from pennon.client import Change, Evaluation, Exposure, Notice, Timing, UnitFlags
from pennon.client.fetching import Trouble
from pennon.client.overrides import TokenFault
from pennon.client.reports import Report
from pennon.client.spool import Unspooled
from pennon.client.waiting import Lost
from pennon.signing import SigningFault
from pennon.testing import FixedFlag

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "client.md").read_text(encoding="utf-8")
CODE = {word for code in re.findall(r"`([^`\n]+)`", PAGE) for word in re.findall(r"\w+", code)}
NAMES = {
    "methods": [name for name in dir(pennon.Client) if not name.startswith("_")],
    "status": list(pennon.Status.__members__),
    "errors": list(pennon.ErrorCode.__members__),
    "changes": list(Change.__members__),
    "troubles": [trouble.value for trouble in Trouble],
    "losses": [lost.value for lost in Lost],
    "what is not on the disk": [cause.value for cause in Unspooled],
    "refusals of tokens": [cause.value for kind in (SigningFault, OverrideRefusal, TokenFault) for cause in kind],
    "divergence": [cause.value for cause in Divergence],
    "reports": [report.value for report in Report],
    "calls for one unit": [name for name in dir(UnitFlags) if not name.startswith("_")],
    "fixed flags": list(FixedFlag.__struct_fields__),
    "timing": list(Timing.__struct_fields__),
    "exposure": list(Exposure.__struct_fields__),
    "notice": list(Notice.__struct_fields__),
    "evaluation": [name for name in Evaluation.__struct_fields__ if name != "asked"],
}


@pytest.mark.parametrize("kind", NAMES)
def test_page_names_everything(kind: str) -> None:
    """A name that is not on the page is not public."""
    headings = {word for line in PAGE.splitlines() if line.startswith("#") for word in re.findall(r"\w+", line)}
    assert not set(NAMES[kind]) - CODE - headings


def test_page_has_the_defaults() -> None:
    """Each of them, as it is."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| ([\d., ]+) \|", PAGE, re.MULTILINE)
    written = {
        name: float(value)
        for names, values in rows
        for name, value in zip(re.findall(r"\w+", names), values.split(","), strict=True)
    }
    assert msgspec.structs.asdict(Timing()) == written
