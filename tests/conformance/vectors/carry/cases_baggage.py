"""The cases of baggage.json: whole `baggage` headers as services of other languages send them on.

What a header says is answered by a second reader of W3C Baggage (§3.2), plain and without limits, and by the second
decoder of the member.
"""

from typing import Any
from urllib.parse import quote, quote_plus, unquote

from tests.conformance.vectors.carry.wire_format import ONE, TWO, entry, flags_group, group, member
from tests.conformance.vectors.carry.wire_reader import read

BAGGAGE: list[dict[str, Any]] = []

KEY = "pennon"
OTHERS = [("tenant.tier", "gold plated"), ("region", "eu+west/1"), ("crew", "é,=;%")]
THREE = [ONE, TWO, entry(fingerprint=9, flag_id=3, revision=70_000)]
VALUE = member(THREE, 0)
MARKED = member(THREE, 3)


def members_of(lines: list[str]) -> list[tuple[str, str, str]]:
    """Key, decoded value and properties of each well-formed member, in order; several headers are one list."""
    found = []
    for part in ",".join(lines).split(","):
        key, equals, rest = part.strip(" \t").partition("=")
        value, _, properties = rest.partition(";")
        value = value.strip(" \t")
        if equals and not any(sign in ' \t"\\' for sign in value):
            found.append((key.strip(" \t"), unquote(value, errors="replace"), properties))
    return found


def arrives(name: str, why: str, *lines: str) -> None:
    ours = [each for each in members_of(list(lines)) if each[0].startswith(KEY)]
    value = ".".join(value for key, value, _ in ours if key == KEY and value)
    later = [list(each) for each in ours if each[0] != KEY]
    case = {"id": name, "why": why, "headers": list(lines), "value": value, **read(value), "later": later}
    BAGGAGE.append(case)


def python_style(members: list[tuple[str, str]]) -> str:
    """OpenTelemetry-Python: form encoding of key and value."""
    return ",".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in members)


def node_style(members: list[tuple[str, str]]) -> str:
    """OpenTelemetry-JS: encodeURIComponent of key and value."""
    return ",".join("=".join(quote(text, safe="-_.!~*'()") for text in each) for each in members)


def java_style(members: list[tuple[str, str]]) -> str:
    """OpenTelemetry-Java: everything but letters, digits and a few signs as percent-encoded UTF-8; keys as they are."""
    return ",".join(f"{key}={quote(value, safe='-_.*')}" for key, value in members)


def percent_everything(text: str, spell: str = "%{:02X}") -> str:
    """What no known sender does and W3C allows: each byte percent-encoded."""
    return "".join(spell.format(byte) for byte in text.encode())


def pascal_case(text: str) -> str:
    return text[:1].upper() + text[1:]


for language, style in {"python": python_style, "node": node_style, "java": java_style}.items():
    why = f"OpenTelemetry for {pascal_case(language)} writes our value as it is: no character of it needs an escape."
    arrives(f"{language}", why, style([(KEY, VALUE), *OTHERS]))
    arrives(f"{language}-marked", why, style([(KEY, MARKED)]))
    arrives(f"{language}-reordered", "Where it stands does not matter.", style([*OTHERS, (KEY, VALUE)]))
    arrives(f"{language}-between", "Where it stands does not matter.", style([OTHERS[0], (KEY, VALUE), OTHERS[1]]))
    arrives(
        f"{language}-twice",
        "A member that came twice, e.g. from a copied and an injected header, says what it says once.",
        style([(KEY, VALUE), (KEY, VALUE)]),
    )

arrives("percent-everything", "Each byte may be escaped.", f"{KEY}={percent_everything(VALUE)}")
arrives("percent-lower-case", "In lower-case digits as well.", f"{KEY}={percent_everything(VALUE, '%{:02x}')}")
arrives("percent-dots", "The dot as well.", f"{KEY}={MARKED.replace('.', '%2E')}")
arrives("percent-hyphens", "And what URL-safe base64 needs.", f"{KEY}={VALUE.replace('-', '%2d').replace('_', '%5F')}")
arrives("percent-half", "Or some bytes and others not.", f"{KEY}={percent_everything(VALUE[:9])}{VALUE[9:]}")
arrives("percent-twice", "Escaped twice is another text.", f"{KEY}={percent_everything(VALUE).replace('%', '%25')}")
arrives(
    "percent-broken", "An escape that is none stays, and spoils its group only.", f"{KEY}=%ZZ{group(ONE)}.{group(TWO)}"
)
arrives("percent-cut", "So does one that is cut off.", f"{KEY}={group(ONE)}%4")
arrives("percent-not-utf8", "A byte that is no UTF-8 spoils its group only.", f"{KEY}={group(ONE)}%FF.{group(TWO)}")
arrives("plus-is-plus", "No plus becomes a space; neither is in the alphabet.", f"{KEY}={group(ONE)}+.{group(TWO)}")
arrives("space-around", "White space around key and value is not theirs.", f"  {KEY} \t = \t{VALUE} , a=1")
BROKEN = "A member that breaks baggage's own grammar is none; the others stay."
arrives("space-inside", BROKEN, f"{KEY}={group(ONE)} .{group(TWO)},{KEY}={group(TWO)}")
arrives("quoted", BROKEN, f'{KEY}="{group(ONE)}",{KEY}={group(TWO)}')
arrives("backslash", BROKEN, f"{KEY}={group(ONE)}\\,{KEY}={group(TWO)}")
arrives("properties", "Properties of ours are not read.", f"{KEY}={VALUE};ttl=5;x")
arrives("property-of-another", "Nor is a property of somebody else's, whatever its name.", f"a=1;{KEY}={VALUE}")
arrives("empty-value", "An empty value says nothing and is no fault.", f"{KEY}=")
arrives("empty-beside-full", "Nor does it stand in the way.", f"{KEY}=,{KEY}={VALUE}")
arrives("no-equals", "A member without a value is none.", f"{KEY},{KEY}={VALUE}")
arrives("empty-members", "Empty members are passed over.", f",,{KEY}={VALUE},,")
arrives("two-headers", "Two headers are one list.", "a=1", f"{KEY}={VALUE}")
arrives(
    "two-headers-of-ours", "Members are united in order.", f"{KEY}={group(ONE)}", f"{KEY}={group(TWO)}.{flags_group(1)}"
)
arrives(
    "two-members-first-wins",
    "Of one revision the first holds.",
    f"{KEY}={group(ONE)},a=1,{KEY}={group(entry(variant_id=9))}.{flags_group(2)}",
)
arrives(
    "two-members-two-revisions",
    "Two revisions are both kept, the lower first.",
    f"{KEY}={group(entry(variant_id=9, revision=60))},{KEY}={group(ONE)}",
)
arrives("three-members", "However many.", *(f"{KEY}={group(each)}" for each in THREE))
arrives("bad-member-beside-good", "A member that says nonsense takes no other along.", f"{KEY}=nonsense,{KEY}={VALUE}")
arrives("other-case", "Keys are compared with case: these are somebody else's.", f"Pennon={VALUE},PENNON={VALUE}")
arrives("key-behind", "A key that ends like ours is somebody else's.", f"xpennon={VALUE},.pennon={VALUE}")
arrives("later-version", "A later version's member is forwarded, not read.", f"pennon2={VALUE}")
arrives("later-version-beside", "It stands beside ours.", f"pennon2=future%20words;p=%2C,{KEY}={VALUE}")
arrives(
    "later-versions", "In their order, a key twice as well.", f"pennon.next=1,{KEY}={VALUE},pennonx=2;p,pennon.next=3"
)
arrives("later-version-of-bytes", "Its value is any text.", "pennon-3=%F0%9F%9A%A9")
arrives("nothing-of-ours", "Baggage without us.", node_style(OTHERS))
arrives("marks-alone", "The marks travel without decisions.", f"{KEY}={flags_group(3)}")
