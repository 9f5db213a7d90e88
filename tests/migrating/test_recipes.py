"""The recipes of docs/migrating: what they promise stays the same does, and what they say differs does differ."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

import pennon
import pennon.http
from pennon.headers import public

PAGES = Path(__file__).parents[2] / "docs" / "migrating"
UUID = "0b3f7c1e8d2a4f6b9c0d1e2f3a4b5c6d"
DASHED = "0b3f7c1e-8d2a-4f6b-9c0d-1e2f3a4b5c6d"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TRACE_ID = PARENT[3:35]
MADE_BEFORE, MADE_AFTER = r"[0-9a-f]{32}", r"req_[0-9a-f]{32}"

Recipe = Callable[[str, str], dict[str, Any]]
Ask = Callable[..., httpx.Response]
Sent = dict[str, httpx.Headers]


def answering(sent: Sent) -> httpx.MockTransport:
    """A transport that keeps what each host is sent."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent[request.url.host] = request.headers
        return httpx.Response(204)

    return httpx.MockTransport(answer)


def ids(response: httpx.Response) -> list[str]:
    """The request ids that a response names."""
    return response.headers.get_list("x-request-id")


def at_public(app: Any) -> Any:
    """The same application behind a door for strangers."""
    return pennon.http.asgi(app.app, app.contract, boundary=public())


class Orders:
    """The applications of the first page, their calls answered here."""

    def __init__(self, recipe: Recipe) -> None:
        self.sent: Sent = {}
        before, after = recipe("asgi-correlation-id", "before"), recipe("asgi-correlation-id", "after")
        before["client"] = httpx.AsyncClient(transport=answering(self.sent))
        after["client"] = pennon.http.httpx(httpx.AsyncClient(transport=answering(self.sent)), after["CONTRACT"])
        self.before, self.after = before, after


@pytest.fixture
def orders(recipe: Recipe) -> Orders:
    """Before and after."""
    return Orders(recipe)


@pytest.mark.req(36, 37, 38, 39)
@pytest.mark.parametrize("came", [UUID, DASHED])
def test_correlation_id_keeps_a_valid_id_in_answer_log_and_call(
    came: str, orders: Orders, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    """The old and the new application say the same id everywhere."""
    for which, attribute in ((orders.before, "correlation_id"), (orders.after, "request_id")):
        caplog.clear()
        caplog.handler.addFilter(which["log_filter"])
        response = ask(which["app"], {"X-Request-ID": came})
        caplog.handler.removeFilter(which["log_filter"])

        assert ({"id": came}, [came]) == (response.json(), ids(response))
        assert came == orders.sent["posts.internal"]["x-request-id"]
        assert [came] == [getattr(record, attribute) for record in caplog.records if record.name == "orders"]


@pytest.mark.req(36, 108)
@pytest.mark.parametrize("came", [None, "not an id", "a" * 200])
def test_correlation_id_that_is_missing_or_invalid_is_made(came: str | None, orders: Orders, ask: Ask) -> None:
    """By both; what a new one looks like differs, as the page says."""
    headers = {} if came is None else {"X-Request-ID": came}
    for which, shape in ((orders.before, MADE_BEFORE), (orders.after, MADE_AFTER)):
        response = ask(which["app"], headers)

        [said] = ids(response)
        assert re.fullmatch(shape, said)
        assert (said, said) == (response.json()["id"], orders.sent["posts.internal"]["x-request-id"])


@pytest.mark.req(36)
def test_correlation_id_differences_are_those_of_the_page(orders: Orders, ask: Ask) -> None:
    """A stranger's id, ids of other shapes, braces, the limits."""
    before, after = orders.before["app"], orders.after["app"]

    assert UUID == ids(ask(before, {"X-Request-ID": UUID}))[0]
    assert re.fullmatch(MADE_AFTER, ids(ask(at_public(after), {"X-Request-ID": UUID}))[0])
    ulid = "01JD4Z5Q8Y9X6W7V8T9S0R1Q2P"
    assert (True, [ulid]) == (
        ids(ask(before, {"X-Request-ID": ulid})) != [ulid],
        ids(ask(after, {"X-Request-ID": ulid})),
    )
    braced = "{" + DASHED + "}"
    assert ([braced], True) == (
        ids(ask(before, {"X-Request-ID": braced})),
        ids(ask(after, {"X-Request-ID": braced})) != [braced],
    )
    many = [(f"x-{number}", "1") for number in range(120)]
    assert (200, 431) == (ask(before, many).status_code, ask(after, many).status_code)


def test_correlation_id_stands_once_in_an_answer_that_had_one(recipe: Recipe, ask: Ask) -> None:
    """The old middleware adds a second, the door replaces it."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": [(b"x-request-id", b"own")]})
        await send({"type": "http.response.body", "body": b""})

    before, after = recipe("asgi-correlation-id", "before"), recipe("asgi-correlation-id", "after")
    asked = {"X-Request-ID": UUID}
    assert ["own", UUID] == ids(ask(before["CorrelationIdMiddleware"](app), asked))
    assert [UUID] == ids(ask(pennon.http.asgi(app, after["CONTRACT"], boundary=after["OURS"]), asked))


@pytest.mark.parametrize("page", ["asgi-correlation-id", "starlette-context"])
@pytest.mark.parametrize("came", [None, UUID, "not an id"])
def test_old_middleware_inside_the_door_names_the_same_request(
    page: str, came: str | None, recipe: Recipe, ask: Ask
) -> None:
    """During the move there is one id, in both contexts and once in the answer."""
    response = ask(recipe(page, "beside")["app"], {} if came is None else {"X-Request-ID": came})

    said = response.json()
    assert ([said["id"]], said["id"]) == (ids(response), said["ours"])
    assert (came == UUID) == (said["id"] == came)


def test_old_service_takes_every_id_of_a_new_one_without_its_validator(recipe: Recipe, ask: Ask) -> None:
    """Services may move in any order, as the page says, and with what it says."""
    [made] = ids(ask(recipe("asgi-correlation-id", "beside")["app"]))
    old = recipe("asgi-correlation-id", "beside")["old"]
    strict = recipe("asgi-correlation-id", "before")["CorrelationIdMiddleware"](old.app)

    assert [made] == ids_of_old(ask, old, made)
    assert [made] != ids_of_old(ask, strict, made)


def ids_of_old(ask: Ask, middleware: Any, came: str) -> list[str]:
    """What an old service behind no door of ours answers; its handler is not what is asked about."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    alone = type(middleware)(app, validator=middleware.validator)
    return ids(ask(alone, {"X-Request-ID": came}))


SHOWN = {"X-Request-ID": UUID, "X-Correlation-ID": DASHED, "X-Forwarded-For": "203.0.113.7", "X-Shop": "books"}


@pytest.mark.req(11, 13, 109)
def test_starlette_context_and_request_context_hold_the_same(recipe: Recipe, ask: Ask) -> None:
    """For what one of ours sends through a proxy that is trusted."""
    expected = {"request": UUID, "conversation": DASHED, "client": "203.0.113.7", "shop": "books"}
    for which in ("before", "after"):
        response = ask(recipe("starlette-context", which)["app"], SHOWN)

        assert expected == response.json(), which
        assert ([UUID], [DASHED]) == (ids(response), response.headers.get_list("x-correlation-id"))


@pytest.mark.req(11, 36)
def test_starlette_context_differences_are_those_of_the_page(recipe: Recipe, ask: Ask) -> None:
    """No 400 for an id, no conversation made up, no word of strangers about addresses, fields by their syntax."""
    before, after = recipe("starlette-context", "before")["app"], recipe("starlette-context", "after")["app"]

    # A fresh plugin of theirs answers 400 for what is no UUID.
    assert (400, 200) == (
        ask(before, {"X-Request-ID": "req-7"}).status_code,
        ask(after, {"X-Request-ID": "req-7"}).status_code,
    )
    assert ["req-7"] == ids(ask(after, {"X-Request-ID": "req-7"}))
    nothing = {"X-Request-ID": UUID}
    assert (True, None) == (
        re.fullmatch(MADE_BEFORE, ask(before, nothing).json()["conversation"]) is not None,
        ask(after, nothing).json()["conversation"],
    )
    forged = {**SHOWN, "X-Forwarded-For": "198.51.100.1, 203.0.113.7"}
    assert ("198.51.100.1, 203.0.113.7", "203.0.113.7") == (
        ask(before, forged).json()["client"],
        ask(after, forged).json()["client"],
    )
    strange = {**SHOWN, "X-Shop": "<script>"}
    assert ("<script>", None) == (ask(before, strange).json()["shop"], ask(after, strange).json()["shop"])
    assert re.fullmatch(MADE_AFTER, ids(ask(at_public(after), SHOWN))[0])


class Traced:
    """The applications of the third page: what they answer, and what hosts are sent."""

    def __init__(self, recipe: Recipe, which: str) -> None:
        self.names, self.sent = recipe("opentelemetry", which), Sent()
        self.app = self.names["serve"](answering(self.sent))


ASKED = [("traceparent", PARENT), ("baggage", "tenant.tier=gold"), ("baggage", "promo=x")]


@pytest.mark.req(33, 116)
@pytest.mark.parametrize("which", ["before", "after", "beside"])
def test_opentelemetry_s_trace_goes_on_as_before(
    which: str, recipe: Recipe, ask: Ask, spans: InMemorySpanExporter
) -> None:
    """Same trace, one server and one client span for each operation, of one name; the next hop sees the call's."""
    traced = Traced(recipe, which)

    answer = ask(traced.app, ASKED).json()

    assert {"trace": TRACE_ID, "tier": "gold"} == answer
    by_kind: dict[SpanKind, list[Any]] = {}
    for span in spans.get_finished_spans():
        by_kind.setdefault(span.kind, []).append(span)
    [server] = by_kind[SpanKind.SERVER]
    assert "00f067aa0ba902b7" == f"{server.parent.span_id:016x}"
    assert 2 == len(by_kind[SpanKind.CLIENT])
    assert ["GET", "GET"] == [span.name for span in by_kind[SpanKind.CLIENT]]
    calls = {f"{span.context.trace_id:032x}-{span.context.span_id:016x}" for span in by_kind[SpanKind.CLIENT]}
    assert traced.sent["posts.internal"]["traceparent"][3:52] in calls


@pytest.mark.req(33, 95)
@pytest.mark.parametrize(("which", "is_told"), [("before", True), ("after", False), ("beside", False)])
def test_opentelemetry_alone_tells_everybody_and_a_contract_only_the_declared(
    which: str, is_told: bool, recipe: Recipe, ask: Ask, spans: InMemorySpanExporter
) -> None:
    """Trace and baggage at the declared host; at the other one nothing, where a contract holds."""
    traced = Traced(recipe, which)
    ask(traced.app, ASKED)

    assert "tenant.tier=gold" in traced.sent["posts.internal"]["baggage"]
    stranger = traced.sent["api.stripe.com"]
    assert (is_told, is_told) == ("traceparent" in stranger, "baggage" in stranger)


@pytest.mark.req(9, 25)
def test_opentelemetry_alone_believes_strangers_and_a_public_door_does_not(
    recipe: Recipe, ask: Ask, spans: InMemorySpanExporter
) -> None:
    """Neither their trace nor baggage that nobody has allowed; a plus stays a plus."""
    before, after = Traced(recipe, "before"), Traced(recipe, "after")
    asked = [("traceparent", PARENT), ("baggage", "tenant.tier=a+b,isAdmin=true")]

    assert {"trace": TRACE_ID, "tier": "a b"} == ask(before.app, asked).json()
    assert "isAdmin=true" in before.sent["posts.internal"]["baggage"]
    answer = ask(at_public(after.app), asked).json()
    assert (False, "a+b") == (answer["trace"] == TRACE_ID, answer["tier"])
    assert "tenant.tier=a+b" == after.sent["posts.internal"]["baggage"]


def test_pages_link_and_name_what_there_is() -> None:
    """The overview has a line for each recipe, and every recipe its three blocks."""
    overview = (PAGES / "README.md").read_text(encoding="utf-8")
    recipes = sorted(path.name for path in PAGES.glob("*.md") if path.name != "README.md")

    assert recipes == sorted(re.findall(r"\]\(([a-z-]+\.md)\)", overview))
    for name in recipes:
        text = (PAGES / name).read_text(encoding="utf-8")
        assert ["before", "after", "beside"] == re.findall(r"```python\n# (\w+)\n", text)
