"""The doors at which requests come in."""

from collections.abc import Callable
from wsgiref.types import WSGIApplication

from pennon.clock import SYSTEM_CLOCK, Clock
from pennon.headers import Boundary, Contract
from pennon.http.asgi_door import AsgiDoor
from pennon.http.types import AsgiApp
from pennon.http.wsgi_door import WsgiDoor


def asgi(
    app: AsgiApp,
    contract: Contract,
    *,
    boundary: Boundary,
    spans: bool | None = None,
    decide: Callable[[], object] | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AsgiDoor:
    """The application behind a door that speaks this contract.

    boundary: `public()` or `mesh(verify=…)`; a mesh without a verifier verifies nobody. Its callables run in the event
        loop, once per request and before the application; what they raise is the application's error.
    spans: whether a server span per request is made, where OpenTelemetry's SDK is set up. None: unless somebody inside
        is found to make one (OpenTelemetry's ASGI, FastAPI or Starlette instrumentation, Starlette's middleware,
        FastAPI's own telemetry), which then gets our attributes. Say False if that stands where it cannot be found,
        mounted below a path. Where the spans are made inside, a trace begun at this boundary is begun there, and
        the request context has another trace id than the spans; doors that send take the span's.
    decide: called in each request's context before the application, e.g. `flags.decide_at_ingress("new-checkout")`:
        what it decides, all the request's calls agree on, also concurrent ones. It runs in the event loop, and what it
        raises is the application's error.

    clock: by which deadlines are read; tests move it.

    Over the contract's limits a request is refused with 431 (RFC 6585 §5), with a header that the contract rejects, or
    without one that it requires, with 400, and with 504 where its deadline leaves less than the policy's floor, as far
    as the valve lets; each time with problem details naming the field. A contract whose limits are only observed
    (`Limits.OBSERVE`) refuses none.
    """
    return AsgiDoor(app, contract, boundary, spans=spans, decide=decide, clock=clock)


def wsgi(
    app: WSGIApplication,
    contract: Contract,
    *,
    boundary: Boundary,
    spans: bool | None = None,
    decide: Callable[[], object] | None = None,
    clock: Clock = SYSTEM_CLOCK,
    drops_underscores: bool | None = None,
) -> WsgiDoor:
    """The same for a WSGI application (PEP 3333). The context lives until the server closes the response's body.

    boundary, decide, clock: as for `asgi`; they run in the thread that serves the request.
    spans: None: unless OpenTelemetry's WSGI or Flask instrumentation is found inside. Say False beside its Django
        instrumentation, which cannot be found.
    drops_underscores: whether the server, or the proxy before it, keeps header names with an underscore away, which
        WSGI cannot tell from those with a dash. None: known by name of gunicorn, waitress, Werkzeug and gevent. Where
        it does not, a declared field whose name has a dash is taken from nobody but a client that may set it anyway.
    """
    return WsgiDoor(
        app, contract, boundary, spans=spans, decide=decide, clock=clock, drops_underscores=drops_underscores
    )
