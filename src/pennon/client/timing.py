"""How long a client waits for what."""

import msgspec


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, unless the name says otherwise. The defaults keep what the server promises; tests shorten them.

    silence_s: the server pings every 5 s or less; after this much silence the stream counts as cut.
    connect_s: to open a connection, and to wait for an answer that is not a stream.
    base_s, cap_s: of the full-jitter delay before connecting again (`sync.delay_s`).
    retry_after_cap_s: a server that asks for a longer pause is asked again after this.
    poll_after_count: failed streams in a row after which the ruleset is also polled. poll_s: between two polls.
    resync_s: at most one resync in this time.
    flush_s: between two batches of exposures, and between two reports.
    takeover_s: between two looks for what processes that are gone have left in the spool.
    close_s: that `close()` waits for the threads and the last batch together.
    """

    silence_s: float = 10.0
    connect_s: float = 5.0
    base_s: float = 0.5
    cap_s: float = 30.0
    retry_after_cap_s: float = 300.0
    poll_after_count: int = 3
    poll_s: float = 10.0
    resync_s: float = 1.0
    flush_s: float = 1.0
    takeover_s: float = 30.0
    close_s: float = 2.0
