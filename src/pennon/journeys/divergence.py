"""Divergence as the page shows it: sampled comparisons of the last day, by service, flag and cause."""

from typing import Any, Final

from pennon.clock import SYSTEM_CLOCK
from pennon.journeys.control import ControlPlane

# The control plane counts by whole hours; less than a few would swing with the minute that it is.
WINDOW_S: Final = 24 * 3_600
_MILLISECOND_NS: Final = 1_000_000


async def divergence_of(control: ControlPlane) -> dict[str, Any]:
    """What there is to show now. Raises: as `ControlPlane` does."""
    since_ms = SYSTEM_CLOCK.now_ns() // _MILLISECOND_NS - WINDOW_S * 1_000
    return {"window_s": WINDOW_S, "items": await control.divergence(since_ms)}
