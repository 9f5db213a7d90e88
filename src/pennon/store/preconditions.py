"""If-Match, asked inside the transaction that edits: nobody slips in between."""

from pennon.errors import PreconditionFailed, PreconditionMissing


def demand_match(if_match: int | None, version: int) -> None:
    """Nothing, if the author has seen this version. Raises: PreconditionMissing, PreconditionFailed."""
    if if_match is None:
        msg = "the edit must name the version that it changes, as If-Match"
        raise PreconditionMissing(msg)
    if if_match != version:
        msg = f"version {if_match} found in If-Match, the current one is {version}: read it again"
        raise PreconditionFailed(msg)
