"""Points and spans of time as headers write them, to and from nanoseconds.

RFC 3339 §5.6: date-time with "Z" or a numeric offset; "t" and "z" may be lower case; a second 60 is a leap second, and
here the start of the minute after it. Digits of a fraction beyond the ninth are cut off.
grpc-timeout (gRPC over HTTP/2, "Requests"): 1 to 8 digits and one of H M S m u n.
"""

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final

S_NS: Final = 1_000_000_000
MS_NS: Final = 1_000_000

_DATE_TIME: Final = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d{1,30}))?"
    rb"(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))"
)
# What nearly everybody writes: UTC, with "Z", and no more digits than count. The groups are what `utc_ns` takes.
UTC_SYNTAX: Final = r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]):([0-5][0-9])(?:\.([0-9]{1,9}))?Z"
_UTC: Final = re.compile(UTC_SYNTAX.encode())
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # UTC, as everything here; an aware one costs more and says no more
_EPOCH_DAY: Final = _EPOCH.toordinal()

# By the number of digits of a fraction: what its last one counts.
_SCALES: Final = tuple(10 ** (9 - digits) for digits in range(10))

# 15 digits are 31,700 years.
_MS: Final = re.compile(rb"\d{1,15}")
_GRPC: Final = re.compile(rb"(\d{1,8})([HMSmun])")
_GRPC_UNITS_NS: Final = {"n": 1, "u": 1_000, "m": MS_NS, "S": S_NS, "M": 60 * S_NS, "H": 3_600 * S_NS}
_GRPC_LIMIT: Final = 100_000_000


def parse_rfc3339_ns(value: bytes) -> int | None:
    """Nanoseconds since 1970, negative before it; None if it is no date-time with an offset."""
    usual = _UTC.fullmatch(value)
    if usual is not None:
        minute, second, fraction = usual.groups()
        return utc_ns(minute.decode(), second, fraction)
    match = _DATE_TIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, *offset = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    except ValueError:
        return None
    seconds = ((days * 24 + int(hour)) * 60 + int(minute)) * 60 + int(second)
    if sign is not None:
        offset_s = (int(offset[0]) * 60 + int(offset[1])) * 60
        seconds -= offset_s if sign == b"+" else -offset_s
    return seconds * S_NS + (int(fraction[:9].ljust(9, b"0")) if fraction else 0)


def utc_ns(minute: str, second: str | bytes, fraction: str | bytes | None) -> int | None:
    """Nanoseconds since 1970 of what matched `UTC_SYNTAX`; None if there is no such day."""
    minute_ns = _minute_ns(minute)
    if minute_ns is None:
        return None
    return minute_ns + int(second) * S_NS + (int(fraction) * _SCALES[len(fraction)] if fraction else 0)


# Deadlines that come in one after the other mostly share their minute.
@lru_cache(maxsize=64)
def _minute_ns(text: str) -> int | None:
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        return None
    return (since.days * 86_400 + since.seconds) * S_NS


def format_rfc3339(at_ns: int) -> bytes:
    """A time since 1970, cut to milliseconds, in UTC: it ends in "Z".

    Raises: OverflowError outside the years 1 to 9999.
    """
    second, rest_ns = divmod(at_ns, S_NS)
    return b"%b.%03dZ" % (_second(second), rest_ns // MS_NS)


# Times that are written one after the other mostly share their second.
@lru_cache(maxsize=64)
def _second(since_1970_s: int) -> bytes:
    return (_EPOCH + timedelta(seconds=since_1970_s)).isoformat().encode()


def parse_ms_ns(value: bytes) -> int | None:
    """Whole milliseconds, 1 to 15 digits, as nanoseconds; None for everything else."""
    return int(value) * MS_NS if _MS.fullmatch(value) else None


def parse_grpc_timeout_ns(value: bytes) -> int | None:
    """A grpc-timeout in nanoseconds; None for everything else."""
    match = _GRPC.fullmatch(value)
    return None if match is None else int(match[1]) * _GRPC_UNITS_NS[match[2].decode()]


def format_grpc_timeout(timeout_ns: int) -> bytes:
    """A span of 0 or more as grpc-timeout, in the finest unit in which 8 digits hold it; what is finer is cut off."""
    for letter, unit_ns in _GRPC_UNITS_NS.items():
        count = timeout_ns // unit_ns
        if count < _GRPC_LIMIT:
            return b"%d%b" % (count, letter.encode())
    return b"%dH" % (_GRPC_LIMIT - 1)
