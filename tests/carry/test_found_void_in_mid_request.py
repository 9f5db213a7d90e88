"""What the model test has found about decisions that become void in mid-request."""

from pennon.carry import Note, decide
from pennon.context import Environment, Ledger
from pennon.flags import FlagRecord, FlagType, Ruleset, RulesetRecord, ServeRecord, VariantRecord

ENVIRONMENT = Environment(7, "production", "salt")
VARIANTS = (VariantRecord("on", 1, value=True), VariantRecord("off", 2, value=False))


def _ruleset(epoch: int, revision: int, *, floor: int) -> Ruleset:
    flag = FlagRecord(
        "checkout", 1, FlagType.BOOLEAN, VARIANTS, "off", ServeRecord("on"), revision=revision, void_before=floor
    )
    return Ruleset.of(RulesetRecord(ENVIRONMENT, epoch, revision, flags={"checkout": flag}))


def test_noted_cause_is_that_of_what_was_told_last() -> None:
    """A request that has seen a new epoch, and then a raised floor, departs from its last decision for the floor."""
    ledger, noted = Ledger(), []
    for ruleset in (_ruleset(1, 5, floor=0), _ruleset(2, 6, floor=0), _ruleset(2, 7, floor=7)):
        flag = ruleset.flag("checkout")
        assert flag is not None
        notes: list[Note] = []
        decide(flag, ruleset, ledger, "u", {}, {}, 0, notes.append)
        noted.append(notes)

    assert [[], [Note.OTHER_EPOCH], [Note.VOID]] == noted
