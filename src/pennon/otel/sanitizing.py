"""Which headers OpenTelemetry's own instrumentations must not put on spans as they came."""

import re

from pennon.headers import Contract, Log
from pennon.headers.redaction import logging_rules


def sanitize_fields(contract: Contract) -> str:
    """The value for OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS.

    Instrumentations that were told to capture headers then write `[REDACTED]` for every header that may not be logged
    in clear: what the contract or `std` says so of, and what nobody has declared. Set it before they are installed.

    It is one pattern that names what is harmless, and matches everything else: the variable is a list, divided by
    commas, of regular expressions that are searched for in a header's name, whatever its case.
    """
    clear = sorted(name for name, rule in logging_rules(contract).items() if rule is Log.CLEAR)
    # Some instrumentations hand in names with underscores.
    harmless = "|".join(re.escape(name).replace(r"\-", "[-_]") for name in clear)
    return rf"^(?!(?:{harmless})\Z)"
