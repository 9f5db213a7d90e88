"""`pennon break-glass`: kills while nothing can be looked up. The signature is the right, and it is made here.

Nothing is asked of a server before the token is sent: key, environment and servers are known on this machine.
"""

import re
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any, Final

import click
import httpx

from pennon.cli import printing
from pennon.cli.api import CALL_TIMEOUT_S, Api, refusal_of
from pennon.cli.keys import KEYS_PATH, environments_noted, key_paths, read_key
from pennon.cli.options import environment_option, json_option, project_option
from pennon.cli.parsing import duration_s_of
from pennon.cli.settings import admin_target, server_urls
from pennon.clock import SYSTEM_CLOCK
from pennon.errors import Fault, Invalid, NotFound, PennonError, SettingInvalid, Unreachable
from pennon.signing import KILL_TYPE, sign
from pennon.sync import BREAK_GLASS_LIMIT_S, BreakGlassClaims, jwt_claims_of

# 64 random bits: no two kills meet, and it can be read out.
_ID_BYTES: Final = 8

# Servers at once; one that does not answer must not hold up the others.
_THREADS: Final = 16

# A server that gets too many asks for a second.
_TRIES: Final = 5
_PAUSE_S: Final = 1.0

_ENVIRONMENT_ID: Final = re.compile(r"[0-9a-f]{10}")

servers_option = click.option(
    "--server", "servers", multiple=True, metavar="URL", help="Repeat: every server, each tells its own clients."
)


@click.group("break-glass", no_args_is_help=True)
def break_glass() -> None:
    """Signed kills that need no database: for when `pennon flags kill` gets no answer."""


@break_glass.command()
@click.argument("flag")
@click.option(
    "--ttl", default="1h", show_default=True, help="It ends then, unless the database knows by then; at most 24h."
)
@click.option(
    "--key",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The private key, else the one in .pennon/keys that was made last for kills in this environment.",
)
@click.option("--reason", default="", help="Why; goes into the history.")
@json_option
@servers_option
@project_option
@environment_option
def kill(
    flag: str,
    ttl: str,
    key: Path | None,
    reason: str,
    environment: str,
    project: str | None,
    servers: Sequence[str],
    as_json: bool,
) -> None:
    """Serve the off variant of FLAG now, on every stream of the servers, and kill it in the database when it is back.

    The environment is a key, or its id of 10 hex digits.
    """
    ttl_s, now_s, urls = duration_s_of(ttl, "--ttl"), SYSTEM_CLOCK.now_ns() // 1_000_000_000, server_urls(servers)
    if not 0 < ttl_s <= BREAK_GLASS_LIMIT_S:
        raise click.BadParameter(f"{ttl!r} must be more than 0s and at most 24h", param_hint="--ttl")
    path, environment_id = _key_and_environment(key, project or "default", environment, urls[0])
    held = read_key(path)
    claims = BreakGlassClaims(
        id=secrets.token_hex(_ID_BYTES),
        key_id=held.id,
        environment=environment_id,
        flag=flag,
        issued_s=now_s,
        until_s=now_s + ttl_s,
        reason=reason,
    )
    _send(sign(jwt_claims_of(claims), held.pem, key_id=held.id, typ=KILL_TYPE), urls, as_json=as_json)


@break_glass.command()
@click.argument("token")
@json_option
@servers_option
def send(token: str, servers: Sequence[str], as_json: bool) -> None:
    """Send a token again, to servers that have not taken it. One that has taken it does nothing."""
    _send(token, server_urls(servers), as_json=as_json)


def _key_and_environment(key: Path | None, project: str, environment: str, url: str) -> tuple[Path, int]:
    """Where the private key is, and the environment's id, by what was noted when the key was made."""
    place = f"{project}/{environment}"
    for path in (key,) if key else key_paths():
        for noted, environment_id in environments_noted(path).items():
            if place == noted or environment == environment_id:
                return path, int(environment_id, 16)
    if key is None:
        message = f"no key in {KEYS_PATH} was made for kills in {place}: name its file with --key"
        raise SettingInvalid([Fault("", message)])
    if _ENVIRONMENT_ID.fullmatch(environment):
        return key, int(environment, 16)
    return key, _id_asked(project, environment, url)


def _id_asked(project: str, environment: str, url: str) -> int:
    """The environment's id from a server that can look it up: the last resort."""
    try:
        rows = Api(admin_target(url, None, project)).environments()
    except (Invalid, Unreachable) as error:
        message = f"{environment!r}: no id is noted beside the key, and no server tells it ({error}); give --env the id"
        raise SettingInvalid([Fault("", message)]) from error
    for row in rows:
        if row["key"] == environment:
            return int(row["id"])
    raise NotFound(f"no environment '{environment}' in project '{project}'")


def _send(token: str, urls: Sequence[str], *, as_json: bool) -> None:
    """Send the token to every server at once, and say which took it. Ends with an exit code unless all did."""
    with ThreadPoolExecutor(min(len(urls), _THREADS)) as pool:
        answers = list(zip(urls, pool.map(lambda url: _answer(url, token), urls), strict=True))
    if as_json:
        printing.json_document({"token": token, "servers": [_document(url, answer) for url, answer in answers]})
    for url, answer in answers if not as_json else ():
        click.echo(f"{url}: {_said(answer)}")
    failed = [answer for _, answer in answers if isinstance(answer, PennonError)]
    if not failed:
        return
    if not as_json and len(failed) < len(urls):
        click.echo(f"pennon: send it again where it was not taken: pennon break-glass send {token}", err=True)
    click.get_current_context().exit(3 if all(isinstance(error, Unreachable) for error in failed) else 1)


def _answer(url: str, token: str) -> dict[str, Any] | PennonError:
    for _ in range(_TRIES):
        try:
            response = httpx.put(
                f"{url}/v1/break-glass",
                content=token,
                headers={"content-type": "application/jwt"},
                timeout=CALL_TIMEOUT_S,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Unreachable(str(error) or type(error).__name__)
        if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
            break
        Event().wait(_PAUSE_S)
    return response.json() if response.is_success else refusal_of(response)


def _said(answer: dict[str, Any] | PennonError) -> str:
    if isinstance(answer, PennonError):
        return f"not taken: {answer}"
    where, until = f"{answer['project']}/{answer['environment']}", printing.moment(answer["until_s"])
    if answer["reconciled"]:
        return f"{where}: the database holds {answer['id']} already, nothing to do"
    kept = "" if answer["kept"] else "; should this server restart, send it again"
    return f"{where}: killed {answer['flag']!r} ({answer['id']}), until {until} or until the database knows{kept}"


def _document(url: str, answer: dict[str, Any] | PennonError) -> dict[str, Any]:
    if isinstance(answer, PennonError):
        return {"server": url, "taken": False, "detail": str(answer)}
    return {"server": url, "taken": True, **answer}
