"""The cases of request.json: one request, in which flags are asked, rulesets change and responses come back."""

from copy import deepcopy
from typing import Any

from tests.conformance.vectors.carry.cases_judge import ALL_ON, DEFAULTS, NOW_MIN, a, entry_from
from tests.conformance.vectors.carry.judging import Asked, Json, leaving_value, ledger_of
from tests.conformance.vectors.carry.returned import returning_value, take
from tests.conformance.vectors.carry.wire_format import flags_group, member

NOW_S = NOW_MIN * 60


def flag(**changes: Any) -> Json:
    """A flag, as what differs from the default one."""
    plain: Json = DEFAULTS["flag"]
    return plain | changes


def ruleset(*flags: Json, kills: Json | None = None, **changes: Any) -> Json:
    plain: Json = {**DEFAULTS["ruleset"], "flags": {each["key"]: each for each in flags}, "kills": kills or {}}
    return plain | changes


def value(*entries: Json, flags: int = 0) -> str:
    """The member, or the response's header, that says these entries."""
    return member([entry_from(each) for each in entries], flags)


def ask(key: str = "checkout", unit: str | None = "7", **more: Any) -> Json:
    return {"do": "ask", "flag": key, "unit": unit, "now_s": NOW_S, **more}


def now(changed: Json) -> Json:
    """From here on the replica has another ruleset."""
    return {"do": "ruleset", "ruleset": changed}


def response(*headers: str, has_age: bool = False, began_s: int = NOW_S) -> Json:
    return {"do": "response", "headers": list(headers), "has_age": has_age, "began_s": began_s}


def request(
    name: str,
    why: str,
    start: Json,
    *steps: Json,
    arrived: tuple[Json, ...] = (),
    flags: int = 0,
    is_public: bool = False,
) -> Json:
    """One request: what each step gives, and what leaves and returns at its end."""
    arrived_value = value(*arrived, flags=flags)
    ledger = ledger_of([entry_from(each) for each in arrived], is_public=is_public, was_cut=bool(flags & 1))
    current, told = start, []
    for step in deepcopy(list(steps)):
        notes: set[str] = set()
        if step["do"] == "ruleset":
            current = step["ruleset"]
        elif step["do"] == "ask":
            asked = Asked(current, ledger, step)
            decision = asked.decision()
            step["expect"] = {key: decision[key] for key in ("variant", "reason", "origin", "revision")}
            notes = asked.notes
        else:
            step["expect"], notes = take(ledger, step["headers"], has_age=step["has_age"], began_s=step["began_s"])
        told.append(step if step["do"] == "ruleset" else {**step, "notes": sorted(notes)})
    is_replay = bool(flags & 2)
    return {
        "id": name,
        "why": why,
        "ruleset": start,
        "arrived_value": arrived_value,
        "is_public": is_public,
        "steps": told,
        "leaves_value": leaving_value(ledger, is_replay=is_replay),
        "returns_value": returning_value(ledger, is_replay=is_replay),
    }


# ---- prerequisites

NEEDED = {"key": "base", "id": 78, "fallthrough": {"variant": "on"}}
TOP = {"prerequisites": [{"flag": "base", "variants": ["on"]}]}


def needing(needed: Json | None = None, kills: Json | None = None, **top: Any) -> Json:
    """`checkout` needs `base` to answer `on`."""
    return ruleset(flag(**TOP | top), flag(**NEEDED | (needed or {})), kills=kills)


BASE_OFF = {"fallthrough": {"variant": "off"}}
MIDDLE = {
    "key": "middle",
    "id": 79,
    "prerequisites": [{"flag": "base", "variants": ["on"]}],
    "fallthrough": {"variant": "on"},
}
TOP_OF_MIDDLE = {"prerequisites": [{"flag": "middle", "variants": ["on"]}]}


def chain(base: Json | None = None, middle: Json | None = None, kills: Json | None = None) -> Json:
    """`checkout` needs `middle`, which needs `base`."""
    return ruleset(flag(**TOP_OF_MIDDLE), flag(**MIDDLE | (middle or {})), flag(**NEEDED | (base or {})), kills=kills)


def base(**changes: Any) -> Json:
    """An entry about the flag that is needed."""
    return a(flag_id=78, **changes)


KILL = {"variant_id": 2, "origin": "kill"}
OF_ACCOUNTS = {"unit": "account", "fallthrough": ALL_ON["fallthrough"]}

PREREQUISITES = [
    request("needs-satisfied", "All that a flag needs holds: it answers for itself.", needing(), ask()),
    request("needs-unsatisfied", "Else it serves its off variant.", needing(BASE_OFF), ask()),
    request("needs-off", "A needed flag that is off answers its off variant.", needing({"on": False}), ask()),
    request("needs-nothing-known", "A needed flag that does not exist is not satisfied.", ruleset(flag(**TOP)), ask()),
    request(
        "needs-killed", "Nor is a killed one.", needing({"killed": True, "void_before": 50, "revision": 50}), ask()
    ),
    request("needs-killed-by-overlay", "By overlay either; the floor rises with it.", needing(kills={"78": 61}), ask()),
    request(
        "needs-killed-to-the-wanted",
        "Unless its off variant is what is needed.",
        needing({"off": "on", "killed": True, "void_before": 50, "revision": 50}),
        ask(),
    ),
    request(
        "needs-without-its-unit",
        "A needed flag that cannot answer is not satisfied.",
        needing(OF_ACCOUNTS),
        ask(),
    ),
    request(
        "needs-another-kind",
        "It is asked about the unit of its own kind.",
        needing(OF_ACCOUNTS),
        ask(units={"account": "acme"}),
    ),
    request(
        "needs-another-kind-carried",
        "Also in what arrived.",
        needing(OF_ACCOUNTS),
        ask(units={"account": "acme"}),
        arrived=(base(unit="acme", unit_kind="account", variant_id=2),),
    ),
    request(
        "needs-carried",
        "What arrived about a needed flag answers for it.",
        needing(BASE_OFF),
        ask(),
        arrived=(base(),),
    ),
    request("needs-carried-against", "Against it as well.", needing(), ask(), arrived=(base(variant_id=2),)),
    request(
        "needs-carried-of-another-unit",
        "Another unit's decision is no answer.",
        needing(),
        ask(),
        arrived=(base(unit="8", variant_id=2),),
    ),
    request(
        "needs-carried-void",
        "What is void is no answer.",
        needing({"void_before": 50, "revision": 50}),
        ask(),
        arrived=(base(variant_id=2),),
    ),
    request(
        "needs-carried-too-old",
        "What the needed flag's author calls too old is no answer.",
        needing({"carry_max_age_s": 60}),
        ask(),
        arrived=(base(variant_id=2),),
    ),
    request(
        "needs-carried-unknown-variant",
        "What is not known here is no answer.",
        needing(),
        ask(),
        arrived=(base(variant_id=9, revision=61),),
    ),
    request(
        "needs-carried-kill", "A carried kill of a needed flag is an answer.", needing(), ask(), arrived=(base(**KILL),)
    ),
    request(
        "needs-carried-kill-unknown-variant",
        "Whose off variant is the one known here.",
        needing(),
        ask(),
        arrived=(base(variant_id=9, revision=61, origin="kill"),),
    ),
    request(
        "needs-decided-before",
        "What this request decided about a needed flag answers for it, though the flag has changed.",
        needing(),
        ask("base"),
        now(needing(BASE_OFF)),
        ask(),
    ),
    request(
        "needs-decided-before-the-floor",
        "Not where that is void.",
        needing(),
        ask("base"),
        now(needing({**BASE_OFF, "void_before": 61, "revision": 61})),
        ask(),
    ),
    request(
        "needs-enters-nothing",
        "Asking a flag does not decide what it needs: a later ask of that does.",
        needing(),
        ask(),
        now(needing(BASE_OFF)),
        ask("base"),
    ),
    request(
        "needs-two",
        "All must hold.",
        ruleset(
            flag(prerequisites=[{"flag": "base", "variants": ["on"]}, {"flag": "second", "variants": ["on", "off"]}]),
            flag(**NEEDED),
            flag(**NEEDED | {"key": "second", "id": 80, "fallthrough": {"variant": "off"}}),
        ),
        ask(),
    ),
    request(
        "needs-two-one-fails",
        "One that fails is enough.",
        ruleset(
            flag(prerequisites=[{"flag": "base", "variants": ["on"]}, {"flag": "second", "variants": ["on"]}]),
            flag(**NEEDED),
            flag(**NEEDED | {"key": "second", "id": 80, "fallthrough": {"variant": "off"}}),
        ),
        ask(),
    ),
    request("needs-chain", "What is needed may need others.", chain(), ask()),
    request("needs-chain-fails", "A flag far down fails all above it.", chain(BASE_OFF), ask()),
    request(
        "needs-chain-carried-middle",
        "What arrived about one in the middle answers for all below it.",
        chain(BASE_OFF),
        ask(),
        arrived=(a(flag_id=79),),
    ),
    request(
        "needs-chain-carried-below",
        "What arrived far down counts there.",
        chain(),
        ask(),
        arrived=(base(variant_id=2),),
    ),
    request(
        "needs-off-variant-carried",
        "A carried decision counts before what its needs say here.",
        needing(BASE_OFF),
        ask(),
        arrived=(a(),),
    ),
    request(
        "needs-floor",
        "A raised floor of a needed flag voids what is above it.",
        needing({"void_before": 50, "revision": 50}),
        ask(),
        arrived=(a(),),
    ),
    request("needs-floor-reached", "At the floor it holds.", needing({"void_before": 41}), ask(), arrived=(a(),)),
    request("needs-floor-by-overlay", "So does a kill laid over it.", needing(kills={"78": 61}), ask(), arrived=(a(),)),
    request(
        "needs-floor-far-down",
        "However far down.",
        chain({"void_before": 50, "revision": 50}),
        ask(),
        arrived=(a(),),
    ),
    request(
        "needs-floor-does-not-rise-down",
        "What needs a flag has no floor for it.",
        needing(void_before=50, revision=50),
        ask("base"),
        arrived=(base(),),
    ),
    request(
        "needs-killed-in-mid-request",
        "A needed flag is killed in mid-request: what was decided above it is found no more.",
        needing(),
        ask(),
        now(needing(kills={"78": 61})),
        ask(),
    ),
    request("needs-but-killed", "A killed flag asks nobody.", needing(killed=True, void_before=50, revision=50), ask()),
    request("needs-but-off", "Nor does one that is off.", needing(on=False), ask()),
]

# ---- overrides at each use; `override` is the variant that a believed token sets for this flag and unit now

OVERRIDABLE = flag(overridable=True)
PLAIN = ruleset(OVERRIDABLE)

OVERRIDES = [
    request(
        "override-over-local",
        "An override counts before what is decided here.",
        PLAIN,
        ask(override="on"),
        is_public=True,
    ),
    request("override-none", "Without one the flag answers.", PLAIN, ask(), is_public=True),
    request(
        "override-over-a-split",
        "Before a split as well.",
        ruleset(flag(**ALL_ON, overridable=True)),
        ask(override="off"),
        is_public=True,
    ),
    request(
        "override-over-off",
        "And before a flag that is off.",
        ruleset(flag(on=False, overridable=True)),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-below-killed",
        "But not before a kill.",
        ruleset(flag(overridable=True, killed=True, void_before=50, revision=50)),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-below-overlay",
        "Nor before an overlay's.",
        ruleset(OVERRIDABLE, kills={"77": 61}),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-killed-in-mid-request",
        "Nor before one that comes later.",
        PLAIN,
        ask(override="on"),
        now(ruleset(OVERRIDABLE, kills={"77": 61})),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-below-returned-kill",
        "Nor before one that a callee knew.",
        PLAIN,
        ask(override="on"),
        response(value(a(**KILL, revision=61, decided_min=NOW_MIN))),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-over-carried",
        "It counts before what a callee decided.",
        PLAIN,
        response(value(a(variant_id=3, decided_min=NOW_MIN))),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-again",
        "It is one decision, however often it is used.",
        PLAIN,
        ask(override="on"),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-ends",
        "A token that is believed no more: decided anew, and counted.",
        PLAIN,
        ask(override="on"),
        ask(),
        ask(),
        is_public=True,
    ),
    request(
        "override-begins",
        "One that is believed later takes the place of what was decided, and is counted.",
        PLAIN,
        ask(),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-changes",
        "Another variant takes its place, and is counted.",
        PLAIN,
        ask(override="on"),
        ask(override="off"),
        is_public=True,
    ),
    request(
        "override-of-no-variant",
        "A variant that the flag has not is none.",
        PLAIN,
        ask(override="gone"),
        is_public=True,
    ),
    request(
        "override-of-one-unit",
        "Another unit is not overridden.",
        PLAIN,
        ask(override="on"),
        ask(unit="8"),
        is_public=True,
    ),
    request(
        "override-above-the-floor",
        "An override's revision is at least the floor.",
        ruleset(flag(overridable=True, void_before=50, revision=50)),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-after-a-raised-floor",
        "A raised floor asks the token again.",
        PLAIN,
        ask(override="on"),
        now(ruleset(flag(overridable=True, void_before=61, revision=61), revision=61)),
        ask(override="on"),
        is_public=True,
    ),
    request(
        "override-carried",
        "Further on nobody has the token: the entry is judged like any other.",
        PLAIN,
        ask(),
        ask(),
        arrived=(a(origin="override"),),
    ),
    request(
        "override-carried-void",
        "It is void below the floor.",
        ruleset(flag(void_before=50, revision=50)),
        ask(),
        arrived=(a(origin="override"),),
    ),
    request(
        "override-carried-not-overridable",
        "Where it is carried the allowlist is not asked.",
        ruleset(flag(overridable=False)),
        ask(),
        arrived=(a(origin="override"),),
    ),
    request(
        "override-leaves", "It leaves as an override, and returns as one.", PLAIN, ask(override="on"), is_public=True
    ),
    request(
        "override-of-what-does-not-carry",
        "Unless the flag does not carry.",
        ruleset(flag(overridable=True, carry=False)),
        ask(override="on"),
        is_public=True,
    ),
]

# ---- rulesets that change in mid-request

ON = {"fallthrough": {"variant": "on"}}

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

# ---- responses

ON_NOW = a(decided_min=NOW_MIN)
OFF_NOW = a(variant_id=2, decided_min=NOW_MIN)
OFF_LATER = a(variant_id=2, decided_min=NOW_MIN, revision=50)
KILL_NOW = a(**KILL, decided_min=NOW_MIN, revision=61)
HERE = ruleset(flag())
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
