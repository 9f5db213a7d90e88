"""urllib3's pools, taken where each sends one request.

There a redirect, and each try of its own `Retry`, has the caller's headers again, and no other's. Nothing public is as
near: what stands around `urlopen` sees several requests as one.
"""

from functools import cache
from typing import Any, Final

import urllib3
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3._collections import HTTPHeaderDict  # where it is in urllib3 1.26 as well
from urllib3.exceptions import ConnectTimeoutError, EmptyPoolError, NewConnectionError, ProxyError
from urllib3.util import parse_url

from pennon import deadlines
from pennon.headers import DECIDED
from pennon.http.attempts import note_response
from pennon.http.calling import Crossing, Terms, expect
from pennon.http.failing import Outcome, outcome_of_error
from pennon.http.hooks import is_wrapped
from pennon.http.on_urllib3 import Headers, encoded, is_the_deadlines, leaving_lines, limit_body, looked_at, lowered

_TIMEOUTS: Final = (urllib3.exceptions.TimeoutError, TimeoutError)


def wrap(pool: PoolManager | HTTPConnectionPool, terms: Terms) -> None:
    """Make ours of it, and of all pools that it has or makes. Raises: TypeError for another library's client."""
    expect(pool, PoolManager, HTTPConnectionPool)
    if isinstance(pool, HTTPConnectionPool):
        _enclose(PoolDoor, pool, terms)
        return
    _enclose(ManagerDoor, pool, terms)
    for key in pool.pools.keys():  # noqa: SIM118  # it refuses to be iterated over
        made = pool.pools.get(key)
        if made is not None:
            _enclose(PoolDoor, made, terms)


class ManagerDoor(PoolManager):
    """A manager whose pools are under a contract."""

    pennon_terms: Terms

    def _new_pool(self, *args: Any, **named: Any) -> HTTPConnectionPool:
        pool = super()._new_pool(*args, **named)
        _enclose(PoolDoor, pool, self.pennon_terms)
        return pool


class PoolDoor(HTTPConnectionPool):
    """A pool's requests under a contract, each redirect and each try by itself."""

    pennon_terms: Terms

    def _make_request(self, conn: Any, method: str, url: str, *args: Any, **named: Any) -> Any:
        """Send a request with other headers.

        Raises: DeadlineExceeded, which ends the tries as well; else what a pool does.
        """
        own, timeout = named["headers"], named["timeout"]
        with self._crossing(method, url, own) as here:
            named["headers"] = self._leaving(own, here)
            # urllib3 2 reads the body in here where it is asked to; it is read below, under its limit.
            is_read = here.timeout_s is not None and named.get("preload_content", False)
            if is_read:
                named["preload_content"] = False
            named["timeout"] = lowered(timeout, here.timeout_s)
            try:
                response = super()._make_request(conn, method, url, *args, **named)
            except Exception as error:
                if _is_late(error, timeout, here.timeout_s):
                    here.ran_out(error)
                if outcome_of_error(error) is not Outcome.UNSENT:
                    # It may have arrived, whatever becomes of urllib3's next try.
                    note_response()
                raise
            if here.came_back(response.status, encoded(response.headers.items())):
                del response.headers[DECIDED]
        limit_body(response, here, timeout)
        if is_read:
            _ = response.data
        return response

    def urlopen(self, *args: Any, **named: Any) -> Any:
        """As a pool does. Raises: DeadlineExceeded also where it came while a pool that blocks had no connection."""
        try:
            return super().urlopen(*args, **named)
        except EmptyPoolError:
            # Not where it is raised: a pool takes any other error for one of a connection that it has.
            deadlines.check()
            raise

    def _get_conn(self, timeout: float | None = None) -> Any:
        return super()._get_conn(lowered(timeout, deadlines.remaining_s()))

    def _prepare_proxy(self, conn: Any) -> None:
        """Have a proxy connect us. Raises: DeadlineExceeded; what a pool does."""
        deadlines.check()
        conn.timeout = lowered(conn.timeout, deadlines.remaining_s())
        try:
            super()._prepare_proxy(conn)
        except _TIMEOUTS:
            deadlines.check()
            raise

    def _crossing(self, method: str, url: str, own: Headers) -> Crossing:
        scheme, host, port, path = self.scheme, self.host, self.port, url
        if not url.startswith("/"):
            scheme, host, port, path = self._read(url)
        return Crossing(
            self.pennon_terms,
            method=method,
            scheme=scheme,
            host=host,
            port=port,
            path=lambda: path.partition("?")[0],
            own=looked_at(own),
            hooks=self._hooks,
        )

    def _hooks(self) -> tuple[bool, bool]:
        return is_wrapped(super().urlopen), False

    def _read(self, url: str) -> tuple[str, str, int | None, str]:
        """Where a request goes that a proxy is to send on; nowhere, where urllib3 does not know that it is one."""
        read = parse_url(url)
        is_known = self.proxy is not None or self.is_same_host(url)
        host = (read.host or "").strip("[]") if is_known else ""
        return read.scheme or "", host, read.port, read.path or "/"

    def _leaving(self, own: Headers, here: Crossing) -> HTTPHeaderDict:
        headers = HTTPHeaderDict()
        for name, value in leaving_lines(own, here.outgoing):
            headers.add(name, value)
        # What urllib3 itself says to a proxy stands among them where there is no tunnel.
        headers.update({name: value for name, value in self.proxy_headers.items() if own.get(name) == value})
        return headers


def _is_late(error: Exception, timeout: Any, limit_s: float | None) -> bool:
    """Whether it says that the deadline's time has run out."""
    if isinstance(error, ProxyError):
        error = error.original_error
    # Before urllib3 2 a refused connection is a timeout as well.
    if not isinstance(error, _TIMEOUTS) or isinstance(error, NewConnectionError):
        return False
    # What is not urllib3's own was raised while it wrote, which it limits as it does connecting.
    is_connecting = isinstance(error, ConnectTimeoutError | TimeoutError)
    return is_the_deadlines(timeout, limit_s, is_connecting=is_connecting)


def _enclose(door: type, pool: Any, terms: Terms) -> None:
    """In place: whoever has the pool goes on with it, and it closes as it did."""
    # First: others may be calling by it.
    pool.pennon_terms = terms
    if not isinstance(pool, door):
        pool.__class__ = _enclosing(door, type(pool))  # type: ignore[arg-type]  # classes can be hashed


@cache
def _enclosing(door: type, kind: type) -> type:
    return type(kind.__name__, (door, kind), {})
