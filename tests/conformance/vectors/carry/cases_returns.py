"""The cases of request.json about the return path."""

from tests.conformance.vectors.carry.cases_judge import NOW_MIN, a
from tests.conformance.vectors.carry.judging import Json
from tests.conformance.vectors.carry.request import KILL, NOW_S, ask, base, flag, now, request, response, ruleset, value
from tests.conformance.vectors.carry.wire_format import flags_group

ON_NOW = a(decided_min=NOW_MIN)
OFF_NOW = a(variant_id=2, decided_min=NOW_MIN)
OFF_LATER = a(variant_id=2, decided_min=NOW_MIN, revision=50)
KILL_NOW = a(**KILL, decided_min=NOW_MIN, revision=61)
HERE = ruleset(flag())
RAISED = ruleset(flag(void_before=61, revision=61), revision=61)
SPOILED = value(ON_NOW)[:-1] + ("A" if value(ON_NOW)[-1] != "A" else "E")
MANY = [a(flag_id=number, decided_min=NOW_MIN, revision=300) for number in range(1, 60)]


def age(minutes: int) -> Json:
    return a(decided_min=NOW_MIN - minutes)


RETURNS = [
    request("returned-then-asked", "What a callee decided answers the next ask.", HERE, response(value(ON_NOW)), ask()),
    request("returned-nothing", "No header, nothing taken.", HERE, response(), ask()),
    request("returned-empty", "An empty header says nothing.", HERE, response(""), ask()),
    request(
        "asked-then-returned",
        "What was decided here stands; another answer is counted.",
        HERE,
        ask(),
        response(value(ON_NOW)),
        ask(),
    ),
    request(
        "asked-then-returned-the-same",
        "The same answer is no conflict.",
        HERE,
        ask(),
        response(value(a(variant_id=3, decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "asked-then-returned-newer",
        "One of a higher revision is kept behind it.",
        HERE,
        ask(),
        response(value(OFF_LATER)),
        ask(),
    ),
    request(
        "asked-returned-newer-then-void",
        "For where what was decided here is void.",
        HERE,
        ask(),
        response(value(OFF_NOW | {"revision": 61})),
        now(ruleset(flag(void_before=61, revision=61), revision=61)),
        ask(),
    ),
    request(
        "arrived-then-returned",
        "What arrived stands; another answer is counted.",
        HERE,
        response(value(OFF_NOW)),
        ask(),
        arrived=(a(),),
    ),
    request(
        "arrived-then-returned-lower",
        "One of a lower revision is not kept.",
        HERE,
        response(value(OFF_NOW)),
        ask(),
        arrived=(a(revision=50),),
    ),
    request(
        "arrived-then-returned-newer",
        "One of a higher revision is kept behind it, and counted when somebody asks.",
        HERE,
        response(value(OFF_LATER)),
        ask(),
        arrived=(a(),),
    ),
    request(
        "arrived-void-then-returned",
        "Where what arrived is void, what returned holds.",
        ruleset(flag(void_before=50, revision=50)),
        response(value(OFF_LATER)),
        ask(),
        arrived=(a(),),
    ),
    request(
        "arrived-then-returned-again",
        "What the request brought and a callee sent back is known.",
        HERE,
        response(value(a())),
        ask(),
        arrived=(a(),),
    ),
    request("returned-kill", "A callee knew of a kill: it holds at once.", HERE, response(value(KILL_NOW)), ask()),
    request(
        "asked-then-returned-kill", "Also against what was decided here.", HERE, ask(), response(value(KILL_NOW)), ask()
    ),
    request(
        "carried-then-returned-kill",
        "And against what arrived.",
        HERE,
        ask(),
        response(value(KILL_NOW)),
        ask(),
        arrived=(a(),),
    ),
    request(
        "asked-then-returned-void-kill",
        "But not where the floor is above it.",
        ruleset(flag(void_before=61, revision=61), revision=61),
        ask(),
        response(value(a(**KILL, decided_min=NOW_MIN, revision=60))),
        ask(),
    ),
    request(
        "asked-then-returned-kill-at-the-floor",
        "A revision equal to the floor is not below it.",
        RAISED,
        ask(),
        response(value(KILL_NOW)),
        ask(),
    ),
    request(
        "asked-then-returned-at-the-floor",
        "Not for a conflict either.",
        RAISED,
        ask(),
        response(value(a(decided_min=NOW_MIN, revision=61))),
        ask(),
    ),
    request(
        "asked-then-returned-void",
        "What is void here is no conflict.",
        RAISED,
        ask(),
        response(value(a(decided_min=NOW_MIN, revision=60))),
        ask(),
    ),
    request(
        "returned-kill-of-one-revision",
        "A kill is kept beside another entry of its revision.",
        HERE,
        response(value(a(**KILL, decided_min=NOW_MIN))),
        ask(),
        arrived=(a(),),
    ),
    request(
        "returned-kill-twice",
        "A kill that is known is not news.",
        HERE,
        response(value(KILL_NOW)),
        response(value(KILL_NOW)),
        ask(),
    ),
    request(
        "returned-kill-then-split",
        "What comes after a kill changes nothing.",
        HERE,
        response(value(KILL_NOW)),
        response(value(a(decided_min=NOW_MIN, revision=61))),
        ask(),
    ),
    request(
        "returned-ahead",
        "A callee whose ruleset is newer says so.",
        HERE,
        response(value(a(decided_min=NOW_MIN, revision=61))),
        ask(),
    ),
    request(
        "returned-unknown-variant",
        "A variant that is not known here is forwarded, not applied.",
        HERE,
        response(value(a(decided_min=NOW_MIN, revision=61, variant_id=9))),
        ask(),
    ),
    request(
        "returned-for-another-unit",
        "Another unit's is taken for that unit.",
        HERE,
        response(value(a(unit="8", decided_min=NOW_MIN))),
        ask(),
        ask(unit="8"),
    ),
    request(
        "returned-for-another-flag",
        "What this service does not ask about goes on to whom it calls and who called it.",
        HERE,
        response(value(base(decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "returned-of-another-epoch",
        "Another epoch's is forwarded.",
        HERE,
        response(value(a(epoch=6, revision=2, decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "returned-of-another-environment",
        "So is another environment's.",
        HERE,
        response(value(a(environment=9, decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "returned-twice", "Two responses that agree.", HERE, response(value(ON_NOW)), response(value(ON_NOW)), ask()
    ),
    request(
        "returned-twice-differing",
        "Of two that differ the first stands; the other is counted.",
        HERE,
        response(value(ON_NOW)),
        response(value(OFF_NOW)),
        ask(),
    ),
    request(
        "returned-with-age",
        "A response with an Age answers an earlier request.",
        HERE,
        response(value(ON_NOW), has_age=True),
        ask(),
    ),
    request(
        "returned-in-two-headers",
        "Two headers: neither is believed.",
        HERE,
        response(value(ON_NOW), value(OFF_NOW)),
        ask(),
    ),
    request("returned-too-long", "More than 512 bytes are not read.", HERE, response(value(*MANY, ON_NOW)), ask()),
    request(
        "returned-damaged",
        "A malformed group is dropped and counted.",
        HERE,
        response(f"{SPOILED}.{value(base(decided_min=NOW_MIN))}"),
        ask(),
    ),
    request(
        "returned-5-min-ago",
        "Decided up to five minutes before the call began: taken.",
        HERE,
        response(value(age(5))),
        ask(),
    ),
    request("returned-6-min-ago", "Earlier: a cache's.", HERE, response(value(age(6))), ask()),
    request(
        "returned-in-seconds", "Whole minutes are compared.", HERE, response(value(age(5)), began_s=NOW_S + 59), ask()
    ),
    request(
        "returned-partly-stale",
        "What is younger is taken all the same.",
        HERE,
        response(value(age(60), base(decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "returned-from-the-future",
        "A clock that is ahead is no cache.",
        HERE,
        response(value(a(decided_min=NOW_MIN + 600))),
        ask(),
    ),
    request(
        "returned-cut",
        "That decisions were dropped on the way back is said on.",
        HERE,
        response(value(ON_NOW, flags=1)),
        ask(),
    ),
    request("returned-cut-alone", "Also where none is left.", HERE, response(flags_group(1)), ask()),
    request(
        "returned-override",
        "A callee's override is one here.",
        HERE,
        response(value(a(origin="override", decided_min=NOW_MIN))),
        ask(),
    ),
    request(
        "returns-what-it-decided",
        "What was decided here returns, what arrived does not.",
        HERE,
        ask(),
        arrived=(base(),),
    ),
    request(
        "returns-what-replaces",
        "What takes the place of something void returns.",
        ruleset(flag(void_before=50, revision=50)),
        ask(),
        arrived=(a(),),
    ),
    request(
        "returns-a-kill",
        "A kill that the caller has not seen returns.",
        ruleset(flag(), kills={"77": 61}),
        ask(),
        arrived=(a(),),
    ),
    request("returns-nothing-carried", "What arrived and held is the caller's own.", HERE, ask(), arrived=(a(),)),
    request("returns-replayed", "A replay is said beside decisions.", HERE, ask(), flags=2),
    request("returns-nothing-of-nobody", "A decision without a unit does not return.", HERE, ask(unit=None)),
    request(
        "returns-nothing-that-does-not-carry",
        "Nor does one of a flag that does not carry.",
        ruleset(flag(carry=False)),
        ask(),
    ),
    request(
        "returned-to-a-flag-that-does-not-carry",
        "What was decided here of such a flag hides nothing from others.",
        ruleset(flag(carry=False)),
        ask(),
        response(value(ON_NOW)),
        ask(),
    ),
]
