"""What a command is pointed at by a name: an object of a module or of a file that is none, a contract."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import click

from pennon.headers import Contract


def object_of(text: str) -> Any:
    """The object behind `module:attribute` or `path/to/file.py:attribute`; attributes may have dots.

    The working directory is searched first, as by `python -m`. What the module raises goes on.
    Raises: click.BadParameter where there is no such module, file or attribute.
    """
    where, colon, attribute = text.rpartition(":")
    if not (colon and where and attribute):
        raise click.BadParameter(f"{text!r} is not module:attribute or path/to/file.py:attribute")
    found = _file(Path(where)) if where.endswith(".py") else _module(where)
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise click.BadParameter(f"{where} has no {attribute!r}")
        found = getattr(found, name)
    return found


def contract_of(file: str) -> Contract:
    """The contract behind contract.toml, or behind an object's name; a function without arguments may make it.

    Raises: click.BadParameter where there is none. ContractInvalid where it has faults.
    """
    found = _toml(Path(file)) if file.endswith(".toml") else object_of(file)
    if isinstance(found, FunctionType):
        found = found()
    if not isinstance(found, Contract):
        raise click.BadParameter(f"{file} is a {type(found).__name__}, not a Contract", param_hint="FILE")
    return found


def _toml(path: Path) -> Contract:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{str(path)!r} cannot be read: {error}", param_hint="FILE") from None
    return Contract.from_toml(text)


def _module(name: str) -> Any:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # One that the module itself misses is its author's to know in full.
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        raise click.BadParameter(f"there is no module {name!r}") from None


def _file(path: Path) -> Any:
    if not path.is_file():
        raise click.BadParameter(f"there is no file {str(path)!r}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise click.BadParameter(f"{str(path)!r} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    # As `import` does, so that what is defined there can be pickled, and dataclasses find their module.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
