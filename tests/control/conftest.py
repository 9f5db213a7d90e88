"""What the tests of authoring share: an author at one environment, and the vectors."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pennon.control import SettingsDocument, edits
from pennon.control.prerequisites import Neighbour, Neighbours
from pennon.control.states import FlagEdit, Outcome, Place

VECTORS = Path(__file__).parent.parent / "conformance" / "vectors" / "control"
SEGMENTS = {"beta": "user", "firms": "firm"}
# Around "checkout": two flags to ask for, an archived one, two that ask for it, and a row of eight.
NEIGHBOURS: dict[str, Neighbour] = {
    "payments": Neighbour(("on", "off")),
    "ranking": Neighbour(("old", "new")),
    "gone": Neighbour(("on", "off"), is_archived=True),
    "billing": Neighbour(("on", "off"), prerequisites={"checkout": ("on",)}),
    "invoices": Neighbour(("on", "off"), prerequisites={"billing": ("on",)}),
    **{f"deep-{i}": Neighbour(("on",), prerequisites={f"deep-{i + 1}": ("on",)}) for i in range(1, 8)},
    "deep-8": Neighbour(("on",)),
}
FLAG: dict[str, Any] = {
    "key": "checkout",
    "type": "boolean",
    "variants": [{"key": "on", "value": True}, {"key": "off", "value": False}],
}


class Desk:
    """One flag in one environment, edited as a store would: each edit that changes something takes a revision."""

    def __init__(self, flag: object = None, *, seed: int = 1, neighbours: Neighbours | None = None) -> None:
        self.draw = random.Random(seed).getrandbits
        self.neighbours = dict(neighbours or {})
        self.revision = 1
        place = Place("production", 1, SEGMENTS, None)
        self.created: FlagEdit = edits.create_flag(flag or FLAG, [place], taken_ids=(), draw=self.draw)
        self.flag = self.created.flag
        self.outcome = self.created.outcomes[0]

    @property
    def place(self) -> Place:
        """The environment as the next edit finds it."""
        return Place("production", self.revision + 1, SEGMENTS, self.outcome.state, self.neighbours)

    @property
    def settings(self) -> SettingsDocument:
        """What is kept."""
        return self.outcome.state.document

    def patch(self, patch: object) -> Outcome | None:
        """A merge patch of the settings."""
        return self._keep(edits.update_settings(self.flag.document, self.place, patch, draw=self.draw))

    def patch_flag(self, patch: object) -> FlagEdit | None:
        """A merge patch of the flag."""
        made = edits.update_flag(self.flag, patch, [self.place], draw=self.draw)
        if made is not None:
            self.flag = made.flag
            self._keep(made.outcomes[0])
        return made

    def kill(self, *, killed: bool = True) -> Outcome | None:
        """The flag killed, or unkilled."""
        return self._keep(edits.set_kill(self.flag.document, self.place, killed=killed))

    def forget(self) -> Outcome:
        """What is carried of the flag, forgotten."""
        made = edits.forget_carried(self.flag.document, self.place)
        self._keep(made)
        return made

    def _keep(self, outcome: Outcome | None) -> Outcome | None:
        if outcome is not None:
            self.outcome = outcome
            self.revision += 1
        return outcome


def split(coverage: int = 50_000, **members: Any) -> dict[str, Any]:
    """A serve that splits on and off evenly."""
    weights = [{"variant": "on", "weight": 50_000}, {"variant": "off", "weight": 50_000}]
    return {"variant": None, "split": {"weights": weights, "coverage": coverage, **members}}


def rule(rule_id: str, serve: object) -> dict[str, Any]:
    """A rule for people who pay."""
    return {"id": rule_id, "clauses": [{"op": "equals", "attribute": "plan", "value": "pro"}], "serve": serve}


@pytest.fixture(scope="session")
def new_desk() -> Callable[..., Desk]:
    """Makes a desk: a flag just created, or the given one."""
    return Desk


@pytest.fixture
def desk() -> Desk:
    """A boolean flag just created, at revision 1."""
    return Desk()


@pytest.fixture(scope="session")
def split_of() -> Callable[..., dict[str, Any]]:
    """Writes a serve that splits."""
    return split


@pytest.fixture(scope="session")
def rule_of() -> Callable[..., dict[str, Any]]:
    """Writes a rule."""
    return rule


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], list[dict[str, Any]]]:
    """The cases of a vector file."""

    def load(name: str) -> list[dict[str, Any]]:
        cases: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())["cases"]
        return cases

    return load


@pytest.fixture(scope="session")
def faults_of() -> Callable[[str, object], list[str]]:
    """The faults of a case of faults.json, by its kind: what the document is sent to."""

    def flag_patch(document: object) -> None:
        desk = Desk()
        desk.patch({"fallthrough": {"variant": "on"}})
        desk.flag = msgspec.structs.replace(desk.flag, document=desk.flag.document.model_copy(update={"id": 42}))
        desk.patch_flag(document)

    def asked_flag_patch(document: object) -> None:
        Desk(neighbours=NEIGHBOURS).patch_flag(document)

    def archived_flag_patch(document: object) -> None:
        desk = Desk(neighbours=NEIGHBOURS)
        desk.patch({"prerequisites": [{"flag": "payments", "variants": ["on"]}]})
        desk.neighbours = {}
        desk.patch_flag({"archived": True})
        desk.neighbours = {"payments": Neighbour(("on", "off"), is_archived=True)}
        desk.patch_flag(document)

    def archived_settings_patch(document: object) -> None:
        desk = Desk()
        desk.patch_flag({"archived": True})
        desk.patch(document)

    def segment(document: object) -> None:
        edits.put_segment("beta", document, None, revision=1, draw=random.Random(1).getrandbits)

    send: dict[str, Callable[[object], object]] = {
        "flag": lambda document: edits.create_flag(document, [], taken_ids=(), draw=random.Random(1).getrandbits),
        "flag_patch": flag_patch,
        "asked_flag_patch": asked_flag_patch,
        "archived_flag_patch": archived_flag_patch,
        "settings_patch": lambda document: Desk(neighbours=NEIGHBOURS).patch(document),
        "archived_settings_patch": archived_settings_patch,
        "segment": segment,
    }

    def faults(kind: str, document: object) -> list[str]:
        from pennon.errors import DocumentInvalid

        with pytest.raises(DocumentInvalid) as raised:
            send[kind](document)
        return [str(fault) for fault in raised.value.faults]

    return faults
