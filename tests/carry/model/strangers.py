"""What a stranger may send to a public boundary: nothing, what it has stolen, what it has made up."""

from collections.abc import Callable
from typing import Final

from pennon.headers import Headers

_REPLAY_AND_CUT: Final = b"A0sLvjc"


def _nothing(_: Headers) -> Headers:
    return ()


def _stolen(stolen: Headers) -> Headers:
    """The very headers of one of our records."""
    return stolen


def _stolen_in_all_places(stolen: Headers) -> Headers:
    """Our member wherever it might be read."""
    value = _member(stolen)
    return (
        (b"Baggage", b"a=b, pennon=" + value),
        (b"baggage", b" pennon = " + b"".join(b"%%%02X" % byte for byte in value)),
        (b"baggage", b"pennon2=" + value + b";p=1,pennon;x=y,pennon=" + value),
        (b"pennon-decided", value),
        (b"Pennon-Context", value),
        (b"x-request-id", value[:40]),
    )


def _marked(_: Headers) -> Headers:
    """Says that it is a replay, and that decisions were cut."""
    return ((b"baggage", b"pennon=" + _REPLAY_AND_CUT), (b"pennon-override", b"e30.e30.e30"))


def _nonsense(_: Headers) -> Headers:
    return (
        (b"baggage", b"\xff\x00,,=;=,pennon=\x80,pennon=%,pennon=%%%,pennon=" + b"." * 300),
        (b"baggage", b"pennon=" + b"A" * 9_000),
        (b"pennon-override", b"\xff\xfe" * 2_000),
        (b"", b""),
        (b"traceparent", b"00-\xc3\xa9"),
        (b"tracestate", None),
    )


SENT: Final[tuple[Callable[[Headers], Headers], ...]] = (_nothing, _stolen, _stolen_in_all_places, _marked, _nonsense)


def _member(headers: Headers) -> bytes:
    line = next((value for name, value in headers if name == b"baggage" and value is not None), b"pennon=")
    return line.partition(b"pennon=")[2].partition(b",")[0]
