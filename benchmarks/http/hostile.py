"""Headers that cost much where they are parsed before they are counted, and several such in one request.

A set holds what one kind of sender may send: what a stranger's counts for, a verified caller's does as well. Refused or
served, a door has made its answer when the clock stops.
"""

from collections.abc import Sequence
from typing import Final

from benchmarks.floor import Job

from pennon.carry import encode_entries
from pennon.context import Entry, Origin
from pennon.headers import Contract, Headers, extract

Lines = tuple[tuple[bytes, bytes], ...]

_ENTROPY: Final = bytes(range(1, 41))
_TRACE_ID: Final = b"8a3c60f7d188f8fa79d48a391a778fa6"
TRACEPARENT: Final = (b"traceparent", b"00-%b-00f7d188f8fa79d4-01" % _TRACE_ID)

PERCENT_ENCODED: Final = (b"baggage", b",".join(b"k%d=%%C3%%A9%%C3" % number for number in range(430)))
LONG_MEMBERS: Final = (b"baggage", b",".join([b"region=" + b"%C3%A9" * 20] * 64))
STATE: Final = (b"tracestate", b",".join(b"k%d=%b" % (number, b"v" * 120) for number in range(32)))
# Each proxy is one of ours, and none tells who came to it in fewer characters than it may.
_ELEMENT: Final = b'for="10.0.0.3:_%b";by="10.0.0.4";host="%b";proto="https"' % (b"a" * 32, b'\\"' * 100)
FORWARDED: Final = (b"forwarded", b", ".join([_ELEMENT] * 12))
# The most pairs that an element may have, and addresses that are long to read and of a proxy of ours.
_DEAR_ELEMENT: Final = b'for="[0:0:0:0:0:ffff:10.200.130.%d]:4711";' + b";".join(b"x%d=1" % pair for pair in range(7))
DEAR_FORWARDED: Final = (b"forwarded", b", ".join(_DEAR_ELEMENT % proxy for proxy in range(12)))
DEAR_X_FORWARDED: Final = (
    b"x-forwarded-for", b", ".join(b"0:0:0:0:0:ffff:10.200.130.%d" % proxy for proxy in range(12))
)  # fmt: skip
BROKEN_ESCAPES: Final = (b"baggage", b",".join([b"region=" + b"%C3%A9" * 18 + b"%zz"] * 64))
OPEN_QUOTES: Final = (b"forwarded", b'for=10.0.0.3;host="' + b"a,b,c,d=e," * 40 + b'"')
X_FORWARDED: Final = tuple(
    (b"x-forwarded-" + name, b", ".join([value] * 40))
    for name, value in ((b"for", b"[2001:db8::10.0.0.3]:4711"), (b"proto", b"https"), (b"host", b"orders.example:8443"))
)
NOMINATED: Final = (b"connection", b",".join([b"X-Tenant-Id", b"baggage", b"accept"] * 34))


def _lines(name: bytes, value: bytes, count: int = 90) -> Lines:
    return ((name, value),) * count


def _carried(count: int) -> bytes:
    entries = [Entry(7, 9, 0xABC000, 29_000_000, 11 + flag, 1, Origin.SPLIT, 41) for flag in range(count)]
    return encode_entries(entries).value.encode()


SETS: Final[dict[str, Sequence[tuple[bytes, bytes]]]] = {
    "16 members, percent-encoded": ((b"baggage", b",".join(b"k%d=%%C3%%A9%%C3" % number for number in range(16))),),
    "64 members that break a line": ((b"baggage", b",".join(b"k%d=%%0D%%0A" % number for number in range(64))),),
    "one member of 2,700 escapes": ((b"baggage", b"region=" + b"%C3%A9" * 1_350),),
    "8,191 commas of baggage": ((b"baggage", b"," * 8191),),
    "200 members": ((b"baggage", b",".join(b"key%d=value%d" % (number, number) for number in range(200))),),
    "430 members, percent-encoded": (PERCENT_ENCODED,),
    "64 long members of a declared key": (LONG_MEMBERS,),
    "64 members of broken escapes": (BROKEN_ESCAPES,),
    "8 kB of properties": ((b"baggage", b",".join([b"region=eu;" + b"p=1;" * 28] * 64)),),
    "4,096 members of one letter": ((b"baggage", b"a," * 4096),),
    "90 lines of baggage": _lines(b"baggage", b"k%C3%A9=1,region=%C3%A9%C3"),
    "8 kB of spaces around nothing": ((b"baggage", b"k=" + b" " * 8000 + b"\x01"),),
    "1 MB of baggage": ((b"baggage", b"k=" + b"v" * 1_000_000),),
    "decisions, as many as fit": ((b"baggage", b"pennon=" + _carried(90)),),
    "decisions in 64 members": ((b"baggage", b",".join([b"pennon=" + _carried(1)] * 64)),),
    "decisions in 300 groups": ((b"baggage", b"pennon=" + b"AAAA." * 200),),
    "1 MB of tracestate": (TRACEPARENT, (b"tracestate", b"a=1," * 250_000)),
    "8,000 commas of tracestate": (TRACEPARENT, (b"tracestate", b"," * 8000)),
    "32 members of tracestate": (TRACEPARENT, STATE),
    "32 members of tracestate, of one key": (TRACEPARENT, (b"tracestate", b",".join([b"k=" + b"v" * 120] * 32))),
    "a full chain of Forwarded": (FORWARDED,),
    "a full chain of dear addresses": (DEAR_FORWARDED,),
    "two full chains of dear addresses": (DEAR_FORWARDED, DEAR_X_FORWARDED),
    "quotes that stay open in Forwarded": (OPEN_QUOTES,),
    "full chains of X-Forwarded": X_FORWARDED,
    "two full chains": (FORWARDED, *X_FORWARDED),
    "90 equal traceparents": _lines(*TRACEPARENT),
    "90 lines of a list": _lines(b"accept", b"text/html;q=0.5, */*"),
    "90 request ids that differ": tuple((b"x-request-id", b"r-%d" % number) for number in range(90)),
    "a Connection that names 102": (NOMINATED, (b"x-tenant-id", b"t"), (b"baggage", b"region=eu"), (b"accept", b"*/*")),
    "100 names that nobody knows": tuple((b"X-Later-%d" % number, b"1") for number in range(100)),
    "5,000 headers": tuple((b"x-header-%d" % number, b"value") for number in range(5_000)),
    "several at once, of baggage and trace": (TRACEPARENT, PERCENT_ENCODED, STATE, FORWARDED),
    "several at once, of proxies": (
        TRACEPARENT, (b"tracestate", b",".join(b"k%d=1" % number for number in range(32))), LONG_MEMBERS,
        (FORWARDED[0], FORWARDED[1][:2_500]), *X_FORWARDED,
    ),
    "several at once, each the dearest": (TRACEPARENT, STATE, BROKEN_ESCAPES, DEAR_FORWARDED, DEAR_X_FORWARDED),
    "several at once, in many lines": (
        TRACEPARENT, STATE, PERCENT_ENCODED, *X_FORWARDED, *_lines(b"X-Later", b"1", 80), NOMINATED
    ),
}  # fmt: skip


def extracting(contract: Contract, lines: Headers, now_ns: int) -> dict[str, Job]:
    """Reading these headers as a stranger's, as a verified caller's, and as a record's; a proxy of ours sent them."""

    def reading(*, is_trusted: bool, stops: bool) -> Job:
        def job(count: int) -> None:
            for _ in range(count):
                extract(
                    contract, lines, is_trusted=is_trusted, entropy=_ENTROPY, now_ns=now_ns,
                    monotonic_ns=1_000_000_000, peer="10.1.2.3", stops=stops,
                )  # fmt: skip

        return job

    return {
        "extract, public": reading(is_trusted=False, stops=True),
        "extract, mesh": reading(is_trusted=True, stops=True),
        "extract, record": reading(is_trusted=True, stops=False),
    }
