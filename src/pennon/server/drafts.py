"""What is sent to routes that have no document of their own, checked whole."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from pennon.errors import DocumentInvalid, Fault

M = TypeVar("M", bound=BaseModel)


def draft_of(model: type[M], document: object) -> M:
    """The document as the model has it. Raises: DocumentInvalid with every fault and where it is."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        faults = [Fault(_pointer(fault["loc"]), fault["msg"]) for fault in error.errors(include_input=False)]
        raise DocumentInvalid(faults) from None


def _pointer(place: tuple[int | str, ...]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
