"""The other built-in fields: what HTTP clients send and servers answer every day, whoever uses it.

They are known, so that a contract may drop or reject what is unknown. None travels on, and a stranger may say any of
those that stand in requests. How they are logged follows what they give away: who asks (`from`), which device it is
(`user-agent`), where a person has been (`referer`). The table has one entry per way of being treated; within it, rows
of name, source, shape and meaning.

A header of requests that only a proxy should write (client-cert, x-real-ip) is not here: that it is known would let
anybody's pass.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from pennon.headers.fields import Category, Classification, Log
from pennon.headers.grammar import TOKEN
from pennon.headers.standard import ANSWERS, CALLERS, Direction, StandardField, Way
from pennon.headers.syntaxes import HTTP_DATE, NUMBER, PARAMETERS, TAG, TEXT


class _Shape(NamedTuple):
    """What may stand in a field. max_length: in bytes. is_list: several lines are one list."""

    syntax: str
    max_length: int
    is_list: bool = False


class _Treatment(NamedTuple):
    """Whose word counts, in which messages, and how openly it may be logged."""

    way: Way
    log: Log = Log.CLEAR
    classification: Classification = Classification.PUBLIC
    direction: Direction | None = None


_Row = tuple[str, str, _Shape, str]


def _list_of(item: str, max_length: int) -> _Shape:
    """RFC 9110 §5.6.1; a list may have nothing in it."""
    return _Shape(rf"(?:{item}(?:[ \t]*+,[ \t]*+{item})*+)?", max_length, is_list=True)


def _fields(owner: str, category: Category, treatment: _Treatment, *rows: _Row) -> Iterator[StandardField]:
    for name, source, shape, description in rows:
        yield treatment.way.field(
            name,
            category,
            owner,
            source,
            shape.syntax,
            shape.max_length,
            description,
            log=treatment.log,
            classification=treatment.classification,
            direction=treatment.direction,
            is_list=shape.is_list,
        )


_ASKED: Final = _Treatment(CALLERS)
_SAID: Final = _Treatment(CALLERS, direction=Direction.BOTH)
_ANSWERED: Final = _Treatment(ANSWERS)
# Names of our own hosts and programs.
_INSIDE: Final = _Treatment(ANSWERS, classification=Classification.INTERNAL)
_INSIDE_BOTH: Final = _Treatment(CALLERS, classification=Classification.INTERNAL, direction=Direction.BOTH)
# What together tells one device from all others: lines can be joined, not read.
_DEVICE: Final = _Treatment(CALLERS, Log.HASH, Classification.INTERNAL)
# Addresses and names of files hold what somebody looked for, and tokens: an answer's Location after a login does.
_GUARDED: Final = _Treatment(CALLERS, Log.REDACTED, Classification.INTERNAL)
_GUARDED_BOTH: Final = _Treatment(CALLERS, Log.REDACTED, Classification.INTERNAL, Direction.BOTH)
_GUARDED_ANSWERED: Final = _Treatment(ANSWERS, Log.REDACTED, Classification.INTERNAL)
_PERSON: Final = _Treatment(CALLERS, Log.REDACTED, Classification.PERSONAL)
_PROOF: Final = _Treatment(CALLERS, Log.NEVER, Classification.SECRET)

_WORD: Final = _Shape(TOKEN, 64)
_WORDS: Final = _list_of(TOKEN, 1_024)
_WEIGHTED: Final = _list_of(TOKEN + PARAMETERS, 512)
_DATE: Final = _Shape(HTTP_DATE, 29)
_COUNT: Final = _Shape(NUMBER, 15)
_DECIMAL: Final = _Shape(r"[0-9]{1,12}(?:\.[0-9]{1,12})?", 25)
# RFC 9651 §3.3.6, §3.3.3.
_TRUTH: Final = _Shape(r"\?[01]", 2)
_STRING: Final = _Shape(r'"(?:[ !#-\[\]-~]|\\["\\])*+"', 256)
_LINE: Final = _Shape(TEXT, 1_024)
_LINES: Final = _Shape(TEXT, 4_096, is_list=True)
_POLICY: Final = _Shape(TEXT, 8_192, is_list=True)
_URL: Final = _Shape(r"[!-~]++", 4_096)
# RFC 6454 §6.1; "*" in answers alone.
_ORIGIN_SYNTAX: Final = r"[a-z][a-z0-9+.\-]*+://[A-Za-z0-9._~%:\[\]\-]++"
_ORIGIN: Final = _Shape(rf"null|{_ORIGIN_SYNTAX}(?: {_ORIGIN_SYNTAX})*+", 1_024)
_ORIGINS: Final = _Shape(rf"\*|null|{_ORIGIN_SYNTAX}", 512)
_LANGUAGES: Final = _list_of(r"[A-Za-z0-9*\-]++" + PARAMETERS, 512)

_PROTOCOL: Final = (
    *_fields(
        "IETF", Category.PROTOCOL, _ASKED,
        ("accept-charset", "RFC 9110 §12.5.2", _WEIGHTED, "Which charsets the caller can read; of old"),
        ("accept-encoding", "RFC 9110 §12.5.3", _WEIGHTED, "Which codings of the content the caller can read"),
        ("range", "RFC 9110 §14.2", _Shape(rf"{TOKEN}=[ -~\t]++", 1_024), "Which part of it is wanted"),
        ("prefer", "RFC 7240 §2", _LINES, "How the caller would have it done"),
        ("available-dictionary", "RFC 9842 §2.2", _Shape(r":[A-Za-z0-9+/=]*+:", 128),
         "Which dictionary the caller has, to decompress with"),
        ("dictionary-id", "RFC 9842 §2.3", _Shape(_STRING.syntax, 1_026), "What that dictionary was called"),
        ("sec-websocket-key", "RFC 6455 §11.3.1", _Shape(r"[A-Za-z0-9+/]{22}==", 24), "That a WebSocket is meant"),
    ),
    *_fields(
        "IETF", Category.PROTOCOL, _SAID,
        ("cache-control", "RFC 9111 §5.2", _LINES, "Who may keep the message, and how long"),
        ("pragma", "RFC 9111 §5.4", _LINES, "As cache-control; of old"),
        ("expires", "RFC 9111 §5.3", _Shape(rf"{HTTP_DATE}|0|-1", 29), "When it is stale"),
        ("content-encoding", "RFC 9110 §8.4", _WORDS, "How the content is coded"),
        ("content-language", "RFC 9110 §8.5", _list_of(r"[A-Za-z0-9\-]++", 256), "For whom the content is written"),
        ("content-range", "RFC 9110 §14.4", _Shape(rf"{TOKEN} (?:[0-9]++-[0-9]++|\*)/(?:[0-9]++|\*)", 256),
         "Which part of it this is"),
        ("date", "RFC 9110 §6.6.1", _DATE, "When the message was written"),
        ("repr-digest", "RFC 9530 §3", _Shape(TEXT, 512, is_list=True), "A digest of the whole, whatever part this is"),
        ("want-content-digest", "RFC 9530 §4", _Shape(TEXT, 256, is_list=True), "Which digests of contents are wanted"),
        ("want-repr-digest", "RFC 9530 §4", _Shape(TEXT, 256, is_list=True), "Which digests of wholes are wanted"),
        ("sec-websocket-extensions", "RFC 6455 §11.3.2", _LINES, "Which extensions of WebSocket there are"),
        ("sec-websocket-version", "RFC 6455 §11.3.5", _list_of("[0-9]{1,3}", 64), "Which WebSocket this is"),
    ),
    *_fields(
        "IETF", Category.PROTOCOL, _ANSWERED,
        ("accept-ch", "RFC 8942 §3.1", _WORDS, "Which client hints are wanted"),
        ("accept-patch", "RFC 5789 §3.1", _LINES, "Which types a PATCH may have"),
        ("accept-ranges", "RFC 9110 §14.3", _WORDS, "Whether parts can be asked for"),
        ("age", "RFC 9111 §5.1", _COUNT, "How long a cache has had it, in seconds"),
        ("allow", "RFC 9110 §10.2.1", _WORDS, "Which methods there are"),
        ("cache-status", "RFC 9211 §2", _LINES, "What caches did"),
        ("cdn-cache-control", "RFC 9213 §3", _LINES, "As cache-control, for the caches of a CDN"),
        ("preference-applied", "RFC 7240 §3", _LINES, "Which preference was heeded"),
        ("sec-websocket-accept", "RFC 6455 §11.3.3", _Shape(r"[A-Za-z0-9+/]{27}=", 28), "That it was understood"),
        ("use-as-dictionary", "RFC 9842 §2.1", _LINE, "That later contents can be compressed with this"),
        ("vary", "RFC 9110 §12.5.5", _WORDS, "On which of the request's headers it depends"),
    ),
    *_fields(
        "IETF", Category.PROTOCOL, _GUARDED_BOTH,
        ("content-disposition", "RFC 6266 §4", _LINE, "Whether to show or to save it, and under which name"),
        ("content-location", "RFC 9110 §8.7", _URL, "Where the content itself is"),
        # Some put a bearer token among the protocols: browsers let a page set no other header.
        ("sec-websocket-protocol", "RFC 6455 §11.3.4", _list_of(TOKEN, 4_096), "Which protocol is spoken inside"),
    ),
    *_fields(
        "IETF", Category.PROTOCOL, _DEVICE,
        ("accept-language", "RFC 9110 §12.5.4", _LANGUAGES, "Which languages the caller reads"),
    ),
    *_fields(
        "W3C", Category.PROTOCOL, _ANSWERED,
        ("accept-post", "Linked Data Platform 1.0", _LINES, "Which types a POST may have"),
        ("critical-ch", "Client Hint Reliability", _WORDS, "Without which client hints to ask again"),
    ),
    *_fields(
        "W3C", Category.PROTOCOL, _ASKED,
        ("save-data", "Save Data API", _Shape(r"[A-Za-z]++", 16), "That less is better"),
        ("service-worker", "Service Workers", _Shape("script", 6), "That a service worker's script is fetched"),
        ("service-worker-navigation-preload", "Service Workers", _LINE, "That it is fetched ahead of a worker"),
    ),
    *_fields(
        "W3C", Category.PROTOCOL, _ANSWERED,
        ("service-worker-allowed", "Service Workers", _URL, "How far a worker may reach"),
    ),
)  # fmt: skip

_OBSERVABILITY: Final = (
    *_fields(
        "IETF", Category.OBSERVABILITY, _DEVICE,
        ("user-agent", "RFC 9110 §10.1.5", _LINE, "With which program somebody asks"),
    ),
    *_fields(
        "IETF", Category.OBSERVABILITY, _PERSON,
        ("from", "RFC 9110 §10.1.2", _Shape(r"[!-~][ -~]*+", 254), "Whom to write to about a robot: an e-mail address"),
        ("referer", "RFC 9110 §10.1.3", _URL, "From which page somebody came"),
    ),
    *_fields(
        "WHATWG", Category.OBSERVABILITY, _PERSON,
        ("ping-from", "HTML, Hyperlink auditing", _URL, "On which page a link was followed"),
        ("ping-to", "HTML, Hyperlink auditing", _URL, "Where that link led"),
    ),
    *_fields(
        "IETF", Category.OBSERVABILITY, _INSIDE,
        ("proxy-status", "RFC 9209 §2", _LINES, "What proxies made of the answer"),
        ("server", "RFC 9110 §10.2.4", _Shape(TEXT, 256), "Which program answers"),
    ),
    *_fields(
        "W3C", Category.OBSERVABILITY, _INSIDE,
        ("nel", "Network Error Logging", _LINE, "That failed requests are to be reported"),
        ("report-to", "Reporting API (2018)", _LINES, "Where reports go; of old"),
        ("reporting-endpoints", "Reporting API", _LINES, "Where reports go"),
        ("server-timing", "Server Timing", _LINES, "What took how long"),
    ),
    *_fields(
        "W3C", Category.OBSERVABILITY, _ANSWERED,
        ("timing-allow-origin", "Resource Timing", _list_of(rf"(?:{_ORIGINS.syntax})", 1_024),
         "Which pages may see what took how long"),
    ),
)  # fmt: skip

_EXECUTION: Final = (
    *_fields(
        "IETF", Category.EXECUTION, _ASKED,
        ("early-data", "RFC 8470 §5.1", _Shape("1", 1), "That the request may be a replay"),
        ("expect", "RFC 9110 §10.1.1", _Shape("100-[Cc][Oo][Nn][Tt][Ii][Nn][Uu][Ee]", 12), "Whether to send content"),
        ("max-forwards", "RFC 9110 §7.6.2", _COUNT, "How many hops it may take"),
    ),
    *_fields(
        "IETF", Category.EXECUTION, _SAID,
        ("priority", "RFC 9218 §5", _Shape(TEXT, 256, is_list=True), "What is wanted first"),
    ),
    *_fields(
        "WHATWG", Category.EXECUTION, _ASKED,
        ("sec-purpose", "Fetch, Sec-Purpose", _Shape(TEXT, 128), "That it is fetched ahead"),
    ),
    *_fields(
        "WHATWG", Category.EXECUTION, _Treatment(CALLERS, Log.HASH, Classification.INTERNAL_ID),
        ("last-event-id", "HTML, Server-sent events", _LINE, "After which event a stream goes on"),
    ),
)  # fmt: skip

_ROUTING: Final = (
    *_fields(
        "IETF", Category.ROUTING, _INSIDE_BOTH,
        ("via", "RFC 9110 §7.6.3", _LINES, "Through which proxies it came"),
    ),
    *_fields(
        "IETF", Category.ROUTING, _GUARDED_ANSWERED,
        ("location", "RFC 9110 §10.2.2", _URL, "Where to go, or what was made"),
    ),
    *_fields(
        "IETF", Category.ROUTING, _INSIDE,
        ("alt-svc", "RFC 7838 §3", _LINES, "Where else it is served"),
    ),
    *_fields(
        "IETF", Category.ROUTING, _ASKED,
        ("alt-used", "RFC 7838 §5", _Shape(r"[A-Za-z0-9._:\[\]\-]++", 262), "Which of the other places is asked"),
    ),
)  # fmt: skip

_SECURITY: Final = (
    *_fields(
        "IETF", Category.SECURITY, _PROOF,
        ("dpop", "RFC 9449 §4.1", _Shape(r"[A-Za-z0-9_\-]++\.[A-Za-z0-9_\-]++\.[A-Za-z0-9_\-]++", 4_096),
         "That the caller holds the key to its token"),
    ),
    *_fields(
        "IETF", Category.SECURITY, _GUARDED_ANSWERED,
        ("authentication-info", "RFC 9110 §11.6.3", _LINES, "What follows from a proof"),
        ("dpop-nonce", "RFC 9449 §8.1", _Shape(r"[!#-\[\]-~]++", 1_024), "What the next proof must hold"),
        ("www-authenticate", "RFC 9110 §11.6.1", _LINES, "How to prove oneself"),
    ),
    *_fields(
        "WHATWG", Category.SECURITY, _GUARDED,
        # A tenant's name may be in its host.
        ("origin", "Fetch, Origin; RFC 6454", _ORIGIN, "Whose page asks"),
    ),
    *_fields(
        "WHATWG", Category.SECURITY, _ASKED,
        ("access-control-request-headers", "Fetch, CORS", _WORDS, "Which headers a page would send"),
        ("access-control-request-method", "Fetch, CORS", _WORD, "Which method it would use"),
    ),
    *_fields(
        "WHATWG", Category.SECURITY, _ANSWERED,
        ("access-control-allow-credentials", "Fetch, CORS", _Shape("true", 4), "Whether cookies may be sent along"),
        ("access-control-allow-headers", "Fetch, CORS", _WORDS, "Which headers other pages may send"),
        ("access-control-allow-methods", "Fetch, CORS", _WORDS, "Which methods they may use"),
        ("access-control-allow-origin", "Fetch, CORS", _ORIGINS, "Whose pages may ask"),
        ("access-control-expose-headers", "Fetch, CORS", _WORDS, "Which headers of the answer they may read"),
        ("access-control-max-age", "Fetch, CORS", _COUNT, "How long all this holds, in seconds"),
        ("cross-origin-embedder-policy", "HTML, Embedder policies", _LINE, "What a page may embed"),
        ("cross-origin-embedder-policy-report-only", "HTML, Embedder policies", _LINE, "The same, to be reported"),
        ("cross-origin-opener-policy", "HTML, Opener policies", _LINE, "Which pages share a window's group"),
        ("cross-origin-opener-policy-report-only", "HTML, Opener policies", _LINE, "The same, to be reported"),
        ("cross-origin-resource-policy", "Fetch, Cross-Origin-Resource-Policy",
         _Shape("same-origin|same-site|cross-origin", 12), "Who may embed it"),
        ("origin-agent-cluster", "HTML, Origin-keyed agent clusters", _TRUTH, "Whether the origin stands alone"),
        ("x-content-type-options", "Fetch, X-Content-Type-Options", _Shape("nosniff", 7), "That the type is as said"),
        ("x-frame-options", "HTML, X-Frame-Options; RFC 7034", _Shape(TEXT, 256), "Who may frame it"),
    ),
    *_fields(
        "W3C", Category.SECURITY, _ASKED,
        ("sec-fetch-dest", "Fetch Metadata", _WORD, "What the content is to be used for"),
        ("sec-fetch-mode", "Fetch Metadata", _WORD, "How it is fetched"),
        ("sec-fetch-site", "Fetch Metadata", _WORD, "How far the asking page's site is from ours"),
        ("sec-fetch-storage-access", "Storage Access Headers", _WORD, "Whether cookies of third parties are there"),
        ("sec-fetch-user", "Fetch Metadata", _TRUTH, "Whether a person clicked"),
        ("sec-gpc", "Global Privacy Control", _Shape("1", 1), "That data must not be sold"),
        ("dnt", "Tracking Preference Expression", _Shape("[01][!-~]*+", 64), "That nobody wants to be tracked"),
    ),
    *_fields(
        "W3C", Category.SECURITY, _ANSWERED,
        ("clear-site-data", "Clear Site Data", _list_of(_STRING.syntax, 512), "What a browser shall forget"),
        ("content-security-policy", "Content Security Policy 3", _POLICY, "What a page may load and do"),
        ("content-security-policy-report-only", "Content Security Policy 3", _POLICY, "The same, to be reported"),
        ("permissions-policy", "Permissions Policy", _POLICY, "Which of a browser's abilities a page may use"),
        ("referrer-policy", "Referrer Policy", _WORDS, "How much of an address goes along"),
    ),
    *_fields(
        "IETF", Category.SECURITY, _ANSWERED,
        ("strict-transport-security", "RFC 6797 §6.1", _Shape(TEXT, 256), "That only TLS is to be used"),
    ),
    *_fields(
        "jQuery", Category.SECURITY, _DEVICE,
        # No standard has it, and scripts send it since. On Android it names the app.
        ("x-requested-with", "jQuery.ajax()", _Shape(r"[A-Za-z0-9._\-]++", 256), "What made the request"),
    ),
)  # fmt: skip

_EVOLUTION: Final = (
    *_fields(
        "W3C", Category.EVOLUTION, _ASKED,
        ("upgrade-insecure-requests", "Upgrade Insecure Requests", _Shape("1", 1), "That TLS is liked better"),
    ),
    *_fields(
        "W3C", Category.EVOLUTION, _DEVICE,
        ("sec-ch-prefers-color-scheme", "User Preference Media Features", _STRING, "Light or dark"),
        ("sec-ch-prefers-reduced-motion", "User Preference Media Features", _STRING, "Whether little shall move"),
        ("sec-ch-prefers-reduced-transparency", "User Preference Media Features", _STRING,
         "Whether little shall shine through"),
        ("sec-ch-ua", "User-Agent Client Hints", _LINES, "Which browser asks"),
        ("sec-ch-ua-arch", "User-Agent Client Hints", _STRING, "On which processor"),
        ("sec-ch-ua-bitness", "User-Agent Client Hints", _STRING, "Of how many bits"),
        ("sec-ch-ua-form-factors", "User-Agent Client Hints", _LINES, "On what kind of device"),
        ("sec-ch-ua-full-version", "User-Agent Client Hints", _STRING, "Which version; of old"),
        ("sec-ch-ua-full-version-list", "User-Agent Client Hints", _LINES, "Which versions of what it is made of"),
        ("sec-ch-ua-mobile", "User-Agent Client Hints", _TRUTH, "Whether it is held in a hand"),
        ("sec-ch-ua-model", "User-Agent Client Hints", _STRING, "Which device"),
        ("sec-ch-ua-platform", "User-Agent Client Hints", _STRING, "On which system"),
        ("sec-ch-ua-platform-version", "User-Agent Client Hints", _STRING, "Which version of it"),
        ("sec-ch-ua-wow64", "User-Agent Client Hints", _TRUTH, "Whether 32 bits run on 64"),
        ("sec-ch-device-memory", "Device Memory", _DECIMAL, "How much memory, in GiB"),
        ("sec-ch-dpr", "Responsive Image Client Hints", _DECIMAL, "How many pixels to one of CSS"),
        ("sec-ch-viewport-height", "Responsive Image Client Hints", _DECIMAL, "How high the window is"),
        ("sec-ch-viewport-width", "Responsive Image Client Hints", _DECIMAL, "How wide the window is"),
        ("sec-ch-width", "Responsive Image Client Hints", _DECIMAL, "How wide the image will be"),
        ("device-memory", "Device Memory", _DECIMAL, "As sec-ch-device-memory; of old"),
        ("downlink", "Network Information API", _DECIMAL, "How fast the network is, in Mbit/s"),
        ("dpr", "Responsive Image Client Hints", _DECIMAL, "As sec-ch-dpr; of old"),
        ("ect", "Network Information API", _WORD, "What the network is as fast as"),
        ("rtt", "Network Information API", _DECIMAL, "How long the network takes, in ms"),
        ("viewport-width", "Responsive Image Client Hints", _DECIMAL, "As sec-ch-viewport-width; of old"),
    ),
)  # fmt: skip

_CONCURRENCY: Final = (
    *_fields(
        "IETF", Category.CONCURRENCY, _ASKED,
        ("if-range", "RFC 9110 §13.1.5", _Shape(rf"{TAG}|{HTTP_DATE}", 256), "The part, if it still is this version"),
    ),
    *_fields(
        "IETF", Category.CONCURRENCY, _ANSWERED,
        ("last-modified", "RFC 9110 §8.8.2", _DATE, "When it was last changed"),
    ),
)  # fmt: skip

ALL: Final[tuple[StandardField, ...]] = (
    *_PROTOCOL,
    *_OBSERVABILITY,
    *_EXECUTION,
    *_ROUTING,
    *_SECURITY,
    *_EVOLUTION,
    *_CONCURRENCY,
)
"""Every one of them, by category."""
