"""pennon behind OpenFeature's API (openfeature-sdk 0.10).

    from openfeature import api
    api.set_provider_and_wait(PennonProvider(pennon.connect(url, token=token)))

The targeting key is the key of the unit kind "user", and given as such: if it is another than the request's unit,
nothing of the request is used. Without one the request's units and attributes are. Reasons that OpenFeature does not
know (CARRIED, KILLED, OVERRIDE) pass as text.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

try:
    from openfeature.evaluation_context import EvaluationContext
    from openfeature.event import ProviderEventDetails
    from openfeature.exception import ErrorCode as OpenFeatureErrorCode
    from openfeature.exception import ProviderNotReadyError
    from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
    from openfeature.provider import AbstractProvider, Metadata
except ModuleNotFoundError as missing:
    raise ModuleNotFoundError(
        f"{missing.name} is missing; the provider needs it: pip install 'pennon[openfeature]'", name=missing.name
    ) from missing

from pennon.client.client import Client
from pennon.client.evaluation import Evaluation
from pennon.client.status import Change, Notice, Status
from pennon.flags import FlagType

# Shorter than the patience of a start-up probe; the provider becomes ready later by itself.
READY_TIMEOUT_S: Final = 10.0

_T = TypeVar("_T")
_Object = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class PennonProvider(AbstractProvider):
    """An OpenFeature provider that answers from a client.

    client: closed when OpenFeature shuts the provider down. ready_timeout_s: how long `initialize` waits for the first
    ruleset before it reports an error; when one comes later, PROVIDER_READY is emitted.
    """

    def __init__(self, client: Client, *, ready_timeout_s: float = READY_TIMEOUT_S) -> None:
        super().__init__()
        self._client = client
        self._ready_timeout_s = ready_timeout_s
        self._forget: Callable[[], None] | None = None
        # What OpenFeature has been told last. It says itself that a provider is ready whose `initialize` has returned,
        # and the client's own word of the same may come after that: its ruleset is there a moment before.
        self._is_ready = False

    def get_metadata(self) -> Metadata:
        """Who answers."""
        return Metadata(name="pennon")

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 - the API's signature
        """Wait for a ruleset. Raises: ProviderNotReadyError, OpenFeature's own, if none comes in time."""
        self._is_ready = is_ready = self._client.wait_ready(self._ready_timeout_s)
        if self._forget is None:
            self._forget = self._client.listen(self._on_notice)
        if not is_ready:
            raise ProviderNotReadyError(self._client.status_detail)

    def shutdown(self) -> None:
        """Close the client."""
        if self._forget is not None:
            self._forget()
            self._forget = None
        self._client.close()

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """The value of a boolean flag."""
        return self._resolved(FlagType.BOOLEAN, flag_key, default_value, evaluation_context)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """The value of a string flag."""
        return self._resolved(FlagType.STRING, flag_key, default_value, evaluation_context)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """The value of an integer flag."""
        return self._resolved(FlagType.INTEGER, flag_key, default_value, evaluation_context)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """The value of a float or integer flag, as a float."""
        return self._resolved(FlagType.FLOAT, flag_key, default_value, evaluation_context)

    def resolve_object_details(
        self, flag_key: str, default_value: _Object, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[_Object]:
        """The value of a JSON flag."""
        return self._resolved(FlagType.JSON, flag_key, default_value, evaluation_context)

    def _resolved(
        self, flag_type: FlagType, flag_key: str, default: _T, context: EvaluationContext | None
    ) -> FlagResolutionDetails[_T]:
        unit = None if context is None else context.targeting_key or None
        attributes = None if context is None else context.attributes or None
        evaluation = self._client.decision(flag_key, unit=unit, attributes=attributes, type=flag_type)
        if evaluation.error is not None:
            return FlagResolutionDetails(
                value=default,
                error_code=OpenFeatureErrorCode(evaluation.error.value),
                error_message=evaluation.explain(),
                reason=evaluation.reason.value,
            )
        return FlagResolutionDetails(
            value=evaluation.value,
            reason=evaluation.reason.value,
            variant=evaluation.variant,
            flag_metadata=_metadata(evaluation),
        )

    def _on_notice(self, notice: Notice) -> None:
        flags = None if notice.flags is None else list(notice.flags)
        details = ProviderEventDetails(flags_changed=flags, message=notice.detail or None)
        was_ready = self._is_ready
        self._is_ready = notice.change is Change.READY or (was_ready and notice.change is Change.CONFIGURATION_CHANGED)
        match notice.change:
            case Change.READY if was_ready:
                pass
            case Change.READY:
                self.emit_provider_ready(details)
            case Change.STALE:
                self.emit_provider_stale(details)
            case Change.CONFIGURATION_CHANGED:
                self.emit_provider_configuration_changed(details)
            case Change.ERROR if self._client.status is Status.NOT_READY:
                details.error_code = OpenFeatureErrorCode.PROVIDER_NOT_READY
                self.emit_provider_error(details)
            case Change.ERROR:
                # It still answers, from what it has: in OpenFeature's words that is stale, and no error.
                self.emit_provider_stale(details)


def _metadata(evaluation: Evaluation) -> dict[str, Any]:
    metadata: dict[str, Any] = {"revision": evaluation.revision}
    if evaluation.origin is not None:
        metadata["origin"] = evaluation.origin.name.lower()
    if evaluation.rule is not None:
        metadata["rule"] = evaluation.rule
    return metadata
