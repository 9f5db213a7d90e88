"""What lies between two of ours: nothing, or a hop that knows only OpenTelemetry and writes baggage in its own way."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote, quote_plus, unquote

from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context

from pennon.headers import Headers

Rewriting = Callable[[Headers], Headers]

_PROPAGATOR = W3CBaggagePropagator()


def _as_it_is(headers: Headers) -> Headers:
    return headers


def _python(headers: Headers) -> Headers:
    """OpenTelemetry's own propagator for Python, in and out."""
    carrier = {name.decode(): (value or b"").decode("latin-1") for name, value in headers}
    out: dict[str, str] = {}
    _PROPAGATOR.inject(out, _PROPAGATOR.extract(carrier, Context()))
    return _with_baggage(headers, [out["baggage"]] if out else [])


def _java(headers: Headers) -> Headers:
    """Java's: its percent escaper keeps letters, digits and "-_.", members come in a map's order."""
    return _with_baggage(
        headers, [",".join(f"{key}={quote(value, safe='')}" for key, value in _members(headers)[::-1])]
    )


def _node(headers: Headers) -> Headers:
    """Node's: encodeURIComponent on key and value, and a member of its own before ours."""
    members = [("region", "eu-1"), *_members(headers)]
    return _with_baggage(headers, [",".join(f"{quote(key)}={quote(value, safe=_UNESCAPED)}" for key, value in members)])


def _everything(headers: Headers) -> Headers:
    """Every byte of a value percent-encoded, blanks around it."""
    written = [f" {key} = {''.join(f'%{byte:02x}' for byte in value.encode())} " for key, value in _members(headers)]
    return _with_baggage(headers, [",".join(written)])


def _form(headers: Headers) -> Headers:
    """Form encoding, a property on each member."""
    return _with_baggage(headers, [",".join(f"{key}={quote_plus(value)};p=1" for key, value in _members(headers))])


def _twice(headers: Headers) -> Headers:
    """Two header lines that say the same, somebody else's member between them."""
    lines = [line for name, value in headers if name == b"baggage" for line in [(value or b"").decode("latin-1")]]
    return _with_baggage(headers, [*lines, "tenant=acme", *lines])


def _damaged(headers: Headers) -> Headers:
    """A proxy that cuts a long header's end, and something that is no text beside it."""
    lines = [(value or b"").decode("latin-1") for name, value in headers if name == b"baggage"]
    return _with_baggage(headers, ["broken=%ff%fe", *(line[:-1] for line in lines)])


def _with_noise(headers: Headers) -> Headers:
    """Groups that are none, behind those that are."""
    noise = ".." + ".".join(["AAAA", "A", "AAAAAAAAAAA", "%C3%A9", "~", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"])
    return _with_baggage(
        headers, [",".join(f"{key}={quote(value, safe='')}{noise}" for key, value in _members(headers))]
    )


REWRITINGS: Final[tuple[Rewriting, ...]] = (
    _as_it_is,
    _python,
    _java,
    _node,
    _everything,
    _form,
    _twice,
    _damaged,
    _with_noise,
)

_UNESCAPED: Final = "!~*'()"


def _members(headers: Headers) -> list[tuple[str, str]]:
    lines = [(value or b"").decode("latin-1") for name, value in headers if name == b"baggage"]
    pieces = [piece.partition(";")[0].partition("=") for line in lines for piece in line.split(",") if piece.strip()]
    return [(unquote(key.strip()), unquote(value.strip())) for key, _, value in pieces]


def _with_baggage(headers: Headers, lines: list[str]) -> Headers:
    kept = [(name, value) for name, value in headers if name != b"baggage"]
    return (*kept, *((b"baggage", line.encode("latin-1")) for line in lines if line))
