"""Salts and phases of splits: what an author may leave out, and what may be sent back only as it was read."""

from collections.abc import Iterator
from typing import Any, Final

from pennon.control.documents import Serve, SettingsDocument, SettingsDraft
from pennon.control.phases import FALLTHROUGH, splits_of
from pennon.control.reading import Place, found, pointer
from pennon.control.states import Draw
from pennon.errors import Fault

# 64 bits: no two splits of a fleet share a salt by chance, and it stays short in every ruleset.
_SALT_BITS: Final = 64


def new_salt(draw: Draw) -> str:
    """A salt that no other split has: 16 hex digits."""
    return f"{draw(_SALT_BITS):016x}"


def with_known_salts(settings: object, held: SettingsDocument) -> object:
    """The settings in which a rule's split that names no salt or algo keeps those of the rule of the same id.

    A merge patch replaces the list of rules whole; without this, leaving out a salt would decide every unit anew. A
    salt of null asks for that: it is drawn. In the fallthrough the merge itself has kept what was left out.
    """
    if not isinstance(settings, dict) or not isinstance(settings.get("rules"), list):
        return settings
    known = {place: split for place, split in splits_of(held) if place != FALLTHROUGH}

    def kept(rule: object) -> object:
        split = _split_of(rule)
        earlier = known.get(rule["id"]) if isinstance(rule, dict) and isinstance(rule.get("id"), str) else None
        if split is None or earlier is None or not isinstance(rule, dict):
            return rule
        return rule | {"serve": rule["serve"] | {"split": {"salt": earlier.salt, "algo": earlier.algo} | split}}

    return settings | {"rules": [kept(rule) for rule in settings["rules"]]}


def given_salts(draft: SettingsDraft, draw: Draw) -> SettingsDraft:
    """The settings in which every split has a salt."""
    rules = [rule.model_copy(update={"serve": _salted(rule.serve, draw)}) for rule in draft.rules]
    return draft.model_copy(update={"rules": rules, "fallthrough": _salted(draft.fallthrough, draw)})


def phase_faults(settings: object, held: SettingsDocument) -> Iterator[Fault]:
    """A fault for each phase that is not what the server has set."""
    phases = {place: split.phase for place, split in splits_of(held)}
    for place, key, serve in _serves(settings):
        split = _split_of({"serve": serve})
        phase = None if split is None else split.get("phase")
        if phase is None or (phase == phases.get(key) and not isinstance(phase, bool)):
            continue
        allowed = "left out" if phases.get(key) is None else f"{phases[key]} or left out"
        message = f"{found(phase)} found, must be {allowed}: the server sets it"
        yield Fault(pointer((*place, "split", "phase")), message)


def _serves(settings: object) -> Iterator[tuple[Place, str, object]]:
    """Where each serve stands, the key of its place as `phases` has it, and the serve."""
    if not isinstance(settings, dict):
        return
    rules = settings.get("rules")
    for i, rule in enumerate(rules if isinstance(rules, list) else []):
        if isinstance(rule, dict) and isinstance(rule.get("id"), str):
            yield ("rules", i, "serve"), rule["id"], rule.get("serve")
    yield ("fallthrough",), FALLTHROUGH, settings.get("fallthrough")


def _split_of(rule: object) -> dict[str, Any] | None:
    serve = rule.get("serve") if isinstance(rule, dict) else None
    split = serve.get("split") if isinstance(serve, dict) else None
    return split if isinstance(split, dict) else None


def _salted(serve: Serve, draw: Draw) -> Serve:
    if serve.split is None or serve.split.salt is not None:
        return serve
    return serve.model_copy(update={"split": serve.split.model_copy(update={"salt": new_salt(draw)})})
