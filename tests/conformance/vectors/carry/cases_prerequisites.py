"""The cases of request.json about flags that need others."""

from typing import Any

from tests.conformance.vectors.carry.cases_judge import ALL_ON, a
from tests.conformance.vectors.carry.judging import Json
from tests.conformance.vectors.carry.request import KILL, NEEDED, ask, base, flag, now, request, ruleset

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
        "needs-overridden",
        "An override sets its own flag alone: what needs it is decided as if there were none.",
        needing({**BASE_OFF, "overridable": True}),
        ask("base", override="on"),
        ask(),
        is_public=True,
    ),
    request(
        "needs-carried-override",
        "So is a carried one.",
        needing(BASE_OFF),
        ask(),
        ask("base"),
        arrived=(base(origin="override"),),
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
