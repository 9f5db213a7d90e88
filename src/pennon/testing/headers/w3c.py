"""W3C's trace-context cases, asked of an application in this process or of a service over HTTP.

Over HTTP a service is asked as the suite's own harness asks it: a POST whose body is a JSON list of objects with `url`
and `arguments`; the service sends a POST to each url, with `arguments` as its body.
"""

import dataclasses
import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

from pennon import otel
from pennon.headers import Contract, Downstream, parse_traceparent
from pennon.testing.headers.callers import Caller, callers_at
from pennon.testing.headers.cases import run_all
from pennon.testing.headers.declared import brought_with
from pennon.testing.headers.driving import App, drive
from pennon.testing.headers.probing import Probe
from pennon.testing.headers.service import door_in, probed
from pennon.testing.headers.spy import Reached
from pennon.testing.headers.w3c_cases import CASES, SPAN_ID, TRACE_ID, Exchange, Lines, W3cCase

_HOST: Final = Downstream("w3c", host="w3c.invalid")
_LIMIT_S: Final = 20.0
_POLL_S: Final = 0.01
_CHUNK_BYTES: Final = 65_536

Ask = Callable[[Lines, int], Sequence[Reached]]
"""Send a request with these headers; what that many calls of the service brought along."""


class W3cTraceContext:
    """The cases; `run` asks an application, `run_at` a service, each raises AssertionError for every case that fails.

    With a mesh boundary: a public one begins every trace anew.
    each_call_has_a_span: whether each call of one request must have a parent of its own. That takes somebody who makes
        spans: None: if OpenTelemetry's SDK is set up here. Without spans, all calls have the request as parent.
    """

    cases: Final = CASES

    def run(
        self,
        app: App,
        *,
        caller: Caller | None = None,
        probe: Probe | None = None,
        each_call_has_a_span: bool | None = None,
    ) -> int:
        """Ask the door itself, or an application in which a probe has "/"; how many cases passed.

        caller: whom the boundary verifies; None: found by its address, of a door.
        """
        has_spans = not otel.is_idle() if each_call_has_a_span is None else each_call_has_a_span
        ask = self.in_process(app, caller=caller, probe=probe)
        return run_all(CASES, lambda case: check(case, ask, has_spans=has_spans))

    def run_at(self, url: str, *, each_call_has_a_span: bool) -> int:
        """Ask a service over HTTP, which reaches this process by loopback; how many cases passed."""
        with over_http(url) as ask:
            return run_all(CASES, lambda case: check(case, ask, has_spans=each_call_has_a_span))

    def in_process(self, app: App, *, caller: Caller | None = None, probe: Probe | None = None) -> Ask:
        """A way to ask the application; to run one case: `check(case, ask, has_spans=…)`."""
        own, asked = probed(app, probe, _with_a_host)
        if own is None:
            raise ValueError("app: give the door itself, or a probe that has a path in the application")
        if caller is None:
            door = door_in(app)
            verified = None if door is None else callers_at(door.boundary).verified
            if verified is None:
                raise ValueError("app: its boundary verifies nobody, so every trace begins anew; use a mesh's")
            caller = verified
        host = next((each for each in own.contract.downstreams if each.host is not None and each.trace), None)
        if host is None:
            raise ValueError("probe: its contract declares no host that gets the trace")
        said = {name.lower() for name, _ in caller.headers}
        brought = [line for line in brought_with(own.contract.fields) if line[0] not in said]

        def ask(lines: Lines, calls: int) -> Sequence[Reached]:
            own.spy.watch(own.contract).clear()
            own.calling, own.copied = ((host.name, host),) * calls, ()
            drive(asked, [("host", "service.test"), *caller.headers, *brought, *lines], address=caller.address)
            return list(own.spy[host.name])

        return ask


def check(case: W3cCase, ask: Ask, *, has_spans: bool) -> None:
    """Ask one case. Raises: AssertionError that names it, and what was sent and came."""
    for exchange in case.exchanges:
        came = ask(exchange.sent, exchange.calls)
        faults = list(_faults(exchange, came, has_spans=has_spans))
        if faults:
            sent = ", ".join(f"{name}: {value}" for name, value in exchange.sent) or "nothing"
            raise AssertionError("\n  ".join([f"{case.name}: {case.says}", f"sent: {sent!a}", *faults]))


def _faults(exchange: Exchange, came: Sequence[Reached], *, has_spans: bool) -> Iterator[str]:
    if len(came) != exchange.calls:
        yield f"expected: {exchange.calls} calls; came: {len(came)}"
        return
    parents = [[value for name, value in reached.lines if name == "traceparent"] for reached in came]
    parsed = [parse_traceparent(lines[0].encode("latin-1")) if len(lines) == 1 else None for lines in parents]
    valid = [each for each in parsed if each is not None]
    if len(valid) != len(parsed):
        yield f"expected: one valid traceparent in each call; came: {parents}"
        return
    sent_ids = {value.strip()[3:35] for _, value in exchange.sent} | {TRACE_ID}
    for parent in valid:
        if (parent.trace_id == TRACE_ID) is not exchange.goes_on or (
            not exchange.goes_on and parent.trace_id in sent_ids
        ):
            yield f"expected: {'the trace' if exchange.goes_on else 'another trace'}; came: {parent.trace_id}"
        if parent.parent_id == SPAN_ID:
            yield "expected: a parent of the service's own; came: the caller's"
    if has_spans and len({parent.parent_id for parent in valid}) != len(valid):
        yield "expected: a parent for each call; came: one for several"
    for reached in came:
        yield from _state_faults(exchange, reached)


def _state_faults(exchange: Exchange, reached: Reached) -> Iterator[str]:
    # Taken apart without being judged: a reader of ours would overlook what should not have been sent.
    lines = [value for name, value in reached.lines if name == "tracestate"]
    members = [piece.strip(" \t") for line in lines for piece in line.split(",")]
    sent = {piece.strip() for name, value in exchange.sent if name != "traceparent" for piece in value.split(",")}
    # The service may have put a member of its own in front.
    kept = tuple(member for member in members if member in sent)
    if kept != exchange.state and (kept or not exchange.is_of_level_2):
        yield f"expected tracestate: {','.join(exchange.state)!a}; came: {','.join(members)!a}"


def _with_a_host(contract: Contract) -> Contract:
    """The contract, with a host more if none of its own may have the trace."""
    if any(each.host is not None and each.trace for each in contract.downstreams):
        return contract
    return dataclasses.replace(contract, downstreams=(*contract.downstreams, _HOST))


@contextmanager
def over_http(url: str) -> Iterator[Ask]:
    """A way to ask a service, as long as the block lasts."""
    came: list[Reached] = []

    class Harness(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            lines = tuple((name.lower(), value) for name, value in self.headers.raw_items())
            came.append(Reached("harness", lines, "POST", self.path))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Not to standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Harness)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(_POLL_S,))
    thread.start()

    def ask(lines: Lines, calls: int) -> Sequence[Reached]:
        came.clear()
        here = f"http://127.0.0.1:{server.server_port}"
        _post(url, lines, [{"url": f"{here}/{number}", "arguments": []} for number in range(calls)])
        return list(came)

    try:
        yield ask
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _post(url: str, lines: Lines, calls: list[dict[str, Any]]) -> None:
    """A request as it stands, byte by byte: client libraries tidy what is to be tested."""
    place = urlsplit(url)
    body = json.dumps(calls).encode()
    head = [f"POST {place.path or '/'} HTTP/1.1", f"host: {place.netloc}", "connection: close"]
    head += [f"content-length: {len(body)}", "content-type: application/json"]
    head += [f"{name}: {value}" for name, value in lines]
    with socket.create_connection((place.hostname or "", place.port or 80), timeout=_LIMIT_S) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode("latin-1") + body)
        while connection.recv(_CHUNK_BYTES):
            pass  # its calls are what counts; it has made them when it has answered
