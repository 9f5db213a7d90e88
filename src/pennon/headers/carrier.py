"""The one carrier for HTTP headers and record headers."""

from collections.abc import Sequence

# Names are bytes, compared without case. A record's value may be None, and any bytes at all.
Headers = Sequence[tuple[bytes, bytes | None]]
