"""Every codec is fuzzed for ten seconds, with the same seed each time; `make soak` does it for longer, with others."""

from collections.abc import Iterator
from concurrent.futures import Future

import pytest
from tests.fuzz.codecs import CODECS
from tests.fuzz.fuzzer import Outcome
from tests.fuzz.soak import fuzzed, told, workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SECONDS = 10.0
SEED = 1
# What even the dearest codec reaches; below it nothing was fuzzed.
LEAST_RUNS = 200


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """What each codec's run comes to, of those that were asked for; they run on all processors at once."""
    asked = {item.name.partition("[")[2].rstrip("]") for item in request.session.items if item.path == request.path}
    with workers() as pool:
        yield {codec.name: pool.submit(fuzzed, codec.name, SECONDS, SEED) for codec in CODECS if codec.name in asked}


@pytest.mark.parametrize("name", [codec.name for codec in CODECS])
def test_codec_keeps_its_promises_for_any_bytes(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    """Nothing raises, nothing runs away, and what is written is read as the same."""
    outcome = outcomes[name].result()
    assert outcome.finding is None, told(outcome.finding)
    assert outcome.runs >= LEAST_RUNS
