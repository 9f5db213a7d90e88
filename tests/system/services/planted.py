"""A public service that logs, calls and produces what it can: `python planted.py`, its settings as JSON in PLANTED.

The same work behind an ASGI and behind a WSGI door. Every request logs all of its headers by both libraries, fails with
a header in the exception, calls three hosts and writes two records. LEAKY=1: `/leak` says one header raw on every
channel, past everything of ours, so that whoever searches can show that it would have found it.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from wsgiref.simple_server import make_server

import confluent_kafka
import httpx
import structlog
import uvicorn
from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

import pennon
import pennon.http
import pennon.kafka
from pennon.headers import BaggagePolicy, Contract, Downstream, Identity, public, std
from pennon.logs import ContextFilter, structlog_processor

SETTINGS: dict[str, Any] = json.loads(os.environ["PLANTED"])
FOLDER = Path(SETTINGS["folder"])
HOSTS: dict[str, str] = SETTINGS["hosts"]
TOPICS: dict[str, str] = SETTINGS["topics"]
LEAKY = bool(SETTINGS["leaky"])

CONTRACT = Contract(
    "planted",
    version="1",
    owner="tests",
    fields=[std.TENANT_ID, std.ACTOR_ID, std.ACTOR_TYPE, std.ON_BEHALF_OF],
    baggage=BaggagePolicy(allow=["tenant.tier"]),
    downstreams=[
        Downstream("ours", host=HOSTS["declared"], tenant=True, actor=True),
        Downstream("theirs", host=HOSTS["external"], external=True),
        Downstream("written", topic=TOPICS["declared"]),
    ],
)
IDENTITY = Identity(tenant=SETTINGS["tenant"], actor=SETTINGS["actor"], units={"user": SETTINGS["actor"]})
BOUNDARY = public(identity=lambda _: IDENTITY)


class AsJson(logging.Formatter):
    """Everything that a record holds, in a line."""

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return json.dumps({"text": text, **record.__dict__}, default=repr)


def log_to_files() -> None:
    filtered = logging.FileHandler(FOLDER / "logging.log")
    filtered.setFormatter(AsJson())
    printed = logging.StreamHandler(sys.stderr)
    for handler in (filtered, printed):
        handler.addFilter(ContextFilter(CONTRACT, salt=b"salt"))
    logging.basicConfig(level=logging.DEBUG, handlers=[filtered, printed])
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog_processor(CONTRACT, salt=b"salt"),
            structlog.processors.JSONRenderer(default=repr),
        ],
        logger_factory=structlog.WriteLoggerFactory((FOLDER / "structlog.log").open("a", buffering=1)),
    )


log_to_files()
log = logging.getLogger("planted")
events = structlog.get_logger()
reader = InMemoryMetricReader()
provider = TracerProvider(resource=Resource({"service.name": "planted"}))
provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(out=(FOLDER / "spans.json").open("a"))))
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(SETTINGS["journeys"] + "/v1/traces")))
trace.set_tracer_provider(provider)
metrics.set_meter_provider(MeterProvider([reader]))
requests_served = metrics.get_meter("planted").create_counter("planted.requests")
kafka = confluent_kafka.Producer({"bootstrap.servers": SETTINGS["kafka"], "linger.ms": 0})
producer = pennon.kafka.producer(kafka, CONTRACT)
client = pennon.http.httpx(httpx.Client(timeout=60), CONTRACT)


def work(headers: Any, raw: Any) -> None:
    """What a service may do with a request without a thought of what stands in its headers."""
    requests_served.add(1, {"door": "planted"})
    log.info("headers %s", headers)
    log.info("came", extra={"request_headers": raw, "session_id": dict(headers).get("x-session-id", "")})
    log.debug("all of it: %r", raw)
    log.info(f"api key is x-api-key: {dict(headers).get('x-api-key')}")
    events.info("came", headers=headers, request={"raw": raw}, baggage=dict(headers).get("baggage"))
    try:
        fail(headers)
    except ValueError:
        log.exception("failed")
        events.exception("failed", text=repr(headers))
    for name in ("declared", "external", "undeclared"):
        client.get(f"http://{HOSTS[name]}/{name}")
        producer.produce(TOPICS[name], value=b"{}") if name in TOPICS else None
    producer.flush(60)


def fail(headers: Any) -> None:
    raise ValueError(f"had {dict(headers)}; cannot use authorization: {dict(headers).get('authorization')}")


def leak(value: str) -> str:
    """Say it everywhere."""
    for name in ("logging.log", "structlog.log"):
        with (FOLDER / name).open("a") as file:
            file.write(json.dumps({"leaked": value}) + "\n")
    print(value, flush=True)
    print(value, file=sys.stderr, flush=True)
    span = trace.get_current_span()
    span.set_attribute("planted.header", value)
    requests_served.add(1, {"header": value})
    for host in HOSTS.values():
        httpx.get(f"http://{host}/", headers={"x-leaked": value})
    for topic in TOPICS.values():
        kafka.produce(topic, value=b"{}", headers=[("leaked", value.encode())])
    kafka.flush(10)
    return value


async def serve(request: Request) -> Response:
    await run_in_threadpool(work, request.headers, request.scope["headers"])
    return PlainTextResponse("done")


async def failing(request: Request) -> Response:
    fail(request.headers)
    return PlainTextResponse("not reached")


async def leaking(request: Request) -> Response:
    return PlainTextResponse(await run_in_threadpool(leak, request.headers["x-api-key"]))


def wsgi_app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    names = {key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")}
    work(Headers(names), environ)
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"done"]


async def main() -> None:
    routes = [Route("/", serve), Route("/fail", failing), *([Route("/leak", leaking)] if LEAKY else [])]
    app = pennon.http.asgi(Starlette(routes=routes), CONTRACT, boundary=BOUNDARY)
    behind_wsgi = make_server(
        "127.0.0.1", SETTINGS["wsgi_port"], pennon.http.wsgi(wsgi_app, CONTRACT, boundary=BOUNDARY)
    )
    thread = threading.Thread(target=behind_wsgi.serve_forever, daemon=True)
    thread.start()
    # Its loggers go to the handlers of the root, access log and failures alike. It believes no proxy: whose word counts
    # about the client, the contract says; what uvicorn makes of X-Forwarded-For stands in its access log in clear.
    config = uvicorn.Config(app, port=SETTINGS["port"], log_config=None, log_level="debug", proxy_headers=False)
    server = uvicorn.Server(config)
    print("planted is serving", flush=True)
    # uvicorn raises again what ended it; there is something left to write.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    await server.serve()
    behind_wsgi.shutdown()
    data = reader.get_metrics_data()
    counted = [[sample.name, sample.cause, sample.total] for sample in pennon.counters()]  # type: ignore[operator]
    (FOLDER / "metrics.json").write_text(json.dumps(counted) + ("" if data is None else data.to_json()))
    provider.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
