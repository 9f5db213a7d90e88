"""What W3C's test suite for trace context asks at strict level 2, as data: what is sent, and what goes on.

Source: https://github.com/w3c/trace-context, test/test.py, its 40 functions. Trace Context level 2 §3.3.1.3.1 lets "@"
stand anywhere in a key but first; where the suite still asks for level 1's keys, what is asked here is level 2's: in
`tracestate_key_illegal_vendor_format` and `tracestate_key_length_limit`.
"""

from typing import Final

import msgspec

TRACE_ID: Final = "12345678901234567890123456789012"
SPAN_ID: Final = "1234567890123456"

Lines = tuple[tuple[str, str], ...]


class Exchange(msgspec.Struct, frozen=True):
    """One request, and what the service's own calls must bring with them.

    goes_on: the trace is the sent one; else it is new, and no piece of the sent one is in it.
    state: the members of the tracestate that arrive, in order; of those sent no others do.
    calls: how many calls are made.
    is_of_level_2: a key is none of level 1's. OpenTelemetry's SDK keeps to those: where it holds the state, it is gone.
    """

    sent: Lines
    goes_on: bool
    state: tuple[str, ...] = ()
    calls: int = 1
    is_of_level_2: bool = False


class W3cCase(msgspec.Struct, frozen=True):
    """One function of the suite. name: the suite's, without "test_". says: what it is about."""

    name: str
    says: str
    exchanges: tuple[Exchange, ...]

    def __str__(self) -> str:
        return self.name


def _parent(value: str = "", *, trace_id: str = TRACE_ID, span_id: str = SPAN_ID, flags: str = "01") -> tuple[str, str]:
    return "traceparent", value or f"00-{trace_id}-{span_id}-{flags}"


def _case(name: str, says: str, *exchanges: Exchange) -> W3cCase:
    return W3cCase(name, says, exchanges)


def _begins(*values: str) -> tuple[Exchange, ...]:
    """Each of these traceparents is not understood: a trace begins anew."""
    return tuple(Exchange((_parent(value),), goes_on=False) for value in values)


def _goes_on(*values: str) -> tuple[Exchange, ...]:
    """Each of these traceparents is continued."""
    return tuple(Exchange((_parent(value),), goes_on=True) for value in values)


def _keeps(state: str, *lines: str, is_of_level_2: bool = False) -> Exchange:
    """Of these tracestate lines, this arrives."""
    sent = (_parent(flags="00"), *(("tracestate", line) for line in lines))
    members = tuple(state.split(",")) if state else ()
    return Exchange(sent, goes_on=True, state=members, is_of_level_2=is_of_level_2)


_WHOLE: Final = f"00-{TRACE_ID}-{SPAN_ID}-01"
_KEY: Final = "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
_VALUE: Final = "".join(map(chr, range(0x20, 0x7F))).replace(",", "").replace("=", "")
_MANY: Final = [f"bar{number:02}={number:02}" for number in range(1, 34)]
_LINES: Final = [",".join(_MANY[begin : begin + 10]) for begin in (0, 10, 20)]

CASES: Final[tuple[W3cCase, ...]] = (
    _case("both_traceparent_and_tracestate_missing", "a trace begins where there is none", Exchange((), goes_on=False)),
    _case("traceparent_included_tracestate_missing", "the trace goes on with another parent", *_goes_on(_WHOLE)),
    _case(
        "traceparent_duplicated",
        "of two nobody can say which one counts",
        Exchange((_parent(trace_id=TRACE_ID[:-1] + "1"), _parent()), goes_on=False),
    ),
    _case(
        "traceparent_header_name",
        "no other name means the same",
        *(Exchange(((name, _WHOLE),), goes_on=False) for name in ("trace-parent", "trace.parent")),
    ),
    _case(
        "traceparent_header_name_valid_casing",
        "names are compared without case",
        *(Exchange(((name, _WHOLE),), goes_on=True) for name in ("TraceParent", "TrAcEpArEnT", "TRACEPARENT")),
    ),
    _case(
        "traceparent_version_0x00",
        "version 00 ends after its flags",
        *_begins(f"{_WHOLE}.", f"{_WHOLE}-what-the-future-will-be-like"),
    ),
    _case(
        "traceparent_version_0xcc",
        "a later version is read as far as it is known; what follows is set off by a dash",
        *_goes_on(f"cc{_WHOLE[2:]}", f"cc{_WHOLE[2:]}-what-the-future-will-be-like"),
        *_begins(f"cc{_WHOLE[2:]}.what-the-future-will-be-like"),
    ),
    _case("traceparent_version_0xff", "version ff is none", *_begins(f"ff{_WHOLE[2:]}")),
    _case(
        "traceparent_version_illegal_characters",
        "a version is hexadecimal",
        *_begins(f".0{_WHOLE[2:]}", f"0.{_WHOLE[2:]}"),
    ),
    _case("traceparent_version_too_long", "two digits", *_begins(f"000{_WHOLE[2:]}", f"0000{_WHOLE[2:]}")),
    _case("traceparent_version_too_short", "two digits", *_begins(_WHOLE[1:])),
    _case("traceparent_trace_id_all_zero", "zero is no trace", *_begins(f"00-{'0' * 32}-{SPAN_ID}-01")),
    _case(
        "traceparent_trace_id_illegal_characters",
        "a trace id is hexadecimal",
        *_begins(f"00-.{TRACE_ID[1:]}-{SPAN_ID}-01", f"00-{TRACE_ID[:-1]}.-{SPAN_ID}-01"),
    ),
    _case("traceparent_trace_id_too_long", "32 digits", *_begins(f"00-{TRACE_ID}3-{SPAN_ID}-01")),
    _case("traceparent_trace_id_too_short", "32 digits", *_begins(f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01")),
    _case("traceparent_parent_id_all_zero", "zero is no parent", *_begins(f"00-{TRACE_ID}-{'0' * 16}-01")),
    _case(
        "traceparent_parent_id_illegal_characters",
        "a parent id is hexadecimal",
        *_begins(f"00-{TRACE_ID}-.{SPAN_ID[1:]}-01", f"00-{TRACE_ID}-{SPAN_ID[:-1]}.-01"),
    ),
    _case("traceparent_parent_id_too_long", "16 digits", *_begins(f"00-{TRACE_ID}-{SPAN_ID}7-01")),
    _case("traceparent_parent_id_too_short", "16 digits", *_begins(f"00-{TRACE_ID}-{SPAN_ID[:-1]}-01")),
    _case(
        "traceparent_trace_flags_illegal_characters",
        "flags are hexadecimal",
        *_begins(f"{_WHOLE[:-2]}.0", f"{_WHOLE[:-2]}0."),
    ),
    _case("traceparent_trace_flags_too_long", "two digits", *_begins(f"{_WHOLE[:-2]}001")),
    _case("traceparent_trace_flags_too_short", "two digits", *_begins(f"{_WHOLE[:-2]}1")),
    _case(
        "traceparent_ows_handling",
        "white space around a value is not part of it",
        *_goes_on(f" {_WHOLE}", f"\t{_WHOLE}", f"{_WHOLE} ", f"{_WHOLE}\t", f"\t {_WHOLE} \t"),
    ),
    _case(
        "tracestate_included_traceparent_missing",
        "a tracestate alone belongs to nothing",
        *(Exchange((("tracestate", state),), goes_on=False) for state in ("foo=1", "foo=1,bar=2")),
    ),
    _case("tracestate_included_traceparent_included", "both go on", _keeps("foo=1,bar=2", "foo=1,bar=2")),
    _case(
        "tracestate_header_name",
        "no other name means the same",
        *(Exchange((_parent(flags="00"), (name, "foo=1")), goes_on=True) for name in ("trace-state", "trace.state")),
    ),
    _case(
        "tracestate_header_name_valid_casing",
        "names are compared without case",
        *(
            Exchange((_parent(flags="00"), (name, "foo=1")), goes_on=True, state=("foo=1",))
            for name in ("TraceState", "TrAcEsTaTe", "TRACESTATE")
        ),
    ),
    _case(
        "tracestate_empty_header",
        "an empty line holds no member, and takes none away",
        _keeps("", ""),
        _keeps("foo=1", "foo=1", ""),
        _keeps("foo=1", "", "foo=1"),
    ),
    _case(
        "tracestate_multiple_headers_different_keys",
        "several lines are one list, in order",
        _keeps("foo=1,bar=2,rojo=1,congo=2,baz=3", "foo=1,bar=2", "rojo=1,congo=2", "baz=3"),
    ),
    _case(
        "tracestate_duplicated_keys",
        "a key that stands twice makes the list invalid",
        _keeps("", "foo=1,foo=1"),
        _keeps("", "foo=1,foo=2"),
        _keeps("", "foo=1", "foo=1"),
        _keeps("", "foo=1", "foo=2"),
    ),
    _case(
        "tracestate_all_allowed_characters",
        "whatever may stand there arrives",
        _keeps(f"{_KEY}={_VALUE}", f"{_KEY}={_VALUE}"),
        _keeps(f"{_KEY}@a-z0-9_-*/={_VALUE}", f"{_KEY}@a-z0-9_-*/={_VALUE}"),
    ),
    _case(
        "tracestate_ows_handling",
        "white space around members and the value is not part of them",
        _keeps("foo=1,bar=2,baz=3", "foo=1 \t , \t bar=2, \t baz=3"),
        _keeps("foo=1,bar=2,baz=3", "foo=1\t \t,\t \tbar=2,\t \tbaz=3"),
        *(_keeps("foo=1", line) for line in (" foo=1", "\tfoo=1", "foo=1 ", "foo=1\t", "\t foo=1 \t")),
    ),
    _case(
        "tracestate_key_illegal_characters",
        "a key is of a-z 0-9 _ - * / @",
        *(_keeps("", line) for line in ("foo =1", "FOO=1", "foo.bar=1")),
    ),
    _case(
        "tracestate_key_illegal_vendor_format",
        "a key does not begin with an at sign",
        _keeps("", "@foo=1,bar=2"),
        *(
            _keeps(line, line, is_of_level_2=True)
            for line in ("foo@=1,bar=2", "foo@@bar=1,bar=2", "foo@bar@baz=1,bar=2")
        ),
    ),
    _case(
        "tracestate_member_count_limit",
        "32 members, not one more",
        _keeps(",".join(_MANY[:32]), *_LINES, ",".join(_MANY[30:32])),
        _keeps("", *_LINES, ",".join(_MANY[30:33])),
    ),
    _case(
        "tracestate_key_length_limit",
        "a key has 256 characters at most",
        *(_keeps(f"foo=1,{key}=1", "foo=1", f"{key}=1") for key in ("z" * 256, f"{'t' * 241}@{'v' * 14}")),
        *(
            _keeps(f"foo=1,{key}=1", "foo=1", f"{key}=1", is_of_level_2=True)
            for key in (f"{'t' * 242}@v", f"t@{'v' * 15}")
        ),
        *(_keeps("", "foo=1", f"{key}=1") for key in ("z" * 257, f"{'t' * 242}@{'v' * 15}")),
    ),
    _case(
        "tracestate_value_illegal_characters",
        "a value is not empty, and holds neither comma nor equals sign",
        _keeps("", "foo=bar=baz"),
        _keeps("", "foo=,bar=3"),
    ),
    _case(
        "multiple_requests_with_valid_traceparent",
        "all calls of a request are of its trace",
        Exchange((_parent(),), goes_on=True, calls=3),
    ),
    _case("multiple_requests_without_traceparent", "all calls have a parent", Exchange((), goes_on=False, calls=3)),
    _case(
        "multiple_requests_with_illegal_traceparent",
        "none of them is of a trace that cannot be",
        Exchange((_parent(trace_id="0" * 32),), goes_on=False, calls=3),
    ),
)  # fmt: skip
