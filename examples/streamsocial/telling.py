"""Tell whoever watches what a service did: one JSON line on standard output for each hop of a journey."""

import json
import time

import pennon
from pennon.client import Evaluation


def tell(service: str, user: str, evaluation: Evaluation) -> None:
    """Print this hop. The journey's id is the correlation id, which every hop shares."""
    context = pennon.current()
    hop = {
        "journey": context.correlation_id if context else None,
        "service": service,
        "user": user,
        "variant": evaluation.variant,
        "reason": evaluation.reason,
        "at_s": time.time(),
    }
    print(json.dumps(hop), flush=True)
