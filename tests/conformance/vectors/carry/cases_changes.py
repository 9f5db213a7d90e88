"""The cases of request.json about rulesets that change in mid-request, and about what several asks leave."""

from tests.conformance.vectors.carry.cases_judge import ALL_ON, a
from tests.conformance.vectors.carry.request import NEEDED, ON, ask, base, flag, now, request, ruleset

CHANGES = [
    request(
        "first-stands",
        "The flag changes, the first decision stands.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(**ON, revision=61), revision=61)),
        ask(),
    ),
    request(
        "killed-in-mid-request",
        "Its replica has seen a kill: the next use obeys.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(killed=True, void_before=61, revision=61), revision=61)),
        ask(),
    ),
    request(
        "killed-and-unkilled",
        "Nothing of before is revived.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(killed=True, void_before=61, revision=61), revision=61)),
        ask(),
        now(ruleset(flag(**ON, void_before=62, revision=62), revision=62)),
        ask(),
        arrived=(a(variant_id=2),),
    ),
    request(
        "overlay-then-ruleset",
        "The overlay's kill and the ruleset's are one.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(), kills={"77": 61})),
        ask(),
        now(ruleset(flag(killed=True, void_before=61, revision=61), revision=61)),
        ask(),
    ),
    request(
        "new-phase-in-mid-request",
        "A new phase decides anew.",
        ruleset(flag(**ALL_ON)),
        ask(),
        now(ruleset(flag(void_before=61, revision=61), revision=61)),
        ask(),
    ),
    request(
        "new-epoch-in-mid-request",
        "A new numbering decides anew, and the latest leaves.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(**ON, revision=2), epoch=6, revision=3)),
        ask(),
    ),
    request(
        "stops-carrying",
        "Whether a flag carries is asked when a decision is made.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(carry=False, revision=61), revision=61)),
        ask(),
    ),
    request(
        "two-units",
        "Each unit has its own first decision.",
        ruleset(flag()),
        ask(),
        now(ruleset(flag(**ON, revision=61), revision=61)),
        ask(unit="8"),
        ask(),
    ),
    request("two-flags", "Each flag has its own.", ruleset(flag(), flag(**NEEDED)), ask(), ask("base"), ask()),
    request(
        "nobody",
        "A decision without a unit holds here and does not leave.",
        ruleset(flag()),
        ask(unit=None),
        now(ruleset(flag(**ON, revision=61), revision=61)),
        ask(unit=None),
    ),
    request("error-then-decision", "An error is not remembered.", ruleset(flag(**ALL_ON)), ask(unit=None), ask()),
    request(
        "attributes-do-not-count",
        "Asked again with other attributes, the first stands.",
        ruleset(
            flag(
                rules=[
                    {
                        "id": "r1",
                        "clauses": [{"op": "equals", "attribute": "plan", "value": "pro"}],
                        "serve": {"variant": "on"},
                    }
                ]
            )
        ),
        ask(attributes={"plan": "pro"}),
        ask(attributes={"plan": "free"}),
        ask(unit="8", attributes={"plan": "free"}),
    ),
    request("cut-says-so", "That decisions were dropped on the way is said again.", ruleset(flag()), ask(), flags=1),
    request("replay-says-so", "So is a replay.", ruleset(flag()), ask(), flags=2),
    request(
        "nothing-asked",
        "What nobody asks about is forwarded, and does not return.",
        ruleset(flag()),
        arrived=(a(), base(), a(environment=9), a(epoch=4)),
    ),
]
