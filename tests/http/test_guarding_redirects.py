"""A guarded call that was answered before it found nobody: by four clients' doors, against a server on loopback."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import httpx
import pytest
import requests
import urllib3
from urllib3.exceptions import MaxRetryError

import pennon.http
from pennon.headers import Contract, Downstream, Retries

# A port that nobody listens on: reserved by IANA, and never given out by a kernel.
NOBODY = "http://127.0.0.1:1/"
CONTRACT = Contract(
    "shop",
    version="1",
    owner="team-shop",
    downstreams=[Downstream("pay", host="127.0.0.1", retries=Retries(attempts=3, initial_s=0.001, max_s=0.001))],
)

Pay = Callable[..., object]


class Payments:
    """Takes payments, counts them, and sends whoever pays on to a place where nobody is."""

    def __init__(self) -> None:
        self.paid_count = 0
        self.url = ""


@pytest.fixture
def payments() -> Iterator[Payments]:
    """One that listens."""
    payments = Payments()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            payments.paid_count += 1
            self.send_response(303)
            self.send_header("location", NOBODY)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    payments.url = f"http://127.0.0.1:{server.server_port}/"
    yield payments
    server.shutdown()
    thread.join()
    server.server_close()


def by_httpx(guard: pennon.http.Guard, url: str, *, is_idempotent: bool) -> object:
    with pennon.http.httpx(httpx.Client(follow_redirects=True), CONTRACT) as client:
        return guard.call(lambda: client.post(url), is_idempotent=is_idempotent)


def by_requests(guard: pennon.http.Guard, url: str, *, is_idempotent: bool) -> object:
    with pennon.http.requests(requests.Session(), CONTRACT) as session:
        return guard.call(lambda: session.post(url), is_idempotent=is_idempotent)


def by_urllib3(guard: pennon.http.Guard, url: str, *, is_idempotent: bool) -> object:
    with pennon.http.urllib3(urllib3.PoolManager(), CONTRACT) as manager:
        retries = urllib3.Retry(connect=0, redirect=1)
        return guard.call(lambda: manager.request("POST", url, retries=retries), is_idempotent=is_idempotent)


def by_aiohttp(guard: pennon.http.Guard, url: str, *, is_idempotent: bool) -> object:
    async def pay() -> object:
        async with aiohttp.ClientSession() as session:
            pennon.http.aiohttp(session, CONTRACT)
            return await guard.acall(lambda: session.post(url), is_idempotent=is_idempotent)

    return asyncio.run(pay())


WAYS = [by_httpx, by_requests, by_urllib3, by_aiohttp]
NOBODY_THERE = (httpx.ConnectError, requests.ConnectionError, MaxRetryError, aiohttp.ClientConnectorError)


@pytest.mark.parametrize("pay", WAYS)
def test_what_was_done_before_a_redirect_led_to_nobody_is_not_done_again(payments: Payments, pay: Pay) -> None:
    """The connection that failed is not the one by which the payment went: nobody pays three times."""
    with pytest.raises(NOBODY_THERE):
        pay(pennon.http.Guard(CONTRACT, "pay"), payments.url, is_idempotent=False)
    assert payments.paid_count == 1


@pytest.mark.parametrize("pay", WAYS)
def test_what_may_be_done_twice_is_done_again_past_a_redirect(payments: Payments, pay: Pay) -> None:
    """It bears a key, so that the service knows it for one payment."""
    with pytest.raises(NOBODY_THERE):
        pay(pennon.http.Guard(CONTRACT, "pay"), payments.url, is_idempotent=True)
    assert payments.paid_count == 3


def test_an_answer_is_noted_by_every_guard_around_it(payments: Payments) -> None:
    """A guarded call inside another one has done its part of the whole."""
    outer, inner = pennon.http.Guard(CONTRACT, "pay"), pennon.http.Guard(CONTRACT, "pay")
    with pytest.raises(httpx.ConnectError):
        outer.call(lambda: by_httpx(inner, payments.url, is_idempotent=False))
    assert payments.paid_count == 1
