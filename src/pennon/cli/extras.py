"""What a command needs beyond the commands' own libraries: where it is missing, one line says how to get it."""

from collections.abc import Iterator
from contextlib import contextmanager

from pennon.errors import Fault, SettingInvalid


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Stand around imports that need this extra of the package. Raises: SettingInvalid with the way out."""
    try:
        yield
    except ModuleNotFoundError as missing:
        message = f"{missing.name} is missing; this command needs it: pip install 'pennon[{name}]'"
        raise SettingInvalid([Fault("", message)]) from missing
