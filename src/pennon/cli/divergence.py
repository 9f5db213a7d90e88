"""`pennon divergence`: where carried decisions and local ones would have differed, and why."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import click

from pennon.carry import Divergence
from pennon.cli import printing
from pennon.cli.api import Api
from pennon.cli.options import authoring, environment_option, json_option
from pennon.cli.parsing import duration_s_of
from pennon.clock import SYSTEM_CLOCK

# Those that come of comparing a carried decision with a local one; the others are told of decisions that never met.
_COMPARED: Final = frozenset(Divergence) - {Divergence.DROPPED, Divergence.UNKNOWN_FLAG}


@click.command()
@click.option("--since", default="24h", show_default=True, help="How far back; counted by whole hours.")
@json_option
@environment_option
@authoring
def divergence(api: Api, since: str, environment: str, as_json: bool) -> None:
    """How carried decisions compare with what each service would have decided, by service, flag and cause."""
    since_ms = SYSTEM_CLOCK.now_ns() // 1_000_000 - duration_s_of(since, "--since") * 1_000
    totals = api.divergence(environment, since_ms=max(since_ms, 0))
    if as_json:
        printing.json_document(totals)
        return
    # Causes that did not come up would only take the room of those that did.
    causes = [cause for cause in Divergence if any(cause == total["cause"] for total in totals)]
    columns = ("service", "flag", "sampled", *(cause.replace("_", " ") for cause in causes))
    printing.listing(columns, _rows(totals, causes), nothing=f"nothing was sampled in {environment} within {since}")


def _rows(totals: Iterable[Mapping[str, Any]], causes: Sequence[Divergence]) -> Iterable[tuple[object, ...]]:
    by_place: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for total in totals:
        by_place[total["service"], total["flag"]][total["cause"]] = total["count"]
    for (service, flag), counts in by_place.items():
        sampled = sum(counts.get(cause, 0) for cause in _COMPARED)
        yield service, flag or "(unknown)", sampled, *(counts.get(cause, 0) or "" for cause in causes)
