"""How long to wait before connecting again."""

from typing import Final

# 2 ** 63 half seconds is far beyond any cap; a larger exponent would overflow a float after a month of retries.
_MAX_DOUBLINGS: Final = 63


def delay_s(attempt: int, sample: float, *, base_s: float = 0.5, cap_s: float = 30.0) -> float:
    """Seconds to wait before reconnect number `attempt` (1 = first retry).

    Full jitter: sample * min(cap_s, base_s * 2 ** (attempt - 1)).
    sample: uniform in [0, 1), drawn by the caller.
    Raises: ValueError if attempt < 1.
    Source: AWS Architecture Blog, "Exponential Backoff and Jitter".
    """
    if attempt < 1:
        raise ValueError(f"attempt: {attempt}, must be at least 1")
    return sample * min(cap_s, base_s * 2.0 ** min(attempt - 1, _MAX_DOUBLINGS))
