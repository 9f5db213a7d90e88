"""What the model test has found about two kills that raise a flag's floor to the same revision."""

from pennon.carry import decide
from pennon.context import Decision, Environment, Ledger, Reason
from pennon.flags import (
    FlagRecord,
    FlagType,
    PrerequisiteRecord,
    Ruleset,
    RulesetRecord,
    ServeRecord,
    VariantRecord,
)
from pennon.sync import EMPTY, BreakGlass, receive

ENVIRONMENT = Environment(7, "production", "salt")
VARIANTS = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))


def _flag(key: str, flag_id: int, *prerequisites: PrerequisiteRecord) -> FlagRecord:
    return FlagRecord(
        key,
        flag_id,
        FlagType.BOOLEAN,
        VARIANTS,
        "off",
        ServeRecord("on"),
        revision=1,
        prerequisites=prerequisites,
    )


def _asked(ruleset: Ruleset | None, ledger: Ledger) -> Decision:
    assert ruleset is not None
    flag = ruleset.flag("without-gate")
    assert flag is not None
    held = ledger.made.get((flag.scope.key, "u"))
    return held or decide(flag, ruleset, ledger, "u", {}, {}, 0, lambda _: None)


def test_kill_by_hand_is_obeyed_where_another_has_raised_the_floor_before() -> None:
    """Kills by hand stand one above the replica's revision, all of them: the floor alone does not tell them apart."""
    wanted = PrerequisiteRecord("gate", ("off",))
    flags = {"gate": _flag("gate", 1), "without-gate": _flag("without-gate", 2, wanted)}
    replica, _ = receive(EMPTY, RulesetRecord(ENVIRONMENT, 1, 5, flags=flags))
    ledger = Ledger()

    replica, _ = receive(replica, BreakGlass(7, 1, "first", 100))
    assert "on" == _asked(replica.ruleset, ledger).answer.variant

    replica, _ = receive(replica, BreakGlass(7, 2, "second", 100))
    killed = _asked(replica.ruleset, ledger).answer
    assert ("off", Reason.KILLED) == (killed.variant, killed.reason)
