"""analytics: joins exposures with what people did, and says how the ranking experiment goes.

Records come at least once, and every count here is of distinct things: an exposure has its id, a metric event the id of
the action. Both are kept in a file, in one transaction for each batch, before offsets are committed; whoever kills this
service in between makes it see records twice and count them once. What testers do is no metric: their decision came
with the record, and says so.
"""

import json
import os
import sqlite3
import time
from contextlib import closing
from typing import Any

import confluent_kafka

import pennon
import pennon.kafka
from pennon.headers import Boundary, Contract
from streamsocial.contract import EXPOSURES_TOPIC, METRICS_TOPIC, contract
from streamsocial.deciding import connect
from streamsocial.identifying import readers_of
from streamsocial.running import consume, service
from streamsocial.spans import mark_user
from streamsocial.telling import say

SAY_EVERY_S = 2.0

# With a write-ahead log and NORMAL, what is committed outlives this process, and a commit waits for no disk.
TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS exposures (id TEXT PRIMARY KEY, flag TEXT, variant TEXT, user TEXT);
CREATE TABLE IF NOT EXISTS metrics (id TEXT, metric TEXT, user TEXT, PRIMARY KEY (id, metric));
CREATE INDEX IF NOT EXISTS metrics_by_user ON metrics (user);
"""
# Of each variant: how many users were exposed to it, and how much they have liked.
RESULT = """
SELECT variant, count(*), sum((SELECT count(*) FROM metrics m WHERE m.user = e.user AND m.metric = 'like'))
FROM exposures e WHERE flag = 'ranking-experiment' GROUP BY variant ORDER BY variant
"""


class Analytics:
    """The counts."""

    def __init__(self, contract: Contract, readers: Boundary, flags: pennon.Client, store: sqlite3.Connection) -> None:
        self._contract = contract
        self._readers = readers
        self._flags = flags
        self._store = store
        self._store.executescript(TABLES)
        self._say_at_s = 0.0

    def take(self, record: confluent_kafka.Message) -> None:
        """One exposure or metric event."""
        event = json.loads(record.value() or b"{}")
        if record.topic() == EXPOSURES_TOPIC:
            # Batches of many people's: it belongs to nobody's journey.
            self._keep("exposures", event, "id", "flag", "variant", "user")
            return
        with pennon.kafka.process(record, self._contract, boundary=self._readers):
            mark_user(event["user"])
            if self._flags.peek("ranking-experiment").reason is not pennon.Reason.OVERRIDE:
                self._keep("metrics", event, "id", "metric", "user")

    def settle(self) -> None:
        """Make what was taken last, and say how it stands, every other second."""
        self._store.commit()
        if time.monotonic() >= self._say_at_s:
            self._say_at_s = time.monotonic() + SAY_EVERY_S
            rows = self._store.execute(RESULT).fetchall()
            result = {variant: {"exposed": exposed, "likes": likes} for variant, exposed, likes in rows}
            say("experiment", "analytics", result=result)

    def _keep(self, table: str, event: dict[str, Any], *columns: str) -> None:
        places = ", ".join("?" * len(columns))
        self._store.execute(f"INSERT OR IGNORE INTO {table} VALUES ({places})", [event[name] for name in columns])


def main() -> None:
    """Consume until told to end."""
    declared = contract()
    with (
        service("analytics", declared) as ending,
        closing(sqlite3.connect(os.environ["ANALYTICS_FILE"])) as store,
        connect() as flags,
    ):
        flags.wait_ready(5.0)
        analytics = Analytics(declared, readers_of(METRICS_TOPIC), flags, store)
        consume([EXPOSURES_TOPIC, METRICS_TOPIC], analytics.take, ending, settle=analytics.settle)


if __name__ == "__main__":
    main()
